"""The gate before every page: who may come in, which requests may change something, what a browser may load."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mainstay.errors import DatabaseUnavailableError
from mainstay.web.scopes import in_order, needed
from mainstay.web.sign_in import Person, who_signed_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mainstay.db import Pool

SESSION_COOKIE = "mainstay_session"
NEXT_COOKIE = "mainstay_next"
SIGN_IN = "/sign-in"
_OPEN_PATHS = {SIGN_IN, "/healthz", "/readyz"}
_OPEN_PREFIX = "/static/"
_NOBODY = Person("", frozenset())
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": that would blank the Origin of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Gate:
    """ASGI middleware around the pages. Every path needs a session but those that are named open here.

    What a session must be allowed to do is said by ``needed``, for the pages as for the API; ``refuse`` makes the page
    for whoever lacks some of it.
    """

    def __init__(
        self, app: ASGIApp, *, pool: Pool, public_url: str, refuse: Callable[[Person, Sequence[str]], Response]
    ) -> None:
        self._app = app
        self._pool = pool
        self._refuse = refuse
        self._own = urlsplit(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        is_open = scope["path"] in _OPEN_PATHS or scope["path"].startswith(_OPEN_PREFIX)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                # What a signed-in person saw must not come back from the cache after they have signed out.
                headers.setdefault("Cache-Control", "no-store")
                if self._own.scheme == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        refusal: Response | None = None
        try:
            if b"%00" in scope["query_string"]:
                # PostgreSQL keeps no such character, so nothing can be meant by it.
                refusal = PlainTextResponse("This address holds a character that cannot be searched for.", 400)
            elif scope["method"] not in _SAFE_METHODS and not self.is_same_origin(request):
                refusal = PlainTextResponse("This request came from another site and was not carried out.", 403)
            elif not is_open:
                person = await who_signed_in(self._pool, request.cookies.get(SESSION_COOKIE, ""))
                if person is None:
                    refusal = self._to_sign_in(request, scope["method"])
                elif missing := in_order(needed(scope["method"], scope["path"]) - person.scopes):
                    refusal = self._refuse(person, missing)
                else:
                    scope.setdefault("state", {})["person"] = person
        except DatabaseUnavailableError:
            refusal = PlainTextResponse("PostgreSQL does not answer. Mainstay goes on as soon as it does.", 503)
        await (refusal or self._app)(scope, receive, send_guarded)

    def is_same_origin(self, request: HTTPConnection) -> bool:
        """Tell whether a state-changing request comes from one of our own pages."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = urlsplit(request.headers.get("origin", ""))
        if origin.scheme not in {"http", "https"} or not origin.netloc:
            return False
        return (origin.scheme, origin.netloc) == (self._own.scheme, self._own.netloc) or (
            origin.netloc == request.headers.get("host")
        )

    @staticmethod
    def _to_sign_in(request: HTTPConnection, method: str) -> Response:
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
        response = RedirectResponse(SIGN_IN, 303)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if method == "GET" and is_local_path(path):
            response.set_cookie(
                NEXT_COOKIE, quote(path[:500]), max_age=600, path=SIGN_IN, httponly=True, samesite="lax"
            )
        return response


def person_of(request: HTTPConnection) -> str:
    """Return who does what a request asks for, as it is recorded."""
    return signed_in(request).name or "by hand"


def signed_in(request: HTTPConnection) -> Person:
    """Return who has signed in; on the pages that are open to all, somebody who may do nothing."""
    found: Person = getattr(request.state, "person", _NOBODY)
    return found


def is_local_path(path: str) -> bool:
    """Tell whether a path stays on this site, however a browser reads it."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
