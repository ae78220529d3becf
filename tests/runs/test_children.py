"""Runs that a run begins: their results, failures and limits, and what dies in the middle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.engine import history
from mainstay.runs import children, children_ended
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""
CHILD = """
    from mainstay import ChildFailedError

    @workflow("child.v1")
    async def child(ctx: Context, number: int, *, times: int = 1):
        await ctx.chat.post("#leads", f"child {number}")
        if number < 0:
            raise ValueError(f"number {number}")
        return number * times
"""


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def rows(stack: StackUnderTest, query: str, *values: Any) -> list[dict[str, Any]]:
    async with acquire(stack.app.pool) as connection:
        return [dict(row) for row in await connection.fetch(query, *values)]


async def result_of(stack: StackUnderTest, workflow: str = "parent.v1") -> Any:
    (row,) = await rows(stack, "SELECT state, result, error FROM runs WHERE workflow = $1", workflow)
    return row["result"] if row["state"] == "done" else f"{row['state']}: {row['error']}"


def parent(body: str) -> str:
    return f"""{CHILD}
    @workflow("parent.v1", on="contact.created")
    async def parent(ctx: Context, contact: Contact):
        {body}
"""


async def test_a_run_waits_for_another_and_gets_what_it_returned(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, parent("return await ctx.run(child, 4, times=10)"))
    await stack.submit("website", email="sarah@example.com")

    assert await result_of(stack) == 40
    (row,) = await rows(
        stack,
        """
        SELECT child.parent_step, child.place, child.delivery_id = parent.delivery_id AS is_of_delivery
        FROM runs AS child JOIN runs AS parent ON child.parent_id = parent.id
        """,
    )
    assert row == {"parent_step": 1, "place": 0, "is_of_delivery": True}


async def test_a_contact_goes_to_the_child_and_the_child_is_about_it(make_stack: MakeStack) -> None:
    source = """
    @workflow("greet.v1")
    async def greet(ctx, contact, *, word):
        return f"{word} {contact.first_name}"

    @workflow("parent.v1", on="contact.created")
    async def parent(ctx, contact):
        return await ctx.run("greet.v1", contact, word="Hello")
    """
    stack = await make_stack(STACK, source)
    lead = await stack.submit("website", email="sarah@example.com", first_name="Sarah")

    assert await result_of(stack) == "Hello Sarah"
    (child,) = await rows(stack, "SELECT contact_id FROM runs WHERE workflow = 'greet.v1'")
    assert child["contact_id"] == lead.contact.id


async def test_one_that_is_started_is_not_waited_for(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, parent("return str(await ctx.start(child, -1))"))
    await stack.submit("website", email="sarah@example.com")

    (child,) = await rows(stack, "SELECT id, state FROM runs WHERE workflow = 'child.v1'")
    assert (await result_of(stack), child["state"]) == (str(child["id"]), "failed")


async def test_several_side_by_side_all_begin_at_once(make_stack: MakeStack) -> None:
    body = """import asyncio
        both = await asyncio.gather(ctx.run(slow, "a"), ctx.run(slow, "b"))
        return both

    @workflow("slow.v1")
    async def slow(ctx, name):
        await ctx.sleep("10m")
        return name
    """
    stack = await make_stack(STACK, parent(body))
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("11m")

    assert await result_of(stack) == ["a", "b"]


async def test_a_childs_failure_reaches_the_parent_and_a_retry_goes_on_from_there(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    source = parent("return await ctx.run_all(child, [1, -2, 3])")
    stack = await make_stack(STACK, source)
    await stack.submit("website", email="sarah@example.com")

    failed = await result_of(stack)
    assert failed.startswith("failed: 1 of 3 did not end well; first child.v1 (run ")
    assert "ValueError: number -2" in failed
    assert len(posts(sandbox)) == 3

    mended = await make_stack(STACK, source.replace("number < 0", "False"))
    (row,) = await rows(stack, "SELECT id, workspace_id FROM runs WHERE workflow = 'parent.v1'")
    assert await mended.app.retry_run(row["workspace_id"], row["id"])
    await mended.settle()
    assert await result_of(mended) == [1, -2, 3]
    assert len(posts(sandbox)) == 3  # what had gone well, in each of them, was not done again


async def test_a_parent_can_go_on_without_those_that_failed(make_stack: MakeStack) -> None:
    body = """found = await ctx.run_all(child, [1, -2, 3], return_exceptions=True)
        return [str(each) if isinstance(each, ChildFailedError) else each for each in found]"""
    stack = await make_stack(STACK, parent(body))
    await stack.submit("website", email="sarah@example.com")

    one, two, three = await result_of(stack)
    assert (one, three) == (1, 3)
    assert two.startswith("child.v1: ValueError: number -2")


async def test_a_parent_may_catch_the_failure(make_stack: MakeStack) -> None:
    body = """try:
            await ctx.run(child, -1)
        except ChildFailedError as error:
            await ctx.chat.post("#leads", "caught")
            return len(error.run_ids)"""
    stack = await make_stack(STACK, parent(body))
    await stack.submit("website", email="sarah@example.com")

    assert await result_of(stack) == 1


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("await ctx.run(len, 1)", "len is no workflow: write @workflow(...) above it"),
        ('await ctx.run("nobody.v1", 1)', 'no workflow "nobody.v1" is loaded'),
        ("await ctx.run(child, {1, 2})", "values that JSON can hold"),
        ("await ctx.run_all(child, [1], at_most=0)", "at_most=0"),
        ("return {1, 2}", "returned what is no JSON"),
    ],
)
async def test_what_cannot_be_run_is_said(make_stack: MakeStack, body: str, part: str) -> None:
    stack = await make_stack(STACK, parent(body))
    await stack.submit("website", email="sarah@example.com")
    assert part in await result_of(stack)


async def test_none_is_a_fan_out_too(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, parent("return await ctx.run_all(child, [])"))
    await stack.submit("website", email="sarah@example.com")
    assert await result_of(stack) == []


SLEEPER = """
    @workflow("sleeper.v1")
    async def sleeper(ctx, number):
        await ctx.sleep("1m")
        return number

    @workflow("parent.v1", on="contact.created")
    async def parent(ctx, contact):
        return sum(await ctx.run_all(sleeper, list(range({count})), at_most={at_most}))
