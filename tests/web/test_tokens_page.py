"""Tokens on the page: made, shown once, revoked."""

from __future__ import annotations

import re

from mainstay.web.tokens import caller_of, list_tokens
from tests.web.conftest import Browser, Site


async def test_a_token_is_made_shown_once_and_revoked(site: Site, operator: Browser) -> None:
    pool, path = site.backend.pool, "/w/acme/api"
    assert "No program may use the API yet" in (await operator.get(path)).text
    made = await operator.post(path, data={"name": "zapier", "scope": "retry"})
    assert made.status == 200
    assert made.headers["cache-control"] == "no-store"
    (token,) = re.findall(r"mst_[\w-]{43}", made.text)
    caller = await caller_of(pool, token)
    assert caller is not None
    assert (caller.name, caller.scopes, caller.workspace_id) == (
        "zapier",
        frozenset({"read", "retry"}),
        site.story.card.id,
    )
    again = (await operator.get(path)).text
    assert token not in again
    assert token[-4:] in again

    for data, status, words in (
        ({"name": "zapier"}, 409, "is in use"),
        ({"name": "no name"}, 422, "A name has letters"),
        ({"name": "robot", "scope": "fly"}, 422, "there is no scope"),
        ({}, 422, "A name has letters"),
    ):
        refused = await operator.post(path, data=data)
        assert (refused.status, words in refused.text) == (status, True)
    assert len(await list_tokens(pool, site.story.card.id)) == 1

    # Another workspace's page knows nothing of it.
    assert (await operator.post("/w/bell/api/zapier/revoke")).status == 404
    gone = await operator.post(f"{path}/zapier/revoke")
    assert "is revoked" in (await operator.get(gone.headers["location"])).text
    assert await caller_of(pool, token) is None
    assert (await operator.post(f"{path}/zapier/revoke")).status == 404


async def test_the_page_of_a_week_refuses_what_is_none(site: Site, operator: Browser) -> None:
    assert (await operator.get("/w/acme/weeks")).status == 303
    for name in ("soon", "2999-W01", "1990-W01", "2026-W99"):
        assert (await operator.get(f"/w/acme/weeks/{name}")).status == 404
