"""What the simulated Intuit announces is proved, read and fetched, in either form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from mainstay.connectors.quickbooks import CONNECTOR
from mainstay.connectors.quickbooks.settings import QuickBooksSource
from mainstay.kit import Http, Invoice, InvoiceLine, NotAuthenticError, Payment, RawRequest
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors.quickbooks_events import Form, announced
from tests.connectors.accounting import SARAH
from tests.connectors.billing_conformance import sandbox
from tests.connectors.quickbooks_accounting import REALM, ask, settings

__all__ = ["sandbox"]
SOURCE = QuickBooksSource.model_validate(
    {"kind": "quickbooks", "connection": "books", "verifier_token": "verifier", "realm_id": REALM}
)
(KIND,) = CONNECTOR.sources


@pytest.mark.parametrize("form", ["cloud_events", "notifications"])
async def test_what_was_done_in_a_company_is_heard_of(sandbox: SandboxProcess, form: Form) -> None:
    await sandbox.aio.reset()
    url = sandbox.sandbox.url("quickbooks")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    invoice = Invoice("JOB-1", "USD", (InvoiceLine("Boiler service", Decimal("120.50")),))
    made = await ask(url, "create_invoice", customer, invoice)
    await ask(url, "add_payment", made.id, Payment("pi_1", Decimal("20.50"), "USD", date(2026, 11, 27), "card"))
    await ask(url, "push_customer", replace(SARAH, last_name="Jones"), customer)

    sent = announced(await sandbox.aio.state("quickbooks"), "verifier", REALM, form=form)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    request = RawRequest("POST", "https://mainstay.example/in/acme/books", headers, sent.body, datetime.now(UTC))

    assert KIND.verify(request, SOURCE) == "signature ok"
    with pytest.raises(NotAuthenticError):
        KIND.verify(replace(request, body=request.body.replace(b"customer", b"invoices", 1) + b" "), SOURCE)
    events = {event.type: event for event in KIND.parse(request, SOURCE)}
    # Of one customer who was made and changed, the last word.
    assert set(events) == {"customer.updated", "invoice.created", "payment.created"}
    told = {kind: await _fetched(event, url) for kind, event in events.items()}
    assert all(each.submission and each.submission.email == SARAH.email for each in told.values())
    assert told["customer.updated"].submission.last_name == "Jones"
    assert told["invoice.created"].record.fields["total"] == "120.50"


async def _fetched(event: Any, url: str) -> Any:
    assert KIND.fetch is not None
    assert CONNECTOR.http is not None
    async with open_session() as session:
        return await KIND.fetch(event, SOURCE, Http(session, CONNECTOR.http(settings(base_url=url))))
