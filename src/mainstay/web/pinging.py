"""``/ping/{workspace}/{key}/{monitor}``: by which jobs elsewhere tell that they ran. No login: the key is it.

Methods, endings and answers are those of healthchecks.io, so that its clients work when they are given this address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from mainstay.errors import DatabaseUnavailableError
from mainstay.monitors import BODY_BYTES, Monitors, Outcome, PingRefusedError, read_ping
from mainstay.web.intake import PATIENCE_SECONDS, Receive, Scope, Send

log = logging.getLogger(__name__)

PREFIX = "/ping/"
_BODY_SECONDS = 10.0
_READ_AT_MOST = 4 * BODY_BYTES
"""Masking may look a little beyond what is kept; the rest of a long output is left unread."""
_LONGEST_PATH = 300
_METHODS = ("GET", "HEAD", "POST")


class Bound(Protocol):
    """A workspace, as far as pings need it."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...


class _Refusal(Exception):  # noqa: N818 - an answer, on its way out
    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class PingEndpoint:
    """Takes pings over HTTP."""

    def __init__(self, monitors: Monitors, workspaces: Mapping[str, Bound]) -> None:
        self._monitors = monitors
        self._workspaces = workspaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ping."""
        method = scope["method"]
        if method == "OPTIONS":
            await _answer(send, 204, "", {"access-control-allow-methods": ", ".join(_METHODS)})
            return
        try:
            await self._take(scope, receive)
        except _Refusal as refusal:
            await _answer(send, refusal.status, str(refusal), refusal.headers, with_body=method != "HEAD")
        except ConnectionAbortedError:
            return  # half a request is none
        else:
            await _answer(send, 200, "OK", {"ping-body-limit": str(BODY_BYTES)}, with_body=method != "HEAD")

    async def _take(self, scope: Scope, receive: Receive) -> None:
        if scope["method"] not in _METHODS:
            raise _Refusal(405, "method not allowed", allow=", ".join(_METHODS))
        slug, *rest = scope["path"].removeprefix(PREFIX).split("/")
        workspace = self._workspaces.get(slug)
        if workspace is None or not 2 <= len(rest) <= 3 or len(scope["path"]) > _LONGEST_PATH:
            raise _Refusal(404, "not found")
        key, name, ending = (*rest, "")[:3]
        try:
            query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), max_num_fields=20))
            ping = read_ping(ending, query, scope["method"], await _body(receive))
        except TimeoutError:
            raise _Refusal(408, "the body did not arrive", connection="close") from None
        except PingRefusedError as error:
            raise _Refusal(400, str(error)) from None
        except ValueError:
            raise _Refusal(400, "invalid url format") from None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await self._monitors.receive(workspace.id, name, key, ping)
        except (DatabaseUnavailableError, TimeoutError):
            # Unlike senders of leads, these try again after a 503: curl --retry does, and so do its clients.
            log.warning("a ping to %s was turned away: PostgreSQL does not answer", slug)
            raise _Refusal(503, "not kept: try again", retry_after="5") from None
        if outcome is Outcome.UNKNOWN:
            # The same for a wrong key and a wrong name: nobody learns which monitors there are.
            raise _Refusal(404, "not found")


async def _body(receive: Receive) -> str:
    """Return the beginning of a body: nothing is too long, as a job must not count as late that had much to say."""
    chunks: list[bytes] = []
    size = 0
    async with asyncio.timeout(_BODY_SECONDS):
        while size < _READ_AT_MOST:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if not message.get("more_body"):
                break
    return b"".join(chunks)[:_READ_AT_MOST].decode(errors="replace")


async def _answer(
    send: Send, status: int, text: str, headers: Mapping[str, str] | None = None, *, with_body: bool = True
) -> None:
    body = text.encode()
    said = {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(body)),
        "access-control-allow-origin": "*",
        "cache-control": "no-store",
        **(headers or {}),
    }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body if with_body else b""})
