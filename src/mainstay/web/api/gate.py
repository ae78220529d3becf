"""What stands before every address of the API: the token, and bounds on what is read.

There is no session here, and so nothing that another site could make a browser do. One document, the description of the
API itself, is given to people who are signed in as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request

from mainstay.errors import DatabaseUnavailableError
from mainstay.web.api.problems import (
    BAD_TOKEN,
    MEDIA,
    NO_TOKEN,
    NOT_SERVED,
    SCOPE,
    TOO_LARGE,
    UNREADABLE,
    ProblemError,
    fault,
    problem_of,
)
from mainstay.web.scopes import in_order, needed
from mainstay.web.security import SESSION_COOKIE
from mainstay.web.sign_in import who_signed_in
from mainstay.web.tokens import Caller, caller_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mainstay.web.backend import Backend

PREFIX = "/api/"
DESCRIPTION = "/api/v1/openapi.json"
BULK = "/api/v1/contacts/bulk"
MAX_BODY = 256 * 1024
NDJSON = "application/x-ndjson"
_CALLER = "mainstay.caller"
_READING = {"GET", "HEAD", "OPTIONS"}
_CHALLENGE = 'Bearer realm="mainstay"'
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """ASGI middleware around the API."""

    def __init__(self, app: ASGIApp, *, backend: Backend) -> None:
        self._app = app
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self._admit(scope)
            bounded = receive if scope["path"] == BULK else _bounded(receive)
            await self._app(scope, bounded, send_guarded)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told as a problem
            problem = problem_of(error) or fault(f"{scope['method']} {scope['path']}", error)
            if has_begun:
                raise ConnectionAbortedError("an answer that had begun was cut off") from None
            await problem.response()(scope, receive, send_guarded)

    async def _admit(self, scope: Scope) -> None:
        request = HTTPConnection(scope)
        if b"%00" in scope["query_string"] or "\0" in scope["path"]:
            raise ProblemError(UNREADABLE, "The address holds the character NUL, which nothing that is kept can hold.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            if scope["path"] == DESCRIPTION and await self._is_signed_in(request, scope["method"]):
                return
            raise ProblemError(
                NO_TOKEN,
                "Send the header Authorization: Bearer TOKEN. Make a token with: mainstay tokens create NAME",
                headers={"WWW-Authenticate": _CHALLENGE},
            )
        caller = await caller_of(self._backend.pool, token.strip())
        if caller is None:
            raise ProblemError(
                BAD_TOKEN,
                "This token is unknown or was revoked.",
                headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
            )
        if all(card.id != caller.workspace_id for card in self._backend.workspace_cards()):
            raise ProblemError(NOT_SERVED, "The stack of this token's workspace is not among those served here.")
        missing = in_order(needed(scope["method"], scope["path"]) - caller.scopes)
        if missing:
            raise ProblemError(SCOPE, f"This token was made without the scope {' and '.join(missing)}.")
        self._check_body(request, scope)
        scope[_CALLER] = caller

    @staticmethod
    def _check_body(request: HTTPConnection, scope: Scope) -> None:
        length = request.headers.get("content-length", "0")
        has_body = length != "0" or "transfer-encoding" in request.headers
        if scope["path"] == BULK:
            wanted = {NDJSON, "application/jsonl", "application/json-lines"}
        else:
            wanted = {"application/json", "application/merge-patch+json"}
            if length.isdigit() and int(length) > MAX_BODY:
                raise ProblemError(TOO_LARGE, f"The body is larger than {MAX_BODY:,} bytes.")
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and given not in wanted:
            raise ProblemError(MEDIA, f"Send {min(wanted)}.", headers={"Accept": min(wanted)})

    async def _is_signed_in(self, request: HTTPConnection, method: str) -> bool:
        if method not in _READING or request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return False
        try:
            return await who_signed_in(self._backend.pool, request.cookies.get(SESSION_COOKIE, "")) is not None
        except DatabaseUnavailableError:
            return False


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def receive_bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            # FastAPI passes on no other error from here.
            raise HTTPException(413, f"The body is larger than {MAX_BODY:,} bytes.")
        return message

    return receive_bounded


def caller(request: Request) -> Caller:
    """Return who asks."""
    found: Caller = request.scope[_CALLER]
    return found
