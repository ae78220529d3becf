"""A run retried from a step, from its start, with another input: what is done anew, and what the vendors see of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import RetryRefusedError
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
THREE_STEPS = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", f"new: {contact.name}")
        await ctx.email.send(contact, "Hello", "Hi {first_name}")
        await ctx.chat.post("#leads", f"mailed: {contact.name}")
"""


async def run_of(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'welcome.v1'")


async def begun_again(stack: StackUnderTest, **how: Any) -> Any:
    run = await run_of(stack)
    await stack.app.retrier.retry(run["workspace_id"], run["id"], by="dana", **how)
    await stack.settle()
    return await run_of(stack)


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


def mails(sandbox: Sandbox) -> list[str]:
    return [message["To"] for message in sandbox.messages("postmark")]


async def sarah(make_stack: MakeStack) -> StackUnderTest:
    stack = await make_stack(STACK, THREE_STEPS)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    return stack


@pytest.mark.parametrize(("step", "new_posts", "new_mails"), [(1, 2, 1), (2, 1, 1), (3, 1, 0)])
async def test_a_done_run_does_anew_what_comes_from_there_on(
    make_stack: MakeStack, sandbox: Sandbox, step: int, new_posts: int, new_mails: int
) -> None:
    stack = await sarah(make_stack)
    run = await begun_again(stack, from_step=step)
    assert run["state"] == "done"
    assert (len(posts(sandbox)), len(mails(sandbox))) == (2 + new_posts, 1 + new_mails)


async def test_a_step_done_anew_is_another_call_to_a_vendor_that_knows_the_first(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await sarah(make_stack)
    # The answer to the repeat is lost: the look-up that follows must not find the first.
    sandbox.set_fault("slack", "status", status=502, count=1)
    run = await begun_again(stack, from_step=3)
    await stack.advance("10m")
    run = await run_of(stack)
    assert run["state"] == "done"
    assert posts(sandbox).count("mailed: Sarah Johnson") == 2


async def test_an_edited_input_is_what_the_rest_goes_by(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, THREE_STEPS)
    fault = sandbox.set_fault("postmark", "status", status=422)
    await stack.submit("website", email="sarah@exmaple.com", name="Sarah Johnson")
    run = await run_of(stack)
    assert (run["state"], run["failed_step"]) == ("failed", 2)
    sandbox.clear("postmark", fault)

    given = {**run["input"], "contact": {**run["input"]["contact"], "email": "sarah@example.com"}}
    run = await begun_again(stack, given=given)

    assert run["state"] == "done"
    assert mails(sandbox) == ["sarah@example.com"]
    assert posts(sandbox) == ["new: Sarah Johnson", "mailed: Sarah Johnson"]
    async with acquire(stack.app.pool) as connection:
        (told,) = await connection.fetch("SELECT * FROM hand_retries")
    assert (told["by"], told["from_step"]) == ("dana", 2)
    assert told["input_before"]["contact"]["email"] == "sarah@exmaple.com"


async def test_an_edited_call_that_may_have_happened_before_says_so(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, THREE_STEPS)
    fault = sandbox.set_fault("postmark", "status", status=502)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("26h")
    run = await run_of(stack)
    assert (run["state"], run["failed_step"]) == ("failed", 2)
    sandbox.clear("postmark", fault)

    given = {**run["input"], "contact": {**run["input"]["contact"], "email": "sarah@example.org"}}
    await begun_again(stack, given=given)
    async with acquire(stack.app.pool) as connection:
        (last,) = await connection.fetch("SELECT * FROM attempts WHERE step = 2 ORDER BY number DESC LIMIT 1")
    assert (last["state"], last["repeated"], last["guard"]) == ("ok", True, "repeated")


async def test_a_cancelled_run_begins_again_at_its_start(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.sleep("1h")
        await ctx.chat.post("#leads", contact.name)
    """,
    )
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    run = await run_of(stack)
    with pytest.raises(RetryRefusedError, match="it has not ended: it is waiting"):
        await begun_again(stack, from_step=1)
    await stack.app.keeper.cancel(run["workspace_id"], [run["id"]], by="dana")
    with pytest.raises(RetryRefusedError, match="it did not fail: it is cancelled"):
        await begun_again(stack)

    assert (await begun_again(stack, from_step=1))["state"] == "waiting"
    await stack.advance("61m")
    assert posts(sandbox) == ["Sarah"]


async def test_a_child_is_begun_anew_with_the_step_that_began_it(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("child.v1")
    async def child(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", contact.name)

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.run(child, contact)
    """,
    )
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    assert (await begun_again(stack, from_step=1))["state"] == "done"
    assert posts(sandbox) == ["Sarah", "Sarah"]
    assert len(await stack.runs("child.v1")) == 2


def contact_with(run: Any, **changed: Any) -> dict[str, Any]:
    return {**run["input"], "contact": {**run["input"]["contact"], **changed}}


async def test_what_cannot_be_done_is_refused_with_its_reason(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await sarah(make_stack)
    run = await run_of(stack)
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "it did not fail: it is done"),
        ({"from_step": 4}, "it has no step 4: it recorded 3"),
        ({"from_step": 0}, "it has no step 0"),
        ({"from_step": 1, "given": {}}, "contact is missing"),
        ({"from_step": 1, "given": contact_with(run, email=5)}, "contact.email is a number now, and was a text"),
        ({"from_step": 1, "given": contact_with(run, id=str(UUID(int=1)))}, "contact.id must stay"),
        ({"from_step": 1, "given": contact_with(run, mail="x")}, "contact.mail is new"),
    ]
    for how, reason in refused:
        with pytest.raises(RetryRefusedError, match=reason):
            await begun_again(stack, **how)
    with pytest.raises(RetryRefusedError, match="no such run"):
        await stack.app.retrier.retry(run["workspace_id"], UUID(int=7))
    async with acquire(stack.app.pool) as connection:
        own = await connection.fetchval("SELECT id FROM runs WHERE workflow = 'inbound.v1'")
    with pytest.raises(RetryRefusedError, match="Mainstay's own"):
        await stack.app.retrier.retry(run["workspace_id"], own, from_step=1)
    assert posts(sandbox) == ["new: Sarah Johnson", "mailed: Sarah Johnson"]


async def test_a_failed_run_cannot_begin_behind_the_step_that_failed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.email.send(contact, "Hello", "Hi")
        except PermanentError:
            await ctx.chat.post("#ops", "mail failed")
            raise
    """,
    )
    sandbox.set_fault("postmark", "status", status=422)
    await stack.submit("website", email="sarah@example.com")
    with pytest.raises(RetryRefusedError, match="cannot begin at step 2, as step 1 before it failed"):
        await begun_again(stack, from_step=2)
