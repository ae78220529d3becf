"""What failed is shown, alerted once, mended and retried from where it failed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from mainstay.db import acquire
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
    critical = ["email:ops@acme.example"]
    digest = "0s"
"""
TWO_STEPS = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.email.send(contact, "Hello", "Hi {first_name}")
        await ctx.chat.post("#leads", contact.name)
"""
GHL = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [sources.website]
    kind = "form"
"""


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


def mails(sandbox: Sandbox, to: str) -> list[str]:
    return [message["Subject"] for message in sandbox.messages("postmark") if message["To"] == to]


async def row(stack: StackUnderTest, query: str, *values: Any) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow(query, *values)


async def rows(stack: StackUnderTest, query: str, *values: Any) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetch(query, *values)


def workspace(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def retry(stack: StackUnderTest, workflow: str) -> None:
    for run_id, name, state in await stack.runs(workflow):
        if state == "failed":
            assert await stack.app.retry_run(workspace(stack), run_id), name
    await stack.settle()


async def test_a_retry_goes_on_from_the_step_that_failed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, TWO_STEPS)
    fault = sandbox.set_fault("slack", "status", status=400)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    run = await row(stack, "SELECT * FROM runs WHERE workflow = 'welcome.v1'")
    assert (run["state"], run["failed_step"], run["fate"]) == ("failed", 2, "human")
    assert run["incident_id"] is not None

    sandbox.clear("slack", fault)
    await retry(stack, "welcome.v1")

    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["done"]
    assert posts(sandbox) == ["Sarah Johnson"]
    assert mails(sandbox, "sarah@example.com") == ["Hello"]
    attempts = await rows(stack, "SELECT step, number, state FROM attempts WHERE run_id = $1 ORDER BY 1, 2", run["id"])
    assert [tuple(attempt) for attempt in attempts] == [(1, 1, "ok"), (2, 1, "retry"), (2, 2, "ok")]


async def test_only_a_failed_run_is_retried(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, TWO_STEPS)
    await stack.submit("website", email="sarah@example.com")
    ((run_id, _, _),) = await stack.runs("welcome.v1")

    assert not await stack.app.retry_run(workspace(stack), run_id)


async def test_an_incident_alerts_once_and_closes_when_it_has_healed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, TWO_STEPS)
    fault = sandbox.set_fault("slack", "status", status=400)
    for number in range(3):
        await stack.submit("website", email=f"lead{number}@example.com", name=f"Lead {number}")

    (incident,) = await rows(stack, "SELECT * FROM incidents")
    assert (incident["state"], incident["occurrences"], incident["connection"]) == ("open", 3, "slack")
    assert mails(sandbox, "ops@acme.example") == ["Mainstay: welcome.v1 fails at slack"]

    await retry(stack, "welcome.v1")  # not mended yet
    assert len(mails(sandbox, "ops@acme.example")) == 1

    sandbox.clear("slack", fault)
    await retry(stack, "welcome.v1")
    await stack.app.watch_once()
    (incident,) = await rows(stack, "SELECT * FROM incidents")
    assert incident["state"] == "resolved"

    await stack.advance("6m")
    assert mails(sandbox, "ops@acme.example")[1:] == ["Mainstay: Over: welcome.v1 fails at slack"]

    sandbox.set_fault("slack", "status", status=400)
    await stack.submit("website", email="late@example.com")
    assert mails(sandbox, "ops@acme.example")[2:] == ["Mainstay: Again: welcome.v1 fails at slack"]


async def test_an_alert_that_fails_raises_no_alert_of_its_own(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, TWO_STEPS.replace("await ctx.email", "# await ctx.email"))
    sandbox.set_fault("slack", "status", status=400)
    sandbox.set_fault("postmark", "status", status=401)
    await stack.submit("website", email="sarah@example.com")

    assert [(name, state) for _, name, state in await stack.runs("alert.v1")] == [("alert.v1", "failed")]
    assert len(await rows(stack, "SELECT FROM incidents WHERE state = 'open'")) == 2


