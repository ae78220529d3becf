"""Lines to the vendors that break at random, before, in and after a request and its answer: nothing lost or doubled."""

from __future__ import annotations

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import STACK, Books, Fleet, until
from tests.faults.partition import LossyLine
from tests.faults.sender import submit_many

BREAKS = 40
AT_ONCE = 20


async def test_what_breaks_on_the_way_is_neither_lost_nor_doubled_unmarked(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    emails: list[str] = []
    async with LossyLine(sandbox.base_url, seed=7, share=0.2).laid() as line:
        worker = fleet.start(dsn, stack=str(STACK), sandbox=line.url)
        await worker.ready()
        while line.broken < BREAKS:
            further = [f"lead{len(emails) + number}@example.com" for number in range(AT_ONCE)]
            await submit_many(dsn, sandbox, further, stack=STACK)
            emails.extend(further)
            await until(
                lambda: line.broken >= BREAKS or len(sandbox.messages("slack")) >= len(emails) - AT_ONCE / 2,
                "many have broken, or there is little left that could",
            )
        line.share = 0.0
        await books.all_done(deliveries=len(emails))
        await worker.kill()

    assert not await books.problems(sandbox)
    people = {contact["email"] for contact in sandbox.state("gohighlevel")["contacts"]}
    assert people == set(emails)
    assert {message["To"] for message in sandbox.messages("postmark")} == set(emails)
    more = sum(len(group) - 1 for vendor in ("slack", "postmark") for group in sandbox.repeated(vendor))
    assert more <= len(await books.marked())
    assert not await invariants.problems(books, sandbox)
