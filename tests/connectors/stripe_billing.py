"""What the tests of the billing role on Stripe share."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest

from mainstay.connectors.stripe.billing import check, http_settings, make_billing
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.errors import VendorError
from mainstay.kit import (
    Contact,
    Http,
    Invoice,
    InvoiceLine,
)
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors import stripe_objects
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder, recording

KEY = "rk_test_sample0123456789"
SARAH = Contact(
    id=UUID(int=1),
    workspace_id=UUID(int=2),
    email="sarah@example.com",
    first_name="Zoë 李",
    last_name="Groß",
    company="Blitz",
)
RECORDED = 60_000
"""Longer answers the sandbox's log cuts off."""
NEW = stripe_objects.New("cus_1", 1_772_445_600)
CUSTOMER = stripe_objects.customer(NEW) | {"email": "sarah@example.com"}
DRAFT = stripe_objects.invoice(replace(NEW, id="in_1"), {}, CUSTOMER)
OPEN = DRAFT | {
    "status": "open",
    "number": "A-1",
    "total": 12050,
    "hosted_invoice_url": "https://invoice.stripe.com/i/1",
}
NONE: dict[str, Any] = {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices"}
FOUND_NONE = NONE | {"object": "search_result", "next_page": None}


def settings(**keys: Any) -> StripeConnection:
    return StripeConnection.model_validate({"connector": "stripe", "api_key": KEY, **keys})


async def ask(base_url: str, operation: str, *arguments: Any, tried_ago: float = 0.0, **keys: Any) -> Any:
    connection = settings(base_url=base_url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key="run-2")
        http.tried_ago = tried_ago
        try:
            if operation == "check":
                return await check(connection, http)
            return await getattr(make_billing(connection, http), operation)(*arguments)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


def order(reference: str = "JOB-1", **values: Any) -> Invoice:
    return Invoice(reference, **({"currency": "usd", "lines": (InvoiceLine("Boiler", Decimal("120.50")),)} | values))


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def fields(vendor: Recorder, number: int) -> dict[str, str]:
    return dict(parse_qsl(vendor.requests[number].body.decode(), keep_blank_values=True))


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
async def sandbox(process: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    await process.aio.reset()
    yield process
    for record in await process.aio.requests("stripe"):
        is_whole = record["answer"] is None or len(record["answer"]["body"]) < RECORDED
        validate_recorded(record if is_whole else record | {"answer": None})


async def kept(sandbox: SandboxProcess, kind: str) -> list[dict[str, Any]]:
    return [each for each in (await sandbox.aio.state("stripe"))[kind] if not each.get("deleted")]
