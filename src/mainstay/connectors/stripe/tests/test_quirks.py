"""Stripe's own quirks, against its simulator: keys, a search that lags, what people change meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from mainstay.connectors.stripe.billing import http_settings
from mainstay.kit import (
    Http,
    InvoiceLine,
    PermanentError,
    Pushed,
    TransientError,
)
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.connectors.stripe_billing import (
    SARAH,
    ask,
    kept,
    order,
    process,
    sandbox,
    settings,
    vendor,
)

__all__ = ["process", "sandbox", "vendor"]


async def test_what_is_known_of_a_contact_is_written(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    await ask(url, "push_customer", replace(SARAH, phone="+13125550147"), "")
    (customer,) = await kept(sandbox, "customers")
    assert (customer["email"], customer["name"], customer["phone"]) == (
        "sarah@example.com",
        "Zoë 李 Groß",
        "+13125550147",
    )
    assert customer["metadata"] == {"mainstay_contact": str(UUID(int=1)), "company": "Blitz"}
    await ask(url, "push_customer", replace(SARAH, first_name="", last_name=""), customer["id"])
    assert [each["name"] for each in await kept(sandbox, "customers")] == ["Blitz"]


async def test_a_customer_is_found_by_our_mark_when_the_email_changed(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    again = await ask(url, "push_customer", replace(SARAH, email="zoe@example.com"), "")
    assert again == Pushed(made.external_id)
    assert [each["email"] for each in await kept(sandbox, "customers")] == ["zoe@example.com"]


async def test_of_several_with_one_address_the_oldest_is_taken_and_ours_before_it(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    same = {"email": "sarah@example.com"}
    ours = {**same, "metadata": {"mainstay_contact": str(SARAH.id)}, "created": 300}
    await sandbox.aio.seed("stripe", "customers", [{**same, "created": 200}, {**same, "created": 100}])
    first, second = await kept(sandbox, "customers")
    assert (await ask(url, "push_customer", SARAH, "")).external_id == second["id"]
    await sandbox.aio.reset()
    await sandbox.aio.seed("stripe", "customers", [{**same, "created": 200}, ours])
    first, second = await kept(sandbox, "customers")
    assert (await ask(url, "push_customer", SARAH, "")).external_id == second["id"] != first["id"]


async def test_a_search_that_lags_makes_no_second_customer(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", search_lag_ms=60_000)
    url, nameless = sandbox.sandbox.url("stripe"), replace(SARAH, email="", phone="+13125550147")
    made = await ask(url, "push_customer", nameless, "")
    assert await ask(url, "push_customer", nameless, "") == Pushed(made.external_id)
    with pytest.raises(TransientError, match="a moment ago") as caught:
        await ask(url, "push_customer", replace(nameless, first_name="Z"), "")
    assert caught.value.retry_after == 60
    assert len(await kept(sandbox, "customers")) == 1
    await sandbox.aio.configure("stripe", search_lag_ms=0)
    assert await ask(url, "push_customer", replace(nameless, first_name="Z"), "") == Pushed(made.external_id)


async def test_without_a_search_the_list_by_email_does(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", has_search=False)
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    assert await ask(url, "push_customer", replace(SARAH, first_name="Z"), "") == Pushed(made.external_id)
    assert len(await kept(sandbox, "customers")) == 1


async def test_a_customer_deleted_within_its_keys_day_is_made_anew(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    async with open_session() as session:
        http = Http(session, http_settings(settings(base_url=url)))
        await http.request("DELETE", f"/v1/customers/{made.external_id}")

    anew = await ask(url, "push_customer", SARAH, made.external_id)

    assert anew.created
    assert [each["id"] for each in await kept(sandbox, "customers")] == [anew.external_id]


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_try_that_broke_at_stripe_is_looked_for_and_has_another_key(
    sandbox: SandboxProcess, breaks: str
) -> None:
    url = sandbox.sandbox.url("stripe")
    await sandbox.aio.configure("stripe", breaks=breaks)
    with pytest.raises(TransientError) as caught:
        await ask(url, "push_customer", SARAH, "")
    assert caught.value.unsure
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    assert [each["id"] for each in await kept(sandbox, "customers")] == [customer]

    for number in range(3):
        reference = f"JOB-{number}"
        for call in range(number):  # an invoice and its lines are made one after the other
            await sandbox.aio.set_fault("stripe", "status", status=503, path="/v1/invoiceitems", count=1, skip=call)
            with pytest.raises(TransientError):
                await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
            await sandbox.aio.clear("stripe")
        await sandbox.aio.configure("stripe", breaks=breaks)
        with pytest.raises(TransientError):
            await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
        await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
        (made,) = [
            each for each in await kept(sandbox, "invoices") if each["metadata"]["mainstay_reference"] == reference
        ]
        assert (made["status"], made["total"], len(made["lines"]["data"])) == ("open", 300, 3)


async def test_when_stripe_forgot_the_keys_the_reference_is_found(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", key_ms=0)
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "timeout_after", path="/v1/invoiceitems", count=1, skip=1, hold_ms=0)
    lines = (InvoiceLine("x", Decimal(1)), InvoiceLine("y", Decimal(2)), InvoiceLine("z", Decimal(3)))
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order(lines=lines))
    made = await ask(url, "create_invoice", customer, order(lines=lines))
    (found,) = await kept(sandbox, "invoices")
    assert (found["id"], found["total"], len(found["lines"]["data"])) == (made.id, 600, 3)


async def test_a_key_in_use_is_waited_for(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", in_use=1)
    url = sandbox.sandbox.url("stripe")
    with pytest.raises(TransientError, match="idempotency_key_in_use") as caught:
        await ask(url, "push_customer", SARAH, "")
    assert (caught.value.status, caught.value.retry_after, caught.value.unsure) == (409, 2.0, False)
    assert (await ask(url, "push_customer", SARAH, "")).created


async def test_a_reference_is_found_beyond_many_pages(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order())
    others = [{"customer": customer, "metadata": {"mainstay_reference": f"OLD-{n}"}} for n in range(250)]
    await sandbox.aio.seed("stripe", "drafts", others)
    assert (await ask(url, "create_invoice", customer, order())).id == made.id
    pages = [each for each in await sandbox.aio.requests("stripe") if "starting_after" in each["url"]]
    assert len(pages) == 2


async def test_a_draft_that_a_person_changed_is_not_finalised(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "status", status=503, path="*/finalize", count=1)
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order())
    dearer = order(lines=(InvoiceLine("Boiler", Decimal("130.50")),))
    with pytest.raises(PermanentError, match=r"comes to 120\.50 USD, not 130\.50 USD: delete that draft"):
        await ask(url, "create_invoice", customer, dearer)
    assert [each["status"] for each in await kept(sandbox, "invoices")] == ["draft"]


async def test_a_draft_deleted_within_its_keys_day_is_made_anew(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "status", status=503, path="*/finalize", count=1)
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order())
    (draft,) = await kept(sandbox, "invoices")
    await ask(url, "void_invoice", draft["id"])
    assert await kept(sandbox, "invoices") == []
    assert await ask(url, "void_invoice", draft["id"], tried_ago=5.0) is None

    made = await ask(url, "create_invoice", customer, order())

    assert made.id != draft["id"]
    assert [each["status"] for each in await kept(sandbox, "invoices")] == ["open"]


async def test_a_customer_without_an_address_cannot_be_billed(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", replace(SARAH, email="", phone="+13125550147"), "")).external_id
    with pytest.raises(PermanentError, match="Missing email"):
        await ask(url, "create_invoice", customer, order())


async def test_an_invoice_of_nothing_is_paid_at_once(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order(lines=(InvoiceLine("Goodwill", Decimal(0)),)))
    assert (await ask(url, "fetch_invoice", made.id)).status == "paid"


async def test_yen_go_whole(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order(currency="JPY", lines=(InvoiceLine("x", Decimal(1200)),)))
    state = await ask(url, "fetch_invoice", made.id)
    assert (state.currency, state.total, state.paid) == ("JPY", "1200", "0")


async def test_a_due_date_that_is_past_is_refused_by_stripe(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    with pytest.raises(PermanentError, match="must be in the future"):
        await ask(url, "create_invoice", customer, order(due=datetime.now(UTC).date() - timedelta(days=2)))
