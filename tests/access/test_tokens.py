"""Renewal over real HTTP, by several processes' worth of tokens over one database."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import aiohttp
import pytest

from mainstay.access import Keys, Tokens, endpoint, store
from mainstay.access import tokens as tokens_module
from mainstay.db import Pool, acquire, open_pool
from mainstay.errors import DatabaseUnavailableError, NeedsHumanError, TransientError
from mainstay.kit import Http, HttpSettings
from mainstay.kit.oauth import OAuth
from mainstay.sandbox.client import Sandbox
from tests.access.conftest import KEY, MakeTokens
from tests.access.walking import connected, granted, renewals

NAME = "ghl"


async def age(pool: Pool, by: timedelta) -> None:
    """Let time pass for what is kept, and only there."""
    async with acquire(pool) as connection:
        await connection.execute(
            "UPDATE oauth_tokens SET issued_at = issued_at - $1::interval, expires_at = expires_at - $1::interval, "
            "refresh_expires_at = refresh_expires_at - $1::interval",
            by,
        )


async def row(pool: Pool) -> dict[str, object]:
    async with acquire(pool) as connection:
        return dict(await connection.fetchrow("SELECT * FROM oauth_tokens") or {})


async def test_a_token_is_used_while_it_is_good_and_renewed_before_it_ends(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    assert first.facts == {"location": "loc", "page": "1"}

    assert await make_tokens().access(workspace, NAME, vendor) == first
    await age(pool, timedelta(days=1, minutes=-4))
    second = await make_tokens().access(workspace, NAME, vendor)

    assert second.token != first.token
    assert second.facts == first.facts
    assert renewals(sandbox) == 1
    assert await make_tokens().access(workspace, NAME, vendor) == second


async def test_a_process_remembers_a_token_and_asks_again_before_it_is_due(
    pool: Pool, session: aiohttp.ClientSession, workspace: UUID, tokens: Tokens, vendor: OAuth
) -> None:
    await connected(tokens, session, vendor, workspace)
    known = await tokens.access(workspace, NAME, vendor)
    async with acquire(pool) as connection:
        await connection.execute("DELETE FROM oauth_tokens")

    assert await tokens.access(workspace, NAME, vendor) == known
    tokens._cache[workspace, NAME] = replace(tokens._cache[workspace, NAME], until=0.0)
    with pytest.raises(NeedsHumanError, match="ghl is not connected yet: run  mainstay connect ghl"):
        await tokens.access(workspace, NAME, vendor)


@pytest.mark.parametrize("is_over", [True, False])
async def test_of_many_that_want_a_new_token_one_asks_the_vendor(
    dsn: str,
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
    is_over: bool,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    await age(pool, timedelta(days=1) if is_over else timedelta(days=1, minutes=-4))
    sandbox.set_fault("gohighlevel", "latency", latency_ms=300, path="/oauth/token")
    pools = [await open_pool(dsn, size=3) for _ in range(4)]
    processes = [make_tokens(each) for each in pools]

    got = await asyncio.gather(*(each.access(workspace, NAME, vendor) for each in processes for _ in range(25)))

    assert renewals(sandbox) == 1
    new = {access.token for access in got} - {first.token}
    assert len(new) == 1
    if is_over:
        assert first.token not in {access.token for access in got}
    for each in pools:
        await each.close()


async def test_of_many_that_were_refused_one_asks_the_vendor(
    dsn: str,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    pools = [await open_pool(dsn, size=3) for _ in range(4)]
    processes = [make_tokens(each) for each in pools]

    got = await asyncio.gather(
        *(each.access(workspace, NAME, vendor, first.token) for each in processes for _ in range(25))
    )

    assert renewals(sandbox) == 1
    assert len({access.token for access in got} - {first.token}) == 1
    for each in pools:
        await each.close()


async def test_a_worker_that_dies_before_it_has_asked_is_followed_by_the_next(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    async with acquire(pool) as connection:
        assert await store.claim(connection, workspace, NAME, 1, workspace, timedelta(seconds=0.4))

    access = await make_tokens().access(workspace, NAME, vendor, first.token)

    assert access.token != first.token


async def test_waiting_for_another_worker_has_an_end(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    async with acquire(pool) as connection:
        await store.claim(connection, workspace, NAME, 1, workspace, timedelta(hours=1))
    monkeypatch.setattr(tokens_module, "PATIENCE_SECONDS", 0.2)

    with pytest.raises(TransientError, match="another worker renews the token of ghl"):
        await make_tokens().access(workspace, NAME, vendor, first.token)
    # Who only finds it due goes on with the old one.
    await age(pool, timedelta(days=1, minutes=-4))
    assert await make_tokens().access(workspace, NAME, vendor) == first


async def test_an_answer_that_could_not_be_stored_is_stored_as_soon_as_it_can_be(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    tokens: Tokens,
    vendor: OAuth,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = await connected(tokens, session, vendor, workspace)

    async def away(*_args: object) -> bool:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as broken:
        broken.setattr(store, "renewed", away)
        with pytest.raises(DatabaseUnavailableError):
            await tokens.access(workspace, NAME, vendor, first.token)
    async with acquire(pool) as connection:
        await connection.execute("UPDATE oauth_tokens SET renewing_until = now()")

    second = await tokens.access(workspace, NAME, vendor, first.token)

    assert second.token != first.token
    assert renewals(sandbox) == 1
    assert (await row(pool))["state"] == "connected"


async def test_whoever_is_broken_off_under_way_leaves_the_new_token_behind(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    process = make_tokens()
    first = await connected(process, session, vendor, workspace)
    sandbox.set_fault("gohighlevel", "latency", latency_ms=300, path="/oauth/token")
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await process.access(workspace, NAME, vendor, first.token)

    second = await make_tokens().access(workspace, NAME, vendor, first.token)

    assert second.token != first.token
    assert renewals(sandbox) == 1


async def test_the_refresh_token_before_is_tried_once_more(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    sandbox.configure("gohighlevel", refresh_once=False)
    process = make_tokens()
    first = await connected(process, session, vendor, workspace)
    keys = Keys([KEY])
    kept = await row(pool)
    async with acquire(pool) as connection:
        await connection.execute(
            "UPDATE oauth_tokens SET refresh_token = $1, previous_refresh_token = $2",
            keys.seal("never came into use", f"{workspace}/{NAME}"),
            kept["refresh_token"],
        )

    assert (await process.access(workspace, NAME, vendor, first.token)).token != first.token
    assert renewals(sandbox) == 2


async def test_a_grant_that_has_ended_needs_a_person_and_is_not_tried_again(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    sandbox.configure("gohighlevel", revoked=True)

    for _ in range(3):
        with pytest.raises(NeedsHumanError, match="must be connected anew, by a person: run  mainstay connect ghl"):
            await make_tokens().access(workspace, NAME, vendor, first.token)

    assert renewals(sandbox) == 1
    assert (await row(pool))["state"] == "needs a person"
    sandbox.configure("gohighlevel", revoked=False)
    again = await connected(make_tokens(), session, vendor, workspace)
    assert await make_tokens().access(workspace, NAME, vendor) == again


@pytest.mark.parametrize(("kind", "options"), [("status", {"status": 503}), ("status", {"status": 429}), ("reset", {})])
async def test_a_token_endpoint_that_is_away_is_no_reason_to_ask_a_person(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
    kind: str,
    options: dict[str, int],
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    sandbox.set_fault("gohighlevel", kind, path="/oauth/token", **options)  # type: ignore[arg-type]

    with pytest.raises(TransientError):
        await make_tokens().access(workspace, NAME, vendor, first.token)
    await age(pool, timedelta(days=1, minutes=-4))
    assert (await make_tokens().access(workspace, NAME, vendor)).token == first.token

    sandbox.clear("gohighlevel")
    assert (await make_tokens().access(workspace, NAME, vendor)).token != first.token


async def test_an_app_that_the_vendor_does_not_take_is_said_and_tried_again_when_mended(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
) -> None:
    first = await connected(make_tokens(), session, vendor, workspace)
    wrong = replace(vendor, client_secret="wrong")

    with pytest.raises(NeedsHumanError, match="client_id and client_secret .* check the connection's app"):
        await make_tokens().access(workspace, NAME, wrong, first.token)

    assert (await row(pool))["state"] == "connected"
    assert "client_id" in str((await row(pool))["error"])
    assert (await make_tokens().access(workspace, NAME, vendor, first.token)).token != first.token
    assert (await row(pool))["error"] == ""


async def test_an_app_gets_in_by_itself_where_no_person_is_needed(
    workspace: UUID, make_tokens: MakeTokens, vendor: OAuth, sandbox: Sandbox
) -> None:
    own = replace(vendor, grant="client_credentials", client_auth="body")
    one, other = make_tokens(), make_tokens()

    got = await asyncio.gather(one.access(workspace, NAME, own), other.access(workspace, NAME, own))

    assert got[0] == got[1]
    assert [call["grant_type"] for call in sandbox.state("gohighlevel")["token_calls"]] == ["client_credentials"]
    assert (await make_tokens().access(workspace, NAME, own, got[0].token)).token != got[0].token


async def test_a_token_that_is_refused_as_soon_as_it_is_renewed_starts_no_storm(
    session: aiohttp.ClientSession, workspace: UUID, tokens: Tokens, vendor: OAuth, sandbox: Sandbox
) -> None:
    refused = (await connected(tokens, session, vendor, workspace)).token
    for _ in range(20):
        refused = (await tokens.access(workspace, NAME, vendor, refused)).token
    assert renewals(sandbox) == 1


async def test_another_key_is_said_and_a_former_one_still_opens(
    session: aiohttp.ClientSession, workspace: UUID, make_tokens: MakeTokens, vendor: OAuth
) -> None:
    new = "q3kUuG0YV1l7Cq6r0G2mQZc7i9m1r0o3X3yB2m5q8dA="
    first = await connected(make_tokens(), session, vendor, workspace)

    with pytest.raises(NeedsHumanError, match="another key than MAINSTAY_SECRET_KEY .*mainstay connect ghl"):
        await make_tokens(keys=Keys([new])).access(workspace, NAME, vendor)
    assert await make_tokens(keys=Keys([new, KEY])).access(workspace, NAME, vendor) == first


async def test_a_key_that_was_replaced_goes_out_of_use_with_the_next_renewal(
    session: aiohttp.ClientSession, workspace: UUID, make_tokens: MakeTokens, vendor: OAuth, sandbox: Sandbox
) -> None:
    new = "q3kUuG0YV1l7Cq6r0G2mQZc7i9m1r0o3X3yB2m5q8dA="
    # It gives the same refresh token each time.
    sandbox.configure("gohighlevel", refresh_once=False)
    first = await connected(make_tokens(), session, vendor, workspace)
    second = await make_tokens(keys=Keys([new, KEY])).access(workspace, NAME, vendor, first.token)
    third = await make_tokens(keys=Keys([new])).access(workspace, NAME, vendor, second.token)
    assert len({first.token, second.token, third.token}) == 3


async def test_a_refresh_token_that_would_end_for_want_of_use_is_used(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
) -> None:
    sixty_days = replace(vendor, refresh_lifetime=timedelta(days=60))
    await connected(make_tokens(), session, sixty_days, workspace)
    declared = {NAME: sixty_days}
    await make_tokens().keep_alive(workspace, declared)
    assert renewals(sandbox) == 0

    await age(pool, timedelta(days=31))
    await asyncio.gather(*(make_tokens().keep_alive(workspace, declared) for _ in range(3)))

    assert renewals(sandbox) == 1
    async with acquire(pool) as connection:
        left = await connection.fetchval("SELECT refresh_expires_at - now() FROM oauth_tokens")
    assert left > timedelta(days=59)


async def test_no_token_is_readable_anywhere(
    pool: Pool,
    session: aiohttp.ClientSession,
    workspace: UUID,
    make_tokens: MakeTokens,
    vendor: OAuth,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    grant = await granted(session, vendor)
    process = make_tokens()
    first = await process.keep(workspace, NAME, vendor, grant, {})
    second = await process.access(workspace, NAME, vendor, first.token)
    http = Http(session, HttpSettings(sandbox.url("gohighlevel"), headers={"Version": "2021-07-28"}))

    async def authorize(refused: str) -> object:
        return await process.access(workspace, NAME, vendor, refused)

    http.authorize = authorize  # type: ignore[assignment]
    with suppress(Exception):
        await http.request("GET", f"/contacts/{second.token}")
    sandbox.configure("gohighlevel", revoked=True, token_epoch=1)
    with pytest.raises(NeedsHumanError) as refusal:
        await http.request("GET", "/contacts/x")

    kept = await row(pool)
    seen = (kept, http.exchanges, refusal.value, grant, first, second, process, vars(process), caplog.text, vendor)
    told = "\n".join(map(str, seen))
    for secret in (first.token, second.token, grant.refresh_token, vendor.client_secret):
        assert secret not in told, secret


async def test_a_code_is_good_once(session: aiohttp.ClientSession, vendor: OAuth) -> None:
    with pytest.raises(NeedsHumanError, match="takes the authorisation no longer"):
        await endpoint.by_code(session, vendor, "never-given", "", "http://localhost/callback")
