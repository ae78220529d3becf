from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import aiohttp
import pytest

from mainstay.access import Keys, Tokens
from mainstay.db import Pool, acquire
from mainstay.kit.http import open_session
from mainstay.kit.oauth import OAuth
from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox

MakeTokens = Callable[..., Tokens]
KEY = "kJ0Zr3r8m8x0uJ2c7eO2c1QyZ3b7k9pYH3m0XnQx5yE="


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


@pytest.fixture
def make_tokens(pool: Pool, session: aiohttp.ClientSession) -> MakeTokens:
    """Give ``make(pool, keys)``: the tokens of one process; several are as many processes."""
    return lambda own=None, keys=None: Tokens(own or pool, keys or Keys([KEY]), lambda: session)


@pytest.fixture
def tokens(make_tokens: MakeTokens) -> Tokens:
    return make_tokens()


@pytest.fixture
def vendor(sandbox: Sandbox) -> OAuth:
    """A vendor whose refresh tokens are good for one use."""
    base = sandbox.url("gohighlevel")
    return OAuth(
        authorize_url=f"{base}/oauth/chooselocation",
        token_url=f"{base}/oauth/token",
        client_id="our app",
        client_secret="s3cret/+",
        uses_pkce=True,
        facts=lambda answer, callback: {"location": answer.get("locationId", ""), "page": callback.get("page", "")},
    )
