"""A person connects an account from the pages, at the simulated vendor."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from mainstay.kit.oauth import OAuth
from mainstay.sandbox.client import Sandbox
from mainstay.web import ConnectionCard
from tests.access.walking import agree
from tests.web.conftest import Browser, Site


@pytest.fixture
def hub(site: Site, sandbox: Sandbox) -> OAuth:
    base = sandbox.url("hubspot")
    oauth = OAuth(f"{base}/oauth/authorize", f"{base}/oauth/v3/token", "our app", "s3cret", uses_pkce=True)
    site.backend.vendors["hub"] = oauth
    site.backend.connections.append(ConnectionCard("hub", "HubSpot", is_by_person=True))
    return oauth


async def test_the_pages_lead_to_the_vendor_and_back(site: Site, operator: Browser, hub: OAuth) -> None:
    root = f"/w/{site.story.card.slug}"
    before = await operator.get(f"{root}/connections")
    assert "Not connected" in before.text
    assert f'href="{root}/connections/hub/connect"' in before.text

    begun = await operator.get(f"{root}/connections/hub/connect")
    assert begun.status == 302
    asked = dict(parse_qsl(urlsplit(begun.headers["Location"]).query))
    assert asked["redirect_uri"] == f"{site.url}/connect/callback"
    assert asked["code_challenge_method"] == "S256"
    async with aiohttp.ClientSession() as session:
        back = await agree(session, begun.headers["Location"])
    landed = await operator.get("/connect/callback", params=back)

    assert (landed.status, landed.headers["Location"]) == (303, f"{root}/connections?done=connected")
    after = await operator.get(f"{root}/connections?done=connected")
    assert "Not connected" not in after.text
    assert "Connect anew" in after.text
    again = await operator.get("/connect/callback", params=back)
    assert again.status == 400
    assert "or it was used already" in again.text


async def test_what_the_vendor_refuses_is_shown_and_escaped(site: Site, operator: Browser, hub: OAuth) -> None:
    begun = await operator.get(f"/w/{site.story.card.slug}/connections/hub/connect")
    state = dict(parse_qsl(urlsplit(begun.headers["Location"]).query))["state"]

    said = await operator.get(
        "/connect/callback", params={"state": state, "error": "access_denied", "error_description": "<script>"}
    )

    assert said.status == 400
    assert "access_denied: &lt;script&gt;" in said.text


@pytest.mark.parametrize("query", ["", "?state=x", "?code=y&state=z", "?error=e"])
async def test_who_was_sent_by_nobody_is_told_to_begin(site: Site, operator: Browser, query: str) -> None:
    answer = await operator.get(f"/connect/callback{query}")
    assert answer.status == 400
    assert "Begin again" in answer.text or "begin again" in answer.text


async def test_strangers_connect_nothing(site: Site, hub: OAuth) -> None:
    for path in (f"/w/{site.story.card.slug}/connections/hub/connect", "/connect/callback?code=a&state=b"):
        answer = await site.stranger.get(path)
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
    assert await site.backend.pool.fetchval("SELECT count(*) FROM oauth_flows") == 0


async def test_a_fixed_token_is_connected_by_nobody(site: Site, operator: Browser) -> None:
    name = site.backend.connections[0].name
    assert (await operator.get(f"/w/{site.story.card.slug}/connections/{name}/connect")).status == 404
