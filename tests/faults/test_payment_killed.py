"""A worker killed at every boundary while it books a payment: each record is made once, and the payer thanked once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mainstay.kit import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.vendors.stripe_events import signed
from mainstay.testing.database import Databases
from tests.faults.boundaries import Telling, kill_at_each
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import open_here
from tests.faults.victim import READY
from tests.stripe_to_books import BOOKS, ONCE, SECRET, Shop, copies, write_stack

LAST = "answer: POST /postmark/email"
MADE = {
    "quickbooks": {f"answer: POST /quickbooks/v3/company/9341455600000000/{what}" for what in ("invoice", "payment")},
    "xero": {"answer: PUT /xero/api.xro/2.0/Invoices", "answer: PUT /xero/api.xro/2.0/Payments"},
}
OPEN = "SELECT EXISTS (SELECT FROM runs WHERE state IN ('queued', 'running', 'waiting'))"


@pytest.mark.parametrize("vendor", BOOKS)
async def test_killed_while_a_payment_is_booked(
    vendor: str, fleet: Fleet, sandbox: Sandbox, mainstay_databases: Databases, tmp_path: Path
) -> None:
    stack = write_stack(tmp_path / "acme", vendor, fixed_token=True)

    async def story(telling: Telling) -> tuple[list[str], list[str]]:
        return await _killed_once(fleet, sandbox, telling, stack, vendor)

    await kill_at_each(story, mainstay_databases, passes={LAST, *MADE[vendor]}, fewest=30, most=2, of_each=True)


async def _killed_once(
    fleet: Fleet, sandbox: Sandbox, telling: Telling, stack: Path, vendor: str
) -> tuple[list[str], list[str]]:
    email, name = f"payer{telling.number}@example.com", f"Payer {telling.number}"
    books = await Books.open(telling.dsn)
    victim = fleet.start(telling.dsn, stack=stack, strike=telling.strike, nth=telling.nth)
    survivor = None
    try:
        await victim.ready()
        deliveries = await _pay(telling.dsn, sandbox, stack, email, name)
        if telling.strike:

            async def is_over() -> bool:
                # Deliveries that are taken together pass some boundaries once alone: it is over when no run is open.
                return victim.code is not None or (LAST in victim.passed and not await books.value(OPEN))

            await until(is_over, f"{telling.strike} or through", pause=0.05)
        if victim.code is not None:
            await victim.killed()
            survivor = fleet.start(telling.dsn, stack=stack)
        await books.all_done(deliveries=deliveries)
        problems = await books.problems(sandbox, beside=("stripe", "books"))
        if await books.marked():
            problems.append(f"marked as repeats are {await books.marked()}")
        if (found := copies(sandbox, vendor, email)) != ONCE:
            problems.append(f"there are {found}, not {ONCE}")
    except AssertionError as error:
        problems = [f"{error}\n{survivor.log if survivor else victim.log}"]
    finally:
        for process in filter(None, (victim, survivor)):
            await process.kill()
        await books.close()
    return problems, [line for line in victim.passed if not line.startswith(READY)]


async def _pay(dsn: str, sandbox: Sandbox, stack: Path, email: str, name: str) -> int:
    """Let somebody pay, and deliver what Stripe tells of it that is read here, the last first; returns how much."""
    events = [
        each
        for each in Shop(sandbox).pay(email, name)
        if each["type"] in {"customer.created", "invoice.finalized", "invoice.paid"}
    ]
    app = await open_here(dsn, sandbox, stack=stack)
    try:
        source = app.by_slug["acme-plumbing"].sources["stripe"]
        for event in reversed(events):
            at = datetime.now(UTC)
            made = signed(event, SECRET, at)
            headers = {name.lower(): value for name, value in made.headers.items()}
            request = RawRequest("POST", "http://test/in/acme-plumbing/stripe", headers, made.body, at)
            assert (await app.intake.receive(source, request)).state == "accepted"
    finally:
        await app.close()
    return len(events)
