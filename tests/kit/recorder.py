"""A vendor over real HTTP that answers what a test lays down and remembers every request."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Recorded:
    """One request as it came over the wire; ``headers`` has lower-case names."""

    method: str
    url: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Recorder:
    """The running server: ``url`` is its address, ``requests`` what came, oldest first."""

    url: str = ""
    requests: list[Recorded] = field(default_factory=list)
    _answers: deque[Handler] = field(default_factory=deque)

    def answer(
        self,
        body: Any = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        """Lay down the next answer: bytes and text go out as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()

        async def handler(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=raw, status=status, headers=headers, content_type=content_type)

        self._answers.append(handler)

    def handle(self, handler: Handler) -> None:
        """Lay down code for the next request."""
        self._answers.append(handler)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.requests.append(Recorded(request.method, str(request.url), request.path, headers, body))
        return await self._answers.popleft()(request)


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """Run a recorder on a free port of this machine."""
    recorder = Recorder()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder._serve)
    async with TestServer(app) as server:
        recorder.url = str(server.make_url("")).rstrip("/")
        yield recorder
