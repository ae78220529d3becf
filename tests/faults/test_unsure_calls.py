"""A vendor does what it is asked, and no answer comes: nothing happens twice, or it is said that it may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mainstay import WorkflowError
from mainstay.db import acquire
from mainstay.runs import answer
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.contracts.vendor_specs import validate_recorded

STACK = """
    [connections]
    ghl     = { connector = "gohighlevel", token = "${TOKEN}", location_id = "loc" }
    hubspot = { connector = "hubspot", token = "${TOKEN}" }
    slack   = { connector = "slack", token = "${TOKEN}" }
    mail    = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [connections.texts]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TOKEN}"
    from = "22395"
    [roles]
    crm = "%s"
    [sources.website]
    kind = "form"
    [alerts]
    digest = "12h"
"""
CODE = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        %s
"""
WEBHOOK = STACK.replace(
    'token = "${TOKEN}" }\n    mail', 'webhook_url = "https://hooks.slack.com/services/T0/B0/${WEBHOOK}" }\n    mail'
)
LOST: dict[str, dict[str, Any]] = {
    "time-out after success": {"kind": "timeout_after", "hold_ms": 100},
    "connection dropped after success": {"kind": "drop_after"},
    "answer cut off": {"kind": "truncated"},
}
NEVER_CAME: dict[str, dict[str, Any]] = {
    "time-out before": {"kind": "timeout_before", "hold_ms": 100},
    "connection dropped before": {"kind": "drop_before"},
}
# Of each operation: its call, the vendor, the path, the role crm, the guard where it was done and where it was not.
POST, MAIL, TEXT, NOTE, TAG = (
    'await ctx.chat.post("#leads", f"New lead: {contact.email}")',
    'await ctx.email.send(contact, "Hello", "Hi {first_name}")',
    'await ctx.sms.send("+13125550147", "Hi & <welcome> 👍")',
    'await ctx.crm.add_note(contact, "Called <twice> & left word")',
    'await ctx.crm.add_tag(contact, "vip")',
)
OPERATIONS: dict[str, tuple[str, str, str, str, str, str]] = {
    "Slack, post": (POST, "slack", "/api/chat.postMessage", "ghl", "found", "not found"),
    "Postmark, send": (MAIL, "postmark", "/email", "ghl", "found", "not found"),
    "Twilio, send": (TEXT, "twilio", "/2010-04-01/Accounts/*/Messages.json", "ghl", "found", "not found"),
    "GoHighLevel, note": (NOTE, "gohighlevel", "/contacts/*/notes", "ghl", "found", "not found"),
    "GoHighLevel, tag": (TAG, "gohighlevel", "/contacts/*/tags", "ghl", "state", "state"),
    "GoHighLevel, push": ("pass", "gohighlevel", "/contacts/upsert", "ghl", "state", "state"),
    "HubSpot, note": (NOTE, "hubspot", "/crm/v3/objects/notes", "hubspot", "found", "not found"),
    "HubSpot, tag": (TAG, "hubspot", "/crm/v3/objects/contacts/*", "hubspot", "state", "state"),
    "HubSpot, push": ("pass", "hubspot", "/crm/v3/objects/contacts", "hubspot", "state", "state"),
}


async def guards(stack: StackUnderTest) -> list[str]:
    """Return what the ledger says of each attempt that came after one of unknown outcome."""
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch("SELECT guard FROM attempts WHERE guard <> '' ORDER BY run_id, step, number")
    return [row["guard"] for row in rows]


def effects(sandbox: Sandbox, vendor: str) -> dict[str, int]:
    """Count what a vendor did that would be seen twice."""
    counted: dict[str, int] = {}
    for effect in sandbox.effects(vendor):
        counted[effect["kind"]] = counted.get(effect["kind"], 0) + 1
    return counted