"""
UNDER_WAY = """
    SELECT count(*) AS count FROM runs WHERE workflow = 'sleeper.v1' AND started_at IS NOT NULL AND state <> 'done'
"""


async def test_the_limit_holds_and_each_end_lets_the_next_begin(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, SLEEPER.format(count=10, at_most=3))
    await stack.submit("website", email="sarah@example.com")

    counts: list[int] = []
    while not counts or counts[-1]:
        (row,) = await rows(stack, UNDER_WAY)
        counts.append(row["count"])
        await stack.advance("61s")
    assert counts == [3, 3, 3, 1, 0]
    assert await result_of(stack) == sum(range(10))


async def test_ends_in_many_transactions_at_once_keep_the_limit_and_wake_the_parent_once(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, SLEEPER.format(count=60, at_most=8))
    await stack.submit("website", email="sarah@example.com")
    for _ in range(60):
        open_ = await rows(
            stack,
            """
            SELECT id FROM runs WHERE workflow = 'sleeper.v1' AND state IN ('waiting', 'queued')
              AND waiting_for <> 'its place' ORDER BY id
            """,
        )
        assert len(open_) <= 8
        if not open_:
            break

        async def end(run_id: Any) -> None:
            async with acquire(stack.app.pool) as connection, connection.transaction():
                await connection.execute("UPDATE runs SET state = 'done', result = '1' WHERE id = $1", run_id)
                await children_ended(connection, [run_id])

        await asyncio.gather(*(end(row["id"]) for row in open_[:4]))
    (row,) = await rows(stack, "SELECT event FROM waits WHERE event_type = $1", children.ENDED)
    assert row["event"] == {"results": [1] * 60, "failed": []}
    await stack.settle()
    assert await result_of(stack) == 60


async def test_a_child_that_was_cancelled_counts_as_not_well_ended(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, SLEEPER.format(count=2, at_most=1))
    await stack.submit("website", email="sarah@example.com")
    async with acquire(stack.app.pool) as connection, connection.transaction():
        run_id = await connection.fetchval(
            "UPDATE runs SET state = 'cancelled' WHERE workflow = 'sleeper.v1' AND place = 0 RETURNING id"
        )
        await children_ended(connection, [run_id])
    await stack.advance("2m")
    assert "it was cancelled" in await result_of(stack)


async def test_a_parent_killed_in_the_middle_of_its_fan_out_begins_each_child_once(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """Unwinds as nothing in the code foresees."""

    source = SLEEPER.format(count=1200, at_most=1200)
    stack = await make_stack(STACK, source)
    real = history.History.write
    writes = 0

    async def write(self: history.History, *args: Any, **kwargs: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise KilledError
        await real(self, *args, **kwargs)

    monkeypatch.setattr(history.History, "write", write)
    with pytest.raises(BaseExceptionGroup):
        await stack.submit("website", email="sarah@example.com")
    monkeypatch.undo()
    (row,) = await rows(stack, "SELECT count(*) AS count FROM runs WHERE workflow = 'sleeper.v1'")
    assert row["count"] == 500
    assert await rows(stack, "SELECT id FROM runs WHERE workflow = 'sleeper.v1' AND state <> 'waiting'") == []

    again = await make_stack(STACK, source)
    await again.settle()
    found = await rows(stack, "SELECT place FROM runs WHERE workflow = 'sleeper.v1' ORDER BY place")
    assert [row["place"] for row in found] == list(range(1200))
    await again.advance("2m")
    assert await result_of(again) == sum(range(1200))


async def test_whoever_should_have_let_the_next_begin_and_died_is_replaced(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, SLEEPER.format(count=3, at_most=1))
    await stack.submit("website", email="sarah@example.com")
    async with acquire(stack.app.pool) as connection:
        await connection.execute("UPDATE runs SET state = 'cancelled' WHERE workflow = 'sleeper.v1' AND place = 0")
    async with acquire(stack.app.pool) as connection, connection.transaction():
        await children.recheck_children(connection)
    (row,) = await rows(stack, "SELECT place FROM runs WHERE workflow = 'sleeper.v1' AND state = 'queued'")
    assert row["place"] == 1
