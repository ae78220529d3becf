"""Who pays at Stripe is in the books and in the CRM, and is thanked, each once: the example that init writes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.vendors.stripe_events import signed
from mainstay.testing import StackUnderTest
from tests.stripe_to_books import BOOKS, ONCE, SECRET, Shop, copies, write_stack
from tests.web.serving import taking_in

SARAH = "sarah@example.com"
LOST = {
    "quickbooks": ("*/customer", "*/invoice", "*/payment"),
    "xero": ("*/Contacts", "*/Invoices", "*/Payments"),
}
Tell = Callable[..., Awaitable[list[int]]]


@pytest.fixture(params=BOOKS)
def vendor(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
async def stack(vendor: str, dsn: str, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[StackUnderTest]:
    made = await StackUnderTest.open(write_stack(tmp_path / "acme", vendor), dsn, sandbox)
    await made.connect()
    yield made
    await made.close()


@pytest.fixture
async def tell(stack: StackUnderTest) -> AsyncIterator[Tell]:
    """Posts events as Stripe does; returns the answers' statuses."""
    async with taking_in(stack) as (session, base):
        url = f"{base}/in/acme-plumbing/stripe"

        async def telling(events: Sequence[Any], secret: str = SECRET, *, settle: bool = True) -> list[int]:
            statuses = []
            for event in events:
                made = signed(event, secret, datetime.now(UTC))
                async with session.post(url, data=made.body, headers=made.headers) as answer:
                    statuses.append(answer.status)
                if settle:
                    await stack.settle()
            return statuses

        yield telling


async def states(stack: StackUnderTest, workflow: str = "") -> list[str]:
    return [state for _, _, state in await stack.runs(workflow)]


@pytest.mark.parametrize("order", ["as it happened", "backwards", "all at once", *range(3)])
async def test_a_payment_is_booked_once_in_whatever_order_it_is_told(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox, vendor: str, order: str | int
) -> None:
    events = Shop(sandbox).pay(SARAH, "Sarah Johnson")
    told = [each["type"] for each in events]
    assert {"customer.created", "invoice.finalized", "payment_intent.succeeded", "invoice.paid"} <= set(told)
    if order == "backwards":
        events.reverse()
    elif isinstance(order, int):
        events = random.Random(order).sample(events * 2, len(events) * 2)

    statuses = await tell(events, settle=order != "all at once")
    await stack.settle()
    assert set(statuses) <= {200, 202}
    assert set(await tell(events)) == {200}, "told again, all of it is known"

    assert copies(sandbox, vendor, SARAH) == ONCE
    assert await states(stack, "book_payment.v1") == ["done"]
    assert set(await states(stack)) == {"done"}
    (mail,) = sandbox.messages("postmark")
    assert mail["TextBody"].startswith("Hi Sarah, we have your payment of 361.49 USD for ")
    assert not stack.alerts


@pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated"])
async def test_the_books_do_it_and_their_answer_is_lost(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox, vendor: str, kind: Any
) -> None:
    faults = [
        sandbox.set_fault(vendor, kind, method=method, path=path, count=1, hold_ms=50)
        for path in LOST[vendor]
        for method in ("POST", "PUT")
    ]
    events = Shop(sandbox).pay(SARAH, "Sarah Johnson")
    await tell(events)
    await stack.advance("1h")

    assert sum(map(sandbox.hits, faults)) >= 3, "each kind of record was made by a call whose answer was lost"
    assert copies(sandbox, vendor, SARAH) == ONCE
    assert set(await states(stack)) == {"done"}
    assert not stack.alerts


async def test_two_payments_of_one_person_are_two(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox, vendor: str
) -> None:
    shop = Shop(sandbox)
    first, second = shop.pay(SARAH, "Sarah Johnson"), shop.pay(SARAH, "Sarah Johnson", cents=9900)
    await tell([*second, *first], settle=False)
    await stack.settle()

    both = {"invoices": 2, "payments": 2, "notes": 2, "mails": 2}
    assert copies(sandbox, vendor, SARAH) == ONCE | both
    assert await states(stack, "book_payment.v1") == ["done", "done"]


async def test_books_that_are_closed_stop_it_until_a_person_mends_them(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox, vendor: str
) -> None:
    fault = sandbox.set_fault(vendor, "status", status=403)
    await tell(Shop(sandbox).pay(SARAH, "Sarah Johnson"))
    await stack.advance("1d")
    assert await states(stack, "book_payment.v1") == ["failed"]
    (alert,) = stack.alerts
    assert alert.workflow == "book_payment.v1"
    assert sandbox.messages("postmark") == [], "nobody is thanked for what is not booked"

    sandbox.clear(vendor, fault)
    await stack.retry("book_payment.v1")
    assert copies(sandbox, vendor, SARAH) == ONCE


async def test_a_forged_payment_is_not_booked(stack: StackUnderTest, tell: Tell, sandbox: Sandbox, vendor: str) -> None:
    events = Shop(sandbox).pay(SARAH, "Sarah Johnson")
    assert set(await tell(events, "whsec_another")) == {401}
    assert not any(copies(sandbox, vendor, SARAH).values())
    assert await stack.runs() == []
