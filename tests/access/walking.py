"""A person's browser, and what a test asks of the token endpoint."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import aiohttp

from mainstay.access import Grant, Tokens, endpoint
from mainstay.kit.oauth import Access, OAuth
from mainstay.sandbox.client import Sandbox

BACK = "http://localhost:8976/callback"


async def agree(session: aiohttp.ClientSession, address: str) -> dict[str, str]:
    """Open the vendor's page; return what it sends the person back with."""
    async with session.get(address, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


async def granted(session: aiohttp.ClientSession, oauth: OAuth) -> Grant:
    address = f"{oauth.authorize_url}?response_type=code&client_id={oauth.client_id}&redirect_uri={BACK}"
    back = await agree(session, address)
    return await endpoint.by_code(session, oauth, back["code"], "", BACK)


async def connected(tokens: Tokens, session: aiohttp.ClientSession, oauth: OAuth, workspace_id: object) -> Access:
    grant = await granted(session, oauth)
    return await tokens.keep(workspace_id, "ghl", oauth, grant, {"page": "1"})  # type: ignore[arg-type]


def renewals(sandbox: Sandbox, vendor: str = "gohighlevel") -> int:
    calls = sandbox.state(vendor)["token_calls"]
    return sum(call["grant_type"] == "refresh_token" for call in calls)