async def test_what_the_workflow_did_about_a_failure_does_not_stand_in_the_way_of_its_retry(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.email.send(contact, "Hello", "Hi")
        except PermanentError:
            await ctx.chat.post("#ops", "mail failed")
            await ctx.sleep("1m")
            raise
        await ctx.crm.add_tag(contact, "greeted")
        await ctx.chat.post("#leads", "mailed")
    """,
    )
    fault = sandbox.set_fault("postmark", "status", status=422, count=1)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("2m")
    run = await row(stack, "SELECT * FROM runs WHERE workflow = 'welcome.v1'")
    assert (run["state"], run["failed_step"]) == ("failed", 1)

    sandbox.clear("postmark", fault)
    await retry(stack, "welcome.v1")

    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["done"]
    assert posts(sandbox) == ["mail failed", "mailed"]
    assert mails(sandbox, "sarah@example.com") == ["Hello"]


async def test_a_failure_that_the_workflow_caught_stands_when_a_later_one_is_retried(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.email.send(contact, "Hello", "Hi")
        except PermanentError:
            await ctx.crm.add_tag(contact, "no mail")
        await ctx.chat.post("#leads", "done")
    """,
    )
    sandbox.set_fault("postmark", "status", status=422, count=1)
    sandbox.set_fault("slack", "status", status=400, count=1)
    await stack.submit("website", email="sarah@example.com")
    run = await row(stack, "SELECT * FROM runs WHERE workflow = 'welcome.v1'")
    assert (run["state"], run["failed_step"]) == ("failed", 3)

    await retry(stack, "welcome.v1")

    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["done"]
    assert mails(sandbox, "sarah@example.com") == []
    assert posts(sandbox) == ["done"]


async def test_a_call_is_given_up_after_a_day_and_a_retry_begins_the_day_anew(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, TWO_STEPS)
    fault = sandbox.set_fault("slack", "status", status=503)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    await stack.advance("26h")
    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["failed"]

    await retry(stack, "welcome.v1")
    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["waiting"]
    sandbox.clear("slack", fault)
    await stack.advance("10s")

    assert posts(sandbox) == ["Sarah"]


async def test_a_step_that_needs_a_push_waits_for_it_to_be_mended(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        GHL,
        """
    @workflow("tag.v1", on="contact.created")
    async def tag(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_tag(contact, "new")
    """,
    )
    fault = sandbox.set_fault("gohighlevel", "status", status=400)
    await stack.submit("website", email="sarah@example.com")
    assert [(name, state) for _, name, state in await stack.runs() if name != "inbound.v1"] == [
        ("push.v1", "failed"),
        ("tag.v1", "waiting"),
    ]

    sandbox.clear("gohighlevel", fault)
    await retry(stack, "push.v1")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    (contact,) = sandbox.state("gohighlevel")["contacts"]
    assert contact["tags"] == ["new"]


async def test_a_contact_older_than_the_choice_of_its_system_is_pushed_when_a_step_needs_it(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    code = """
    @workflow("tag.v1", on="contact.submitted")
    async def tag(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_tag(contact, "again")
    """
    before = await make_stack("[sources.website]\nkind = 'form'")
    await before.submit("website", email="sarah@example.com")

    stack = await make_stack(GHL, code)
    await stack.submit("website", email="sarah@example.com")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    (contact,) = sandbox.state("gohighlevel")["contacts"]
    assert (contact["email"], contact["tags"]) == ("sarah@example.com", ["again"])


async def test_a_workflow_edited_under_its_runs_stops_them_and_says_so(make_stack: MakeStack, sandbox: Sandbox) -> None:
    code = """
    @workflow("later.v1", on="contact.created")
    async def later(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "one")
        await ctx.sleep("1h")
    """
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com")

    edited = await make_stack(STACK, code.replace('await ctx.chat.post("#leads", "one")', 'await ctx.sleep("1s")'))
    await edited.advance("2h")

    run = await row(edited, "SELECT * FROM runs WHERE workflow = 'later.v1'")
    assert (run["state"], run["fate"]) == ("failed", "workflow")
    assert "Give the edited workflow a new version" in run["error"]

    restored = await make_stack(STACK, code)
    await retry(restored, "later.v1")
    assert [state for _, _, state in await restored.runs("later.v1")] == ["done"]
    assert posts(sandbox) == ["one"]


async def test_a_fault_in_the_workflows_own_code_names_its_line(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("broken.v1", on="contact.created")
    async def broken(ctx: Context, contact: Contact) -> None:
        await ctx.step("look up", look_up)

    async def look_up() -> int:
        return 1 // 0
    """,
    )
    await stack.submit("website", email="sarah@example.com")

    run = await row(stack, "SELECT * FROM runs WHERE workflow = 'broken.v1'")
    assert (run["state"], run["failed_step"]) == ("failed", 1)
    assert run["error"] == "ZeroDivisionError: integer division or modulo by zero at workflow.py:8"
    (attempt,) = await rows(stack, "SELECT * FROM attempts WHERE run_id = $1", run["id"])
    assert (attempt["name"], attempt["state"], attempt["fate"]) == ("look up", "failed", "workflow")
