"""The API on a real port, over a real app on a fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest

from mainstay.app import App
from mainstay.testing import StackUnderTest
from mainstay.web.binding import Server
from mainstay.web.scopes import READ_ONLY
from mainstay.web.tokens import create_token
from tests.conftest import MakeStack
from tests.web.serving import listen, serving

STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [sources.website]
    kind = "form"
"""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def problem(self) -> str:
        """The kind of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        told = self.json
        assert told["status"] == self.status
        assert told["title"]
        assert told["detail"]
        return str(told["type"]).removeprefix("urn:mainstay:problem:")


@dataclass
class Client:
    url: str
    session: aiohttp.ClientSession
    token: str = ""
    stack: StackUnderTest | None = None
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        sent = ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | dict(headers or {})
        async with self.session.request(
            method, f"{self.url}/api/v1{path}", headers=sent, allow_redirects=False, **options
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", path, json=body, **options)

    async def patch(self, path: str, body: Any, **options: Any) -> Answer:
        return await self.ask("PATCH", path, json=body, **options)

    async def delete(self, path: str) -> Answer:
        return await self.ask("DELETE", path)

    async def write(self, **body: Any) -> Any:
        """Write a contact that is taken, and return what became of it."""
        answer = await self.post("/contacts", body)
        assert answer.status in {200, 201}, answer.body
        return answer.json

    @property
    def app(self) -> App:
        assert self.stack is not None
        return self.stack.app

    @property
    def workspace_id(self) -> UUID:
        return next(iter(self.app.workspaces))


@pytest.fixture
async def stranger(make_stack: MakeStack) -> AsyncIterator[Client]:
    """A client without a token."""
    stack = await make_stack(STACK)
    listener, url = listen()
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with serving(Server(stack.app, trust_url=False), listener), session:
        yield Client(url, session, stack=stack)


@pytest.fixture
async def client(stranger: Client) -> Client:
    """A client whose token may write."""
    token = await create_token(stranger.app.pool, stranger.workspace_id, "zapier")
    return Client(stranger.url, stranger.session, token, stranger.stack)


@pytest.fixture
async def reader(stranger: Client) -> Client:
    """A client whose token may only read."""
    token = await create_token(stranger.app.pool, stranger.workspace_id, "reports", READ_ONLY)
    return Client(stranger.url, stranger.session, token, stranger.stack)
