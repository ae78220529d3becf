"""Questions to people: one answer each, however many people, clocks and deaths have a part in it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
    [alerts]
    critical = ["slack:#office", "mail:dana@acme.example"]
"""
QUOTE = """
    @workflow("quote.v1", on="contact.created")
    async def quote(ctx: Context, contact: Contact):
        answer = await ctx.approval("Send the quote of $4,000?", timeout="2d")
        await ctx.chat.post("#leads", "sent" if answer else "not sent")
        return [answer.approved, answer.by, answer.note, answer.expired]
"""


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack") if "sent" in message["text"]]


async def asked(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM approvals")


async def result_of(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        row: Any = await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'quote.v1'")
    return row["result"] if row["state"] == "done" else row["waiting_for"]


async def test_a_yes_lets_the_run_go_on(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, QUOTE)
    lead = await stack.submit("website", email="sarah@example.com", first_name="Sarah")
    assert await result_of(stack) == "an answer: Send the quote of $4,000?"
    assert (await asked(stack))["contact_id"] == lead.contact.id

    await stack.approve("go ahead", by="Dana")

    assert await result_of(stack) == [True, "Dana", "go ahead", False]
    assert posts(sandbox) == ["sent"]


async def test_people_are_told_once_where_alerts_go(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("1d")

    (post,) = sandbox.messages("slack")
    assert post["text"].startswith("To decide: Send the quote of $4,000?")
    assert f"/w/acme/reviews/approvals#{(await asked(stack))['id']}" in post["text"]
    assert [message["To"] for message in sandbox.messages("postmark")] == ["dana@acme.example"]


async def test_a_no_and_silence_are_told_apart(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    await stack.decline("too dear", by="Dana")
    assert await result_of(stack) == [False, "Dana", "too dear", False]


async def test_its_time_passes(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("2d")

    assert await result_of(stack) == [False, "", "", True]
    row = await asked(stack)
    assert (row["state"], posts(sandbox)) == ("expired", ["not sent"])
    with pytest.raises(PermanentError, match="its time is over"):
        await stack.app.approvals.decide(row["workspace_id"], row["id"], approved=True, by="Dana")
    assert posts(sandbox) == ["not sent"]


async def test_an_answer_after_its_time_but_before_the_run_woke_is_too_late(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    row = await asked(stack)
    stack.clock.now += timedelta(days=2)
    with pytest.raises(PermanentError, match="its time is over"):
        await stack.app.approvals.decide(row["workspace_id"], row["id"], approved=True, by="Dana")
    await stack.settle()
    assert await result_of(stack) == [False, "", "", True]


async def test_an_answer_that_comes_while_the_run_gives_up_stands(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    row = await asked(stack)
    approvals = stack.app.approvals
    real = approvals.close

    async def close(run: Any, step: int, now: datetime) -> Any:
        # By another machine's clock its time is not over yet.
        monkeypatch.setattr(approvals, "_clock", lambda: row["expires_at"] - timedelta(seconds=1))
        await approvals.decide(row["workspace_id"], row["id"], approved=True, by="Dana")
        return await real(run, step, now)

    monkeypatch.setattr(approvals, "close", close)
    await stack.advance("2d")
    assert await result_of(stack) == [True, "Dana", "", False]


async def test_of_two_people_at_once_one_answer_stands_and_the_other_hears_it(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    row = await asked(stack)
    people = [("Dana", True), ("Ben", False)] * 4

    answers = await asyncio.gather(
        *(
            stack.app.approvals.decide(row["workspace_id"], row["id"], approved=approved, by=name)
            for name, approved in people
        ),
        return_exceptions=True,
    )
    await stack.settle()

    (taken,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = {str(answer) for answer in answers if isinstance(answer, PermanentError)}
    assert refused == {f"{taken.decided_by} has {taken.state} it already"}
    assert (await result_of(stack))[:2] == [taken.state == "approved", taken.decided_by]
    assert len(posts(sandbox)) == 1


async def test_answered_twice_the_first_stands(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    row = await asked(stack)
    await stack.approve(by="Dana")
    with pytest.raises(PermanentError, match="Dana has approved it already"):
        await stack.app.approvals.decide(row["workspace_id"], row["id"], approved=False, by="Ben")
    assert (await asked(stack))["state"] == "approved"


@pytest.mark.parametrize("approval_id", [new_id(), UUID(int=0)])
async def test_what_was_never_asked_cannot_be_answered(make_stack: MakeStack, approval_id: UUID) -> None:
    stack = await make_stack(STACK, QUOTE)
    (workspace_id,) = stack.app.workspaces
    with pytest.raises(LookupError):
        await stack.app.approvals.decide(workspace_id, approval_id, approved=True, by="Dana")


async def test_another_workspace_cannot_answer(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    with pytest.raises(LookupError):
        await stack.app.approvals.decide(new_id(), (await asked(stack))["id"], approved=True, by="Dana")


async def test_a_question_of_a_run_that_has_ended_cannot_be_answered(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com")
    row = await asked(stack)
    async with acquire(stack.app.pool) as connection:
        await connection.execute("UPDATE runs SET state = 'cancelled' WHERE workflow = 'quote.v1'")
    with pytest.raises(PermanentError, match="its run has ended"):
        await stack.app.approvals.decide(row["workspace_id"], row["id"], approved=True, by="Dana")


async def test_two_questions_at_once_are_both_asked(make_stack: MakeStack) -> None:
    source = """
    import asyncio

    @workflow("quote.v1", on="contact.created")
    async def quote(ctx, contact):
        both = await asyncio.gather(ctx.approval("One?", timeout="1h"), ctx.approval("Two?"))
        return [bool(each) for each in both]
    """
    stack = await make_stack(STACK, source)
    await stack.submit("website", email="sarah@example.com")
    with pytest.raises(AssertionError, match="2 questions are open, not one: 'One"):
        await stack.approve()
    await stack.advance("1h")
    await stack.approve()
    assert await result_of(stack) == [False, True]


async def test_a_question_is_asked_by_the_time_of_the_run(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, QUOTE)
    await stack.start_at(datetime(2027, 1, 4, 9, tzinfo=UTC))
    await stack.submit("website", email="sarah@example.com")
    assert (await asked(stack))["expires_at"] == datetime(2027, 1, 6, 9, tzinfo=UTC)
