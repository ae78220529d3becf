"""Gates under real workers: one is killed with calls in hand, a vendor is out; the vendor's own log is the witness."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime
from pathlib import Path

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit_many

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}"{more} }}
mail = {{ connector = "postmark", token = "${{POSTMARK_TOKEN}}", from = "hello@acme.example" }}
[sources.website]
kind = "form"
"""
WORKFLOW = """
from mainstay import Contact, Context, workflow

@workflow("post.v1", on="contact.created")
async def post(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", contact.email)

@workflow("mail.v1", on="contact.created")
async def mail(ctx: Context, contact: Contact) -> None:
    await ctx.email.send(contact, "Hello", "Hi")
"""


def stack_in(folder: Path, more: str = "") -> Path:
    (folder / "workflows").mkdir()
    (folder / "stack.toml").write_text(STACK.format(more=more))
    (folder / "workflows" / "workflow.py").write_text(WORKFLOW)
    return folder


def leads(count: int) -> list[str]:
    return [f"lead{number}@example.com" for number in range(count)]


async def test_two_workers_one_of_which_is_killed_keep_the_rate(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    stack = stack_in(tmp_path, more=', rate = "8 in 1s"')
    workers = [fleet.start(dsn, stack=str(stack)) for _ in range(2)]
    await asyncio.gather(*(each.ready() for each in workers))
    await submit_many(dsn, sandbox, leads(40), stack=stack)
    await until(lambda: len(sandbox.messages("slack")) >= 5, "some are posted")
    workers[0].send(signal.SIGKILL)
    await books.all_done(deliveries=40)
    await workers[1].kill()

    assert {message["text"] for message in sandbox.messages("slack")} == {f"lead{n}@example.com" for n in range(40)}
    times = sorted(
        datetime.fromisoformat(request["at"]).timestamp()
        for request in sandbox.requests("slack")
        if request["path"].endswith("postMessage")
    )
    # At the vendor's door: what is on its way may come a little closer together than it was sent.
    assert max(sum(moment - 0.8 < other <= moment for other in times) for moment in times) <= 8
    assert not await books.rows("SELECT FROM runs WHERE state <> 'done'")
    assert not await invariants.problems(books, sandbox)


async def test_a_vendor_that_is_out_is_left_in_peace_and_the_others_go_on(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    stack = stack_in(tmp_path)
    sandbox.set_fault("slack", "status", status=503)
    workers = [fleet.start(dsn, stack=str(stack)) for _ in range(2)]
    await asyncio.gather(*(each.ready() for each in workers))
    await submit_many(dsn, sandbox, leads(150), stack=stack)
    await until(lambda: len(sandbox.messages("postmark")) == 150, "the others go on")

    async def are_held() -> bool:
        return bool(await books.value("SELECT count(*) = 150 FROM runs WHERE held_at = 'slack'"))

    await until(are_held, "all are held")
    seen = sandbox.request_count("slack")
    assert seen <= 2 * (32 + 5) + 10, seen
    await asyncio.sleep(6)  # a probe is due within
    assert sandbox.request_count("slack") - seen <= 2
    sandbox.clear("slack")
    await books.all_done(deliveries=150)
    for each in workers:
        await each.kill()
    assert len(sandbox.messages("slack")) == 150
    assert not sandbox.repeated("slack")
    assert not await invariants.problems(books, sandbox)
