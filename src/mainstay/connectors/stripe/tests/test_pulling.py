from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.connectors.stripe import CONNECTOR
from mainstay.connectors.stripe import pulling as stripe
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.kit import RecordType
from mainstay.kit.pulling import Cursor
from mainstay.sandbox import Sandbox
from tests.connectors.record_pull_conformance import (
    THEN,
    Pulling,
    RecordPullConformance,
    RecordVendor,
    ids,
    pulling,
    sandbox,
)

__all__ = ["pulling", "sandbox"]


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "PAGE", 10)


class Stripe:
    """What happens to an invoice is an event of its own; of more than a page in one second all come at once."""

    name = "stripe"
    connector = CONNECTOR
    batch = 10
    most = 100
    lag = timedelta(minutes=1)
    kind: RecordType
    shown: str
    type: str

    def settings(self, base_url: str) -> StripeConnection:
        return StripeConnection.model_validate({"connector": "stripe", "api_key": "rk_test_x", "base_url": base_url})

    def id_of(self, number: int) -> str:
        raise NotImplementedError

    def about(self, number: int, value: str) -> dict[str, Any]:
        raise NotImplementedError

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        # The suite's changes are older than Stripe's days.
        sandbox.configure("stripe", event_days=10_000)
        if not sandbox.state("stripe")["customers"]:
            sandbox.seed("stripe", "customers", [{"name": "Zoë", "email": "zoe@example.com"}])
        customer = sandbox.state("stripe")["customers"][0]["id"]
        told = {"customer": customer, "type": self.type}
        events = [told | {"created": int(at.timestamp()), "object": self.about(n, value)} for n, value, at in changes]
        sandbox.seed("stripe", "events", events)


class Invoices(Stripe):
    kind: RecordType = "invoice"
    shown = "reference"
    type = "invoice.updated"

    def id_of(self, number: int) -> str:
        return f"in_{number:024}"

    def about(self, number: int, value: str) -> dict[str, Any]:
        return {"id": self.id_of(number), "metadata": {"mainstay_reference": value}}


class Payments(Stripe):
    kind: RecordType = "payment"
    shown = "invoice"
    type = "invoice.paid"

    def id_of(self, number: int) -> str:
        return f"pi_{number:024}"

    def about(self, number: int, value: str) -> dict[str, Any]:
        paid = {
            "status": "paid",
            "paid": True,
            "total": 12050,
            "amount_paid": 12050,
            "payment_intent": self.id_of(number),
        }
        return {"id": f"in_{number:024}", "metadata": {"mainstay_reference": value}, **paid}


class TestInvoices(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Invoices()

    async def test_what_stripe_keeps_no_more_does_not_come(self, pulling: Pulling) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        await pulling.change((1, now - timedelta(days=31)), (2, now - timedelta(days=29)))
        await asyncio.to_thread(lambda: pulling.sandbox.configure("stripe", event_days=30))

        assert ids((await pulling.all())[0]) == {pulling.vendor.id_of(2)}
        # Whoever comes from before that is told of the gap, once; who begins, or comes from later, lost nothing.
        gone = await pulling.pull(Cursor(now - timedelta(days=32)).write())
        assert gone.lost is not None
        assert gone.lost[0] == now - timedelta(days=32)
        assert abs(gone.lost[1] - (now - timedelta(days=30))) < timedelta(minutes=5)
        assert (await pulling.pull(gone.cursor)).lost is None
        assert (await pulling.pull("")).lost is None
        assert (await pulling.pull(Cursor(now - timedelta(days=29)).write())).lost is None

    async def test_an_event_that_cannot_be_read_stops_nothing(self, pulling: Pulling) -> None:
        await pulling.change((1, THEN), (3, THEN + timedelta(seconds=2)))
        customer = (await asyncio.to_thread(pulling.sandbox.state, "stripe"))["customers"][0]["id"]
        odd = {"customer": customer, "type": "invoice.updated", "created": int(THEN.timestamp()) + 1}
        about = {"id": "in_odd", "currency": "zzzz"}
        await asyncio.to_thread(lambda: pulling.sandbox.seed("stripe", "events", [odd | {"object": about}]))

        assert ids((await pulling.all())[0]) == {pulling.vendor.id_of(1), pulling.vendor.id_of(3)}

    async def test_an_event_says_what_happened_and_who_is_behind_it(self, pulling: Pulling) -> None:
        await pulling.change((1, THEN))

        (one,) = (await pulling.pull("")).records

        assert one.event.type == "invoice.updated"
        assert one.event.submission is not None
        assert one.event.submission.email == "zoe@example.com"


class TestPayments(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Payments()
