"""``mainstay replay RUN --local``: what today's code would do otherwise, without a vendor touched or a row written."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mainstay.db import Pool, acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.cli.conftest import Result, Run, call
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [records.contact]
    system_of_record = "ghl"
    [sources.website]
    kind = "form"
"""
CODE = """
    async def look_up() -> int:
        return 7

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> int:
        await ctx.chat.post("#leads", f"new: {contact.name}")
        await ctx.crm.add_tag(contact, "new")
        number = await ctx.step("look up", look_up)
        await ctx.sleep("1h")
        try:
            await ctx.email.send(contact, "Hello", "Hi {first_name}")
        except PermanentError:
            await ctx.chat.post("#ops", f"mail failed, {number}")
        return number
"""


async def snapshot(pool: Pool) -> dict[str, Any]:
    """Return every row of every table, as text."""
    async with acquire(pool) as connection:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')")
        found = {}
        for (name,) in tables:
            schema = await connection.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = $1", name)
            query = f'SELECT t::text FROM {schema}."{name}" AS t ORDER BY 1'  # noqa: S608 - the names of our tables
            found[name] = [row[0] for row in await connection.fetch(query)]
    return found


@pytest.fixture
def environment(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.setenv("TOKEN", "pit-1")
    monkeypatch.setenv("COLUMNS", "160")


async def recorded(make_stack: MakeStack, code: str = CODE, fault: Callable[[], Any] | None = None) -> StackUnderTest:
    stack = await make_stack(STACK, code)
    if fault is not None:
        fault()
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    await stack.advance("2h")
    return stack


async def replayed(stack: StackUnderTest, sandbox: Sandbox, tmp_path: Path, code: str, *more: str) -> Result:
    """Replay the run by ``code``, and assert that nothing whatever was touched by it."""
    folder = tmp_path / "stack-0"
    file = folder / "workflows" / "workflow.py"
    head = "from mainstay import Contact, Context, PermanentError, workflow\n"
    file.write_text(head + dedent(code))
    ((run_id, _, _),) = await stack.runs("welcome.v1")
    before, requests = await snapshot(stack.app.pool), len(sandbox.requests())
    # In a thread: the command has an event loop of its own.
    result = await asyncio.to_thread(call, "--stack", str(folder), "replay", str(run_id), "--local", *more)
    assert await snapshot(stack.app.pool) == before
    assert len(sandbox.requests()) == requests
    assert "connect" not in socket.socket.__dict__, "connections are open to others again"
    return result


@pytest.mark.usefixtures("environment")
async def test_the_same_code_does_the_same(make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path) -> None:
    stack = await recorded(make_stack)
    assert [state for _, _, state in await stack.runs("welcome.v1")] == ["done"]

    result = await replayed(stack, sandbox, tmp_path, CODE)
    assert result.code == 0, result.out + result.err
    assert "does what the record says, over 5 steps" in result.out
    assert "workflow.py:8" in result.out

    # What a step of the workflow's own does is not done again.
    told = (await replayed(stack, sandbox, tmp_path, CODE.replace("return 7", "raise SystemExit(7)"), "--json")).json
    assert [each["name"] for each in told["steps"]] == [
        "chat.post", "crm.add_tag", "look up", "sleep", "email.send",
    ]  # fmt: skip
    assert told["divergences"] == []


EMAIL = '            await ctx.email.send(contact, "Hello", "Hi {first_name}")'
END = "        return number"
EDITS = {
    "a renamed step": (
        '"look up", look_up',
        '"look it up", look_up',
        "step 3 is look it up at workflow.py:10; the record",
    ),
    "a step less": ('        await ctx.crm.add_tag(contact, "new")\n', "", "step 2 is look up"),
    "a step more at the end": (END, '        await ctx.chat.post("#a", "more")', "today's code goes on"),
    "a step less at the end": (EMAIL, "            pass", "today's code ends without step 5, email.send"),
    "another text": (
        "new: {contact.name}",
        "NEW: {contact.name}",
        "text would be 'NEW: Sarah Johnson'; the record has",
    ),
    "another channel": ('"#leads"', '"#sales"', "channel would be '#sales'"),
    "another tag": ('add_tag(contact, "new")', 'add_tag(contact, "newer")', "newer"),
    "a fault in its code": (END, "        return 1 // 0", "today's code fails, where the run ended well"),
    "a call of its own": (
        END,
        "        import urllib.request\n        urllib.request.urlopen('http://127.0.0.1:9')",
        "a replay opens no connection",
    ),
}


@pytest.mark.usefixtures("environment")
async def test_what_edited_code_would_do_otherwise_is_said(
    make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path
) -> None:
    stack = await recorded(make_stack)
    for name, (old, new, said) in EDITS.items():
        assert CODE.count(old) == 1, name
        result = await replayed(stack, sandbox, tmp_path, CODE.replace(old, new))
        assert result.code == 1, f"{name}: {result.out}{result.err}"
        assert said in result.out, f"{name}: {result.out}"


@pytest.mark.usefixtures("environment")
async def test_a_failure_is_given_again_and_the_workflow_meets_it_as_it_did(
    make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path
) -> None:
    stack = await recorded(make_stack, fault=lambda: sandbox.set_fault("postmark", "status", status=422, path="/email"))
    result = await replayed(stack, sandbox, tmp_path, CODE)
    assert result.code == 0, result.out + result.err
    assert "over 6 steps" in result.out


@pytest.mark.usefixtures("environment")
async def test_a_run_that_is_under_way_is_replayed_as_far_as_it_came(
    make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path
) -> None:
    stack = await make_stack(STACK, CODE)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
    result = await replayed(stack, sandbox, tmp_path, CODE)
    assert result.code == 0, result.out + result.err
    assert "step 4, sleep, had not finished" in result.out


@pytest.mark.usefixtures("environment")
async def test_it_stops_where_it_is_told_to(make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path) -> None:
    stack = await recorded(make_stack)
    result = await replayed(stack, sandbox, tmp_path, CODE, "--until", "2")
    assert "stopped behind step 2" in result.out
    assert "look up" not in result.out


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "typed", "expected"),
    [
        (("--until", "3", "--break"), "n\np 'number', number\nc\n", "('number', 7)"),
        (("--break",), "p 'whom', contact.email\nc\n", "('whom', 'sarah@example.com')"),
    ],
)
async def test_the_debugger_opens_in_the_workflow(
    make_stack: MakeStack, tmp_path: Path, arguments: tuple[str, ...], typed: str, expected: str
) -> None:
    stack = await recorded(make_stack)
    ((run_id, _, _),) = await stack.runs("welcome.v1")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mainstay", "replay", str(run_id), "--local", *arguments],
        cwd=tmp_path / "stack-0", input=typed, env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert expected in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_local_alone(acme: Path, run: Run) -> None:
    assert acme.exists()
    result = run("replay", "7f3a91c2")
    assert result.code == 2
    assert "say --local" in result.err
