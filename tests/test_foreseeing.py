"""Access that ends is used before it lapses, and told of in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.access import Grant
from mainstay.db import acquire
from mainstay.insight import list_access, verdict
from mainstay.testing import StackUnderTest

STACK = """
[connections.hub]
connector = "hubspot"
client_id = "our app"
client_secret = "${HUB_SECRET}"

[connections.slack]
connector = "slack"
token = "${SLACK_TOKEN}"

[roles]
crm = "hub"

[alerts]
critical = ["slack:#alerts"]
"""


async def connect(stack: StackUnderTest, **more: Any) -> None:
    workspace = next(iter(stack.app.workspaces.values()))
    grant = Grant("access-x", timedelta(minutes=30), "refresh-x", **more)
    await stack.app.tokens.keep(workspace.id, "hub", workspace.oauth["hub"], grant, {})


async def seen(stack: StackUnderTest) -> Any:
    workspace_id = next(iter(stack.app.workspaces))
    async with acquire(stack.app.pool) as connection:
        return await verdict(connection, workspace_id, datetime.now(UTC))


async def test_an_end_that_nothing_moves_is_told_once_and_cleared_when_it_is_moved(
    make_stack: Callable[..., Awaitable[StackUnderTest]],
) -> None:
    stack = await make_stack(STACK)
    await connect(stack, refresh_lifetime=timedelta(days=40))
    await stack.app.foreseer.look()
    assert not (await seen(stack)).ahead

    stack.clock.now += timedelta(days=27)
    # The vendor gives another access token, and not a later end.
    async with acquire(stack.app.pool) as connection:
        await connection.execute("UPDATE oauth_tokens SET issued_at = issued_at + interval '26 days 12 hours'")
    for _ in range(3):
        await stack.app.foreseer.look()
    await stack.settle()

    found = await seen(stack)
    assert found.state == "fine"
    [coming] = found.ahead
    assert coming.title.startswith("The access to hub ends on ")
    assert "mainstay connect hub" in coming.mend
    assert coming.title in found.sentence
    assert [alert.title for alert in stack.alerts] == [coming.title]
    await stack.app.watch_once()
    assert (await seen(stack)).ahead

    await connect(stack, refresh_lifetime=timedelta(days=40))
    await stack.app.foreseer.look()
    assert not (await seen(stack)).ahead


@pytest.mark.parametrize("is_rolling", [True, False])
async def test_an_end_that_moves_with_each_use_is_no_news(
    make_stack: Callable[..., Awaitable[StackUnderTest]], is_rolling: bool
) -> None:
    stack = await make_stack(STACK)
    await connect(stack, refresh_lifetime=timedelta(days=7), is_rolling=is_rolling)

    await stack.app.foreseer.look()

    assert bool((await seen(stack)).ahead) is not is_rolling


async def test_a_connection_that_needs_a_person_is_broken_before_any_run_fails(
    make_stack: Callable[..., Awaitable[StackUnderTest]],
) -> None:
    stack = await make_stack(STACK)
    await connect(stack, refresh_lifetime=timedelta(days=20))
    workspace = next(iter(stack.app.workspaces.values()))
    stack.clock.now += timedelta(days=2)

    # The vendor never gave this refresh token, so keeping it alive finds that out.
    await stack.app.foreseer.look()

    found = await seen(stack)
    assert found.sentence == "1 thing is broken: hub must be connected anew."
    assert "mainstay connect hub" in found.broken[0].mend
    async with acquire(stack.app.pool) as connection:
        [row] = await list_access(connection, workspace.id)
    assert row.needs_person
    assert "no longer" in row.error