async def run_of(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'welcome.v1'")


async def lead(make_stack: MakeStack, sandbox: Sandbox, toml: str, call: str) -> StackUnderTest:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    stack = await make_stack(toml, CODE % call)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("5m")
    assert {state for _, _, state in await stack.runs()} == {"done"}
    return stack


ONE_OF_EACH = {"message.posted", "mail.sent", "message.sent", "note.created", "contact.created"}


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_was_done_is_not_done_twice(
    operation: str, fault: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    call, vendor, path, crm, guard, _ = OPERATIONS[operation]
    method = "PATCH" if operation == "HubSpot, tag" else "POST"
    number = sandbox.set_fault(vendor, path=path, method=method, count=1, **LOST[fault])
    stack = await lead(make_stack, sandbox, STACK % crm, call)

    assert [each["hits"] for each in sandbox.faults() if each["id"] == number] == [1]
    assert await guards(stack) == [guard]
    done = effects(sandbox, vendor)
    assert {kind: count for kind, count in done.items() if kind in ONE_OF_EACH and count != 1} == {}
    for record in sandbox.requests(vendor):
        validate_recorded(record)
    assert not await marked(stack)


@pytest.mark.parametrize("fault", NEVER_CAME)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_was_not_done_is_done(operation: str, fault: str, make_stack: MakeStack, sandbox: Sandbox) -> None:
    call, vendor, path, crm, _, guard = OPERATIONS[operation]
    method = "PATCH" if operation == "HubSpot, tag" else "POST"
    sandbox.set_fault(vendor, path=path, method=method, count=1, **NEVER_CAME[fault])
    stack = await lead(make_stack, sandbox, STACK % crm, call)

    assert await guards(stack) == [guard]
    done = effects(sandbox, vendor)
    assert {kind: count for kind, count in done.items() if kind in ONE_OF_EACH and count != 1} == {}
    for record in sandbox.requests(vendor):
        validate_recorded(record)
    assert done
    assert not await marked(stack)


async def marked(stack: StackUnderTest) -> list[str]:
    async with acquire(stack.app.pool) as connection:
        return [row["name"] for row in await connection.fetch("SELECT name FROM attempts WHERE repeated")]


async def test_a_late_index_is_waited_for(make_stack: MakeStack, sandbox: Sandbox) -> None:
    """What has just been done is not in a vendor's search yet: the look that counts comes after its lag."""
    sandbox.set_fault("postmark", "drop_after", count=1)
    stack = await make_stack(STACK % "ghl", CODE % MAIL)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("29s")
    assert sandbox.request_count("postmark") == 1
    await stack.advance("5s")
    assert await guards(stack) == ["found"]


@pytest.mark.parametrize("scopes", [["chat:write"], ["chat:write", "channels:read"]])
async def test_slack_without_the_right_to_read_is_repeated_and_marked(
    scopes: list[str], make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.configure("slack", scopes=scopes)
    sandbox.set_fault("slack", "drop_after", count=1)
    stack = await lead(make_stack, sandbox, STACK % "ghl", POST)

    assert await guards(stack) == ["repeated"]
    assert await marked(stack) == ["chat.post"]
    assert len(sandbox.messages("slack")) == 2


async def test_an_incoming_webhook_is_repeated_and_marked(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("slack", "drop_after", count=1)
    stack = await lead(make_stack, sandbox, WEBHOOK % "ghl", POST)
    assert (await guards(stack), await marked(stack)) == (["repeated"], ["chat.post"])


ASK: dict[str, tuple[str, Callable[[str], str]]] = {
    "the call": (WEBHOOK, lambda call: call.replace("ctx.", 'ctx.with_options(on_unsure="ask").')),
    "the connection": (WEBHOOK.replace('${WEBHOOK}"', '${WEBHOOK}", retry = { on_unsure = "ask" }'), str),
    "the role": (WEBHOOK + '\n    [retries.chat]\n    on_unsure = "ask"\n', str),
    "the stack": (WEBHOOK + '\n    [retries.default]\n    on_unsure = "ask"\n', str),
}


async def ask(make_stack: MakeStack, sandbox: Sandbox, level: str = "the stack") -> tuple[StackUnderTest, Any]:
    """Return a stack with a run that asks whether its post happened."""
    toml, change = ASK[level]
    sandbox.set_fault("slack", "drop_after", count=1)
    stack = await make_stack(toml % "ghl", CODE % (change(POST) + "\n        " + MAIL))
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("5m")
    run = await run_of(stack)
    assert (run["state"], run["fate"]) == ("failed", "asked")
    assert len(sandbox.messages("slack")) == 1
    return stack, run


@pytest.mark.parametrize("level", ASK)
async def test_at_each_level_a_person_can_be_asked(level: str, make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack, run = await ask(make_stack, sandbox, level)
    assert await guards(stack) == ["asked"]
    assert "it may have happened at slack all the same" in run["error"]
    async with acquire(stack.app.pool) as connection:
        told = await connection.fetchval("SELECT title || ': ' || mend FROM incidents WHERE state = 'open'")
    assert told.startswith("welcome.v1 fails at slack: It may have happened")


@pytest.mark.parametrize(("happened", "posts", "guard"), [(True, 1, "told it happened"), (False, 2, "told to repeat")])
async def test_the_run_goes_on_with_the_persons_word(
    happened: bool, posts: int, guard: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack, run = await ask(make_stack, sandbox)

    assert await stack.app.answer_run(run["workspace_id"], run["id"], happened=happened)
    assert not await stack.app.answer_run(run["workspace_id"], run["id"], happened=happened)
    await stack.settle()

    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert len(sandbox.messages("slack")) == posts
    assert len(sandbox.messages("postmark")) == 1
    assert set(await guards(stack)) == {guard}
    assert await marked(stack) == ([] if happened else ["chat.post"])


async def test_a_retry_without_an_answer_asks_again_and_sends_nothing(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack, run = await ask(make_stack, sandbox)
    assert await stack.app.retry_run(run["workspace_id"], run["id"])
    await stack.settle()

    assert len(sandbox.messages("slack")) == 1
    assert await guards(stack) == ["asked", "asked"]
    assert await stack.app.answer_run(run["workspace_id"], run["id"], happened=True)
    await stack.settle()
    assert {state for _, _, state in await stack.runs()} == {"done"}


async def test_only_a_run_that_asks_takes_an_answer(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("postmark", "status", status=422, count=1)
    stack = await make_stack(STACK % "ghl", CODE % MAIL)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    run = await run_of(stack)
    assert run["fate"] == "permanent"
    assert not await stack.app.answer_run(run["workspace_id"], run["id"], happened=True)


async def test_an_answer_stays_within_its_workspace(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack, run = await ask(make_stack, sandbox)
    with pytest.raises(WorkflowError, match="not among the stacks"):
        await stack.app.answer_run(run["id"], run["id"], happened=True)
    async with acquire(stack.app.pool) as connection:
        assert not await answer(connection, run["id"], run["id"], happened=True)
    assert await stack.app.answer_run(run["workspace_id"], run["id"], happened=True)


async def test_of_two_steps_side_by_side_each_is_asked_about_and_what_was_done_stands(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.set_fault("slack", "drop_after", count=2)
    stack = await make_stack(
        ASK["the stack"][0] % "ghl",
        """
    import asyncio

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await asyncio.gather(
            ctx.chat.post("#leads", "one"), ctx.chat.post("#leads", "two"), ctx.email.send(contact, "Hello", "Hi")
        )
    """,
    )
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("1m")
    run = await run_of(stack)
    for _ in range(2):
        assert await stack.app.answer_run(run["workspace_id"], run["id"], happened=True)
        # The other one may still have to wait for its next try.
        await stack.advance("1m")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert (len(sandbox.messages("slack")), len(sandbox.messages("postmark"))) == (2, 1)
