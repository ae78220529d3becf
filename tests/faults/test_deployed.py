"""New code comes worker by worker while leads come in, and goes again: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mainstay.cli.deploying import require_workflows
from mainstay.errors import ConfigError
from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import POST, Books, Fleet, Process, until
from tests.faults.sender import open_here, submit

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"
[connections]
slack = { connector = "slack", token = "${SLACK_TOKEN}" }
mail = { connector = "postmark", token = "${POSTMARK_TOKEN}", from = "hello@acme.example" }
[sources.website]
kind = "form"
[alerts]
digest = "0s"
critical = ["slack:#alerts"]
other = ["slack:#alerts"]
"""
HEAD = """
from mainstay import Contact, Context, workflow
"""
POST_V1 = """
@workflow("post.v1", on="contact.created")
async def post(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"v1 one {contact.email}")
    await ctx.sleep("0.5s")
    await ctx.chat.post("#leads", f"v1 two {contact.email}")
"""
POST_V2 = """
@workflow("post.v2", on="contact.created")
async def post_again(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"v2 one {contact.email}")
    await ctx.sleep("0.5s")
    await ctx.chat.post("#leads", f"v2 two {contact.email}")
"""
MAIL = """
@workflow("mail.v1", on="contact.created")
async def mail(ctx: Context, contact: Contact) -> None:
    await ctx.sleep("0.5s")
    await ctx.email.send(contact, "Hello", "Hi")
"""
OLD = HEAD + POST_V1 + MAIL
FITS = MAIL.replace('"Hi"', '"Hi, better"')
NEW = HEAD + POST_V1 + POST_V2 + FITS
SHORT: dict[str, Any] = {"heartbeat": 0.2}


def stack_in(folder: Path, code: str) -> Path:
    (folder / "workflows").mkdir(parents=True)
    (folder / "stack.toml").write_text(STACK)
    (folder / "workflows" / "workflow.py").write_text(code)
    return folder


def texts(sandbox: Sandbox) -> list[str]:
    """What was posted, but for alerts."""
    posted = [str(message["text"]) for message in sandbox.messages("slack")]
    return sorted(text for text in posted if text.startswith(("v1 ", "v2 ")))


async def submit_all(dsn: str, sandbox: Sandbox, stack: Path, emails: list[str]) -> None:
    leads: list[Awaitable[Any]] = [submit(dsn, sandbox, stack=stack, email=each, name="Some One") for each in emails]
    await asyncio.gather(*leads)


