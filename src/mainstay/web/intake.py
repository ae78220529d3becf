"""``/in/{workspace}/{source}``: the one address without a login. Bare ASGI, because its speed is what senders feel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from mainstay.errors import DatabaseUnavailableError, NotAuthenticError, OverloadedError
from mainstay.intake import Intake, Receipt, SourceBinding
from mainstay.kit import RawRequest
from mainstay.model import RunState
from mainstay.web.visitor import BROWSER_FORMS, as_page, is_browser_form

if TYPE_CHECKING:
    from mainstay.runs import RunResult
    from mainstay.workflows import Workflows

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/in/"
_STATUS = {"accepted": 202, "repeated": 200, "rejected": 422}
_RETRY_SECONDS = 5
BODY_SECONDS = 60.0
"""How long a body may take: whoever sends it a byte a minute would hold a connection for ever."""
_CLOSE = {"connection": "close"}
PATIENCE_SECONDS = 5.0
"""How long a sender waits for PostgreSQL. Past it the delivery may be kept all the same: sent again, it is a repeat."""


class Bound(Protocol):
    """A workspace, as far as intake needs it."""

    @property
    def sources(self) -> Mapping[str, SourceBinding]:
        """Its sources by name."""
        ...


class IntakeEndpoint:
    """Takes deliveries over HTTP.

    Args:
        intake: what keeps them.
        workspaces: by slug.
        workflows: what answers senders whose delivery starts a sync workflow; None for nothing.
        public_url: how senders see this server (some sign the URL); empty to trust the Host header.
    """

    def __init__(
        self,
        intake: Intake,
        workspaces: Mapping[str, Bound],
        *,
        public_url: str,
        workflows: Workflows | None = None,
    ) -> None:
        self._intake = intake
        self._workflows = workflows
        self._workspaces = workspaces
        self._public_url = public_url.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RunResult one request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        slug, _, name = scope["path"].removeprefix(PREFIX).rstrip("/").partition("/")
        workspace = self._workspaces.get(slug)
        source = workspace.sources.get(name) if workspace else None
        if source is None:
            where = f'workspace "{slug}"' if workspace else "this server"
            await _problem(send, 404, f'{where} has no source "{name}"' if workspace else f'no workspace "{slug}" here')
            return
        cors = _cors(source, headers)
        if scope["method"] == "OPTIONS":
            await _result(send, 204, b"", cors)
            return
        if is_browser_form(headers.get("content-type", "").partition(";")[0].strip().lower(), headers):
            send = as_page(send)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(receive, headers, source.settings.max_bytes)
        except ConnectionAbortedError:
            return  # half a delivery is none; who sent it knows, and comes back
        except TimeoutError:
            await _problem(send, 408, f"the body did not arrive within {BODY_SECONDS:g} s", {**_CLOSE, **cors})
            return
        if body is None:
            await _problem(send, 413, f"the body is larger than {source.settings.max_bytes} bytes", cors)
            return
        request = RawRequest(scope["method"], self._url(scope, headers), headers, body, datetime.now(UTC))
        await self._handle(source, request, send, cors)

    async def _handle(self, source: SourceBinding, request: RawRequest, send: Send, cors: Mapping[str, str]) -> None:
        if source.kind.challenge is not None:
            reply = source.kind.challenge(request, source.settings)
            if reply is not None:
                await _result(send, reply.status, reply.body, {"content-type": reply.content_type, **reply.headers})
                return
        if request.method != "POST":
            await _problem(send, 405, "deliveries are sent by POST", {"allow": "POST, OPTIONS", **cors})
            return
        began = time.monotonic()
        waits = self._workflows is not None and self._workflows.has_room and not _goes_on(source, request)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                receipt = await self._intake.receive(source, request, waits=waits)
        except NotAuthenticError as error:
            await _problem(send, 401, str(error), cors)
        except OverloadedError as error:
            await _problem(send, 429, str(error), {"retry-after": str(error.retry_after), **cors})
        except (DatabaseUnavailableError, TimeoutError):
            # 429, not 503: there are senders that drop a delivery for ever on any 5xx.
            log.warning("a delivery to %s was turned away: PostgreSQL does not answer", source.name)
            await _problem(send, 429, "not kept: try again", {"retry-after": str(_RETRY_SECONDS), **cors})
        else:
            runs = await self._answers(source, request, receipt, began)
            await self._receipt(source, request, receipt, runs, send, cors)

    async def _answers(
        self, source: SourceBinding, request: RawRequest, receipt: Receipt, began: float
    ) -> Sequence[RunResult]:
        """Return the sync runs that the sender waits for; the delivery is kept, whatever becomes of them."""
        if self._workflows is None or receipt.answer_within is None or receipt.state == "rejected":
            return ()
        try:
            return await self._workflows.answer_delivery(
                source.workspace_id,
                receipt.delivery_id,
                request.body,
                execution_id=receipt.execution_id,
                within=receipt.answer_within,
                began=began,
            )
        except DatabaseUnavailableError:
            return ()

    @staticmethod
    async def _receipt(
        source: SourceBinding,
        request: RawRequest,
        receipt: Receipt,
        runs: Sequence[RunResult],
        send: Send,
        cors: Mapping[str, str],
    ) -> None:
        if receipt.state == "rejected":
            await _problem(send, 422, receipt.reason, cors, delivery=str(receipt.delivery_id))
            return
        if _goes_on(source, request):
            await _result(send, 303, b"", {"location": source.settings.redirect, **cors})
            return
        if (reply := source.kind.receipt) is not None:
            await _result(send, reply.status, reply.body, {"content-type": reply.content_type, **reply.headers, **cors})
            return
        said: dict[str, Any] = {"delivery": str(receipt.delivery_id), "state": receipt.state}
        status = _STATUS[receipt.state]
        if runs:
            is_answered = all(run.state is RunState.DONE for run in runs)
            said |= {"run": str(runs[0].id), "workflow": runs[0].workflow}
            if is_answered:
                told = [{"run": str(run.id), "workflow": run.workflow, "result": run.result} for run in runs]
                said |= {"state": "answered", "result": runs[0].result, "runs": told}
            # What failed is told to people, by its incident: the sender has done its part.
            status = 200 if is_answered else 202
        await _result(send, status, orjson.dumps(said), {"content-type": "application/json", **cors})

    def _url(self, scope: Scope, headers: Mapping[str, str]) -> str:
        base = self._public_url or f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}"
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        query = scope.get("query_string", b"").decode("latin-1")
        return f"{base}{path}?{query}" if query else f"{base}{path}"


def _goes_on(source: SourceBinding, request: RawRequest) -> bool:
    """Tell whether the sender is a browser that is sent on to another page, and so reads no answer."""
    return bool(source.settings.redirect) and request.content_type in BROWSER_FORMS


async def _body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes | None:
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _cors(source: SourceBinding, headers: Mapping[str, str]) -> dict[str, str]:
    origin = headers.get("origin", "")
    if not origin or not ({origin, "*"} & set(source.settings.cors)):
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type, idempotency-key",
        "access-control-max-age": "600",
        "vary": "origin",
    }


async def _problem(send: Send, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: str) -> None:
    body = orjson.dumps({"status": status, "detail": detail, **more})
    await _result(send, status, body, {"content-type": "application/problem+json", **(headers or {})})


async def _result(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
