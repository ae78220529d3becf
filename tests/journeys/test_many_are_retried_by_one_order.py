"""Many failed runs retried by one order: at the rate it was given, once each, stopped by the first that fails again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import FencedError, RetryRefusedError
from mainstay.insight.retries import bulk_retry, count_chosen, list_chosen, retries_of
from mainstay.runs import Brake, Chosen, claim_execution, send_some
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
"""
TWO_STEPS = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.email.send(contact, "Hello", "Hi {first_name}")
        await ctx.chat.post("#leads", contact.name)
"""
NAMES = [f"Lead {number}" for number in range(6)]


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def failed_at_slack(make_stack: MakeStack, sandbox: Sandbox) -> StackUnderTest:
    """Give a stack with six runs that failed at their second step, which is mended since."""
    stack = await make_stack(STACK, TWO_STEPS)
    fault = sandbox.set_fault("slack", "status", status=400)
    for number, name in enumerate(NAMES):
        await stack.submit("website", email=f"lead{number}@example.com", name=name)
    sandbox.clear("slack", fault)
    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["failed"] * 6
    return stack


def workspace(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def order_of(stack: StackUnderTest, order: UUID) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await bulk_retry(connection, workspace(stack), order)


async def test_all_that_failed_go_on_from_where_they_failed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    order = await stack.app.retrier.begin(workspace(stack), Chosen(connection="slack"), by="dana")
    await stack.settle()

    assert posts(sandbox) == NAMES
    assert len(sandbox.messages("postmark")) == 6, "what was finished stands"
    found = await order_of(stack, order)
    assert (found.state, found.sent, found.went, found.by) == ("done", 6, {"done": 6}, "dana")
    (first, *_), ((run_id, _, _), *_) = NAMES, await stack.runs("welcome.v1")
    assert first
    async with acquire(stack.app.pool) as connection:
        (told,) = await retries_of(connection, workspace(stack), run_id)
        lanes = await connection.fetch("SELECT DISTINCT lane FROM runs WHERE workflow = 'welcome.v1'")
    assert (told.by, told.from_step, told.bulk_id) == ("dana", 2, order)
    assert [row["lane"] for row in lanes] == ["backfill"]


async def test_the_brake_holds(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(per_second=2))
    sent = []
    await stack.settle()
    for _ in range(4):
        sent.append(len(posts(sandbox)))
        await stack.advance("1s")
    assert sent == [2, 4, 6, 6]


async def test_a_slow_brake_holds_too(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(per_second=1 / 60))
    await stack.settle()
    await stack.advance("59s")
    assert posts(sandbox) == NAMES[:1]
    await stack.advance("2m")
    assert posts(sandbox) == NAMES[:3]


async def test_the_first_goes_alone_and_stops_the_rest_when_it_fails_again(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    sandbox.set_fault("slack", "status", status=400, count=1)
    before = sandbox.request_count("slack")
    order = await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(stops_on_error=True))
    await stack.advance("1m")

    assert sandbox.request_count("slack") == before + 1
    found = await order_of(stack, order)
    assert (found.state, found.sent, found.left.number) == ("stopped", 1, 5)
    assert "failed again" in found.note

    assert await stack.app.retrier.resume(workspace(stack), order)
    assert not await stack.app.retrier.resume(workspace(stack), order)
    await stack.advance("1m")
    assert posts(sandbox) == NAMES[1:]
    assert (await order_of(stack, order)).state == "done"


async def test_while_the_vendor_is_away_the_first_is_waited_for(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    fault = sandbox.set_fault("slack", "status", status=503)
    order = await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(stops_on_error=True))
    await stack.advance("30s")
    assert ((await order_of(stack, order)).state, (await order_of(stack, order)).sent) == ("running", 1)

    sandbox.clear("slack", fault)
    await stack.advance("10m")
    assert sorted(posts(sandbox)) == NAMES


async def test_what_fails_again_is_not_sent_again_by_the_same_order(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    sandbox.set_fault("slack", "status", status=400)
    before = sandbox.request_count("slack")
    order = await stack.app.retrier.begin(workspace(stack), Chosen())
    await stack.advance("1m")

    assert sandbox.request_count("slack") == before + 6
    found = await order_of(stack, order)
    assert (found.state, found.sent, found.went) == ("done", 6, {"failed": 6})


async def test_stopped_by_hand_and_resumed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    order = await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(per_second=1))
    await stack.advance("1s")
    assert await stack.app.retrier.stop(workspace(stack), order, by="dana")
    await stack.advance("1m")
    assert posts(sandbox) == NAMES[:2]
    assert (await order_of(stack, order)).note == "stopped by dana"

    await stack.app.retrier.resume(workspace(stack), order)
    await stack.advance("1m")
    assert posts(sandbox) == NAMES


async def test_from_the_start_everything_is_done_anew(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    await stack.app.retrier.begin(workspace(stack), Chosen(), from_start=True)
    await stack.settle()
    assert len(sandbox.messages("postmark")) == 12
    assert posts(sandbox) == NAMES


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        (Chosen(connection="slack"), 6),
        (Chosen(connection="mail"), 0),
        (Chosen(workflow="welcome.v1"), 6),
        (Chosen(workflow="other.v1"), 0),
        (Chosen(error="BAD request"), 0),
        (Chosen(since=datetime.now(UTC) + timedelta(days=1)), 0),
        (Chosen(since=datetime.now(UTC) - timedelta(days=1)), 6),
    ],
)
async def test_a_dry_run_lists_what_the_order_would_send(
    make_stack: MakeStack, sandbox: Sandbox, chosen: Chosen, number: int
) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    async with acquire(stack.app.pool) as connection:
        found = (await list_chosen(connection, workspace(stack), chosen)).items
        assert (await count_chosen(connection, workspace(stack), chosen)).number == number
    assert {(each.step, each.name, each.connection) for each in found} <= {(2, "chat.post", "slack")}
    assert len(found) == number
    assert Chosen.from_json(chosen.to_json()) == chosen

    order = await stack.app.retrier.begin(workspace(stack), chosen)
    await stack.settle()
    assert (await order_of(stack, order)).sent == number


async def test_a_run_that_fails_after_the_order_is_not_its(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    order = await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(per_second=1))
    await stack.settle()
    sandbox.set_fault("slack", "status", status=400, count=1)
    await stack.submit("website", email="late@example.com", name="Late")
    await stack.advance("1m")
    assert (await order_of(stack, order)).sent == 6
    assert "Late" not in posts(sandbox)


async def test_whoever_lost_the_order_sends_nothing(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await failed_at_slack(make_stack, sandbox)
    order = await stack.app.retrier.begin(workspace(stack), Chosen())
    async with acquire(stack.app.pool) as connection:
        entry = await connection.fetchval("SELECT execution_id FROM runs WHERE workflow = 'bulk_retry.v1'")
    (first,) = await claim_execution(stack.app.pool, entry)
    (second,) = await claim_execution(stack.app.pool, entry)
    assert second.run.taken_over
    async with acquire(stack.app.pool) as connection:
        with pytest.raises(FencedError):
            async with connection.transaction():
                await send_some(
                    connection, first.run, order, stack.clock(), deadline=lambda _: None, own=("bulk_retry.v1",)
                )
    assert (await order_of(stack, order)).sent == 0


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
async def test_what_is_no_rate_is_refused(make_stack: MakeStack, rate: float) -> None:
    stack = await make_stack(STACK, TWO_STEPS)
    with pytest.raises(RetryRefusedError, match="is no rate"):
        await stack.app.retrier.begin(workspace(stack), Chosen(), Brake(per_second=rate))