async def ready(*workers: Process) -> None:
    await asyncio.gather(*(each.ready() for each in workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_rolling_deploy_under_leads(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path, number: signal.Signals
) -> None:
    old, new = stack_in(tmp_path / "old", OLD), stack_in(tmp_path / "new", NEW)
    emails = [f"lead{each}@example.com" for each in range(28)]
    before = [fleet.start(dsn, stack=old, **SHORT) for _ in range(2)]
    await ready(*before)
    # A call is with its vendor whenever a worker goes, and sleeps end under whoever is there.
    await submit_all(dsn, sandbox, old, emails[:8])
    await until(lambda: len(texts(sandbox)) >= 4, "the first are under way")
    after = []
    for place, leaving in enumerate(before):
        after.append(fleet.start(dsn, stack=new, **SHORT))
        await after[-1].ready()
        await submit_all(dsn, sandbox, new if place else old, emails[8 + 8 * place : 12 + 8 * place])
        held = sandbox.set_fault("slack", "hold")
        await submit_all(dsn, sandbox, new, emails[12 + 8 * place : 16 + 8 * place])
        await until(partial(sandbox.hits, held), "a call is with the vendor")
        leaving.send(number)
        if number == signal.SIGKILL:
            await leaving.killed()
        sandbox.clear("slack")
        assert await leaving.ended() == (0 if number == signal.SIGTERM else -signal.SIGKILL), leaving.log
    await submit_all(dsn, sandbox, new, emails[24:])
    await books.all_done(deliveries=len(emails))
    for each in after:
        await each.kill()

    assert not await books.rows("SELECT workflow, state, error FROM runs WHERE state <> 'done'")
    began = {
        row["email"]: row["workflow"]
        for row in await books.rows(
            """
        SELECT email, workflow FROM runs JOIN contacts ON contacts.id = contact_id WHERE workflow LIKE 'post.%'
        """
        )
    }
    assert set(began) == set(emails)
    assert set(began.values()) == {"post.v1", "post.v2"}
    versions = {email: workflow.removeprefix("post.") for email, workflow in began.items()}
    assert texts(sandbox) == sorted(f"{versions[each]} {part} {each}" for each in emails for part in ("one", "two"))
    mails = sandbox.messages("postmark")
    assert sorted(each["To"] for each in mails) == sorted(emails)
    assert {each["TextBody"] for each in mails} <= {"Hi", "Hi, better"}
    assert not await books.marked()
    assert not await invariants.problems(books, sandbox)


async def test_old_code_that_meets_a_dead_worker_s_new_run_leaves_its_doubt_to_new_code(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    """The post is made, and nobody has noted it: who cannot drive the run must not forget that."""
    old, new = stack_in(tmp_path / "old", OLD), stack_in(tmp_path / "new", NEW)
    victim = fleet.start(dsn, stack=new, strike=POST, **SHORT)
    await victim.ready()
    await submit(dsn, sandbox, stack=new, email="sarah@example.com", name="Sarah")
    await victim.killed()
    before = fleet.start(dsn, stack=old, **SHORT)

    async def is_left() -> bool:
        return bool(await books.value("SELECT count(*) = 1 FROM runs WHERE waiting_for = 'a worker with post.v2'"))

    await until(is_left, "old code leaves it to others")
    await before.kill()
    after = fleet.start(dsn, stack=new, **SHORT)
    await books.all_done()
    await after.kill()

    assert texts(sandbox) == ["v2 one sarah@example.com", "v2 two sarah@example.com"]
    assert (await books.marked(), await books.found()) == ([], ["chat.post"])
    assert not await invariants.problems(books, sandbox)


RENAMED = POST_V1.replace('ctx.chat.post("#leads", f"v1 one {contact.email}")', 'ctx.email.send(contact, "One", "Hi")')
BROKEN = POST_V1.replace("    await", "    contact.no_such_thing\n    await", 1)


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        (POST_V1.replace('ctx.sleep("0.5s")', 'ctx.email.send(contact, "Two", "Hi")'), "step 2 is 'email.send' now"),
        (RENAMED, "step 1 is 'email.send' now"),
        (BROKEN, "no_such_thing"),
    ],
)
@pytest.mark.parametrize("strikes", [False, True])
async def test_a_breaking_edit_stops_the_run_until_the_old_code_is_back(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path, edited: str, said: str, strikes: bool
) -> None:
    """``strikes``: the worker dies between the answer to the second post and our noting it."""
    old, new = stack_in(tmp_path / "old", HEAD + POST_V1), stack_in(tmp_path / "new", HEAD + edited)
    at: dict[str, Any] = {"strike": POST, "nth": 2} if strikes else {"strike": "ask: POST /chat.postMessage", "nth": 2}
    victim = fleet.start(dsn, stack=old, **at, **SHORT)
    await victim.ready()
    await submit(dsn, sandbox, stack=old, email="sarah@example.com", name="Sarah")
    await victim.killed()
    made = texts(sandbox)
    assert len(made) == 1 + strikes

    after = fleet.start(dsn, stack=new, **SHORT)
    await books.all_done()
    await after.kill()
    (run,) = await books.rows("SELECT id, workspace_id, state, fate, error FROM runs WHERE workflow = 'post.v1'")
    assert (run["state"], run["fate"]) == ("failed", "workflow")
    assert said in run["error"]
    assert (texts(sandbox), sandbox.messages("postmark")) == (made, [])
    assert not await invariants.problems(books, sandbox)

    app = await open_here(dsn, sandbox, stack=old)
    assert await app.retry_run(run["workspace_id"], run["id"])
    await app.close()
    again = fleet.start(dsn, stack=old, **SHORT)
    await books.all_done()
    await again.kill()
    assert not await books.rows("SELECT workflow, state, error FROM runs WHERE state <> 'done'")
    assert texts(sandbox) == ["v1 one sarah@example.com", "v1 two sarah@example.com"]
    assert await books.marked() == []
    assert not await invariants.problems(books, sandbox)


async def test_a_rollback_names_what_is_open_and_rolling_forward_ends_it(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    old, new = stack_in(tmp_path / "old", OLD), stack_in(tmp_path / "new", NEW)
    emails = [f"lead{each}@example.com" for each in range(4)]
    after = fleet.start(dsn, stack=new, **SHORT)
    await after.ready()
    held = sandbox.set_fault("slack", "hold")
    await submit_all(dsn, sandbox, new, emails)
    await until(lambda: sandbox.hits(held) == len(emails), "all calls are with the vendor")
    await after.kill()
    sandbox.clear("slack")

    app = await open_here(dsn, sandbox, stack=old)
    with pytest.raises(ConfigError) as refused:
        await require_workflows(app, allow_missing=False)
    assert '@workflow("post.v2")' in str(refused.value)
    assert "4 runs wait on it" in str(refused.value)
    assert "put it back beside post.v1" in str(refused.value)
    # Whoever starts all the same: those of its own versions go on, those of the newer one are left alone.
    await require_workflows(app, allow_missing=True)
    await app.close()
    back = fleet.start(dsn, stack=old, **SHORT)
    await submit(dsn, sandbox, stack=old, email="omar@example.com", name="Omar")

    async def are_left() -> bool:
        return bool(
            await books.value(
                """
                SELECT count(*) FILTER (WHERE waiting_for = 'a worker with post.v2') = 4
                   AND count(*) FILTER (WHERE workflow = 'post.v1' AND state = 'done') = 1 FROM runs
                """
            )
        )

    await until(are_left, "old code does its own, and leaves the others")
    back.send(signal.SIGTERM)
    assert await back.ended() == 0, back.log

    forward = fleet.start(dsn, stack=new, **SHORT)
    await books.all_done(deliveries=5)
    await forward.kill()
    assert not await books.rows("SELECT workflow, state, error FROM runs WHERE state <> 'done'")
    expected = [f"v2 {part} {each}" for each in emails for part in ("one", "two")]
    assert texts(sandbox) == sorted([*expected, "v1 one omar@example.com", "v1 two omar@example.com"])
    assert not await books.marked()
    assert not await invariants.problems(books, sandbox)
