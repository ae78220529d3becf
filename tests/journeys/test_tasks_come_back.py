"""A workflow orders a task and waits until a person has done it; the vendor's webhook tells."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.kit.signature import hmac_hex
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

STACK = """
    [connections.work]
    connector = "linear"
    api_key = "${TOKEN}"
    team = "OPS"
    [roles]
    tasks = "work"
    [sources.website]
    kind = "form"
    [sources.issues]
    kind = "linear"
    secret = "${LINEAR_WEBHOOK_SECRET}"
"""
SECRET = "sample-linear_webhook_secret"  # as the test environment gives it
CODE = """
    @workflow("call_back.v1", on="contact.created")
    async def call_back(ctx: Context, contact: Contact) -> None:
        made = await ctx.tasks.create(f"Call {contact.name}", labels=["lead"])
        done = await ctx.wait_for("task.completed", match={"task": made.id}, timeout="3d")
        await ctx.tasks.comment(made.id, "Thanks!" if done else "Nobody called.")

    @workflow("note.v1", on="task.completed")
    async def note(ctx: Context, contact: Contact) -> None:
        assert contact.first_name == "Zoë"  # whom the task is about is known by its record
        await ctx.tasks.comment(ctx.event["task"], f"{ctx.event['title']} is done.")
"""
Tell = Callable[..., Awaitable[int]]


@pytest.fixture
async def stack(make_stack: MakeStack) -> StackUnderTest:
    return await make_stack(STACK, CODE)


@pytest.fixture
async def tell(stack: StackUnderTest) -> AsyncIterator[Tell]:
    """Sends what Linear sends of an issue that was completed; returns the answer's status."""
    async with taking_in(stack) as (session, base):

        async def telling(issue_id: str, secret: str = SECRET) -> int:
            state = {"id": "s", "name": "Done", "type": "completed"}
            body: dict[str, Any] = {
                "action": "update",
                "type": "Issue",
                "createdAt": "2026-03-02T10:04:05.123Z",
                "data": {"id": issue_id, "title": "Call", "state": state},
                "updatedFrom": {"stateId": "t"},
                "webhookTimestamp": round(time.time() * 1000),
            }
            raw = json.dumps(body).encode()
            headers = {"Linear-Signature": hmac_hex(secret, raw), "Content-Type": "application/json"}
            async with session.post(f"{base}/in/acme/issues", data=raw, headers=headers) as answer:
                status = answer.status
            await stack.settle()
            return status

        yield telling


async def test_a_task_that_is_done_lets_the_workflow_go_on(stack: StackUnderTest, tell: Tell, sandbox: Sandbox) -> None:
    await stack.submit("website", email="zoe@example.com", first_name="Zoë")
    (issue,) = sandbox.state("linear")["issues"]
    assert issue["title"] == "Call Zoë"

    assert await tell(issue["id"], secret="wrong") == 401
    assert sandbox.state("linear")["comments"] == []
    assert [await tell(issue["id"]), await tell(issue["id"])] == [202, 200]

    assert sorted(comment["body"] for comment in sandbox.state("linear")["comments"]) == ["Call is done.", "Thanks!"]
    assert {state for _, _, state in await stack.runs()} == {"done"}
    async with acquire(stack.app.pool) as connection:
        kept = await connection.fetch(
            "SELECT first_name FROM events JOIN contacts ON contacts.id = contact_id WHERE type = 'task.completed'"
        )
    assert [row["first_name"] for row in kept] == ["Zoë"]


async def test_a_lost_answer_leaves_one_task(stack: StackUnderTest, sandbox: Sandbox) -> None:
    sandbox.set_fault("linear", "drop_after", contains="issueCreate(", count=1)
    await stack.submit("website", email="zoe@example.com", first_name="Zoë")
    await stack.advance("1m")

    assert len(sandbox.state("linear")["issues"]) == 1
    assert [effect["kind"] for effect in sandbox.effects("linear")] == ["label.created", "task.created"]
