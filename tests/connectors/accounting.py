"""What the tests of connectors with the role ``accounting`` share: one attempt at a time, and what it is given."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mainstay.errors import VendorError
from mainstay.kit import ConnectionSettings, Connector, Contact, Http, Invoice, InvoiceLine, Payment
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.kit.recorder import Recorder, recording


def person(number: int = 1, email: str = "sarah@example.com", phone: str = "", **values: Any) -> Contact:
    """A contact of ours, Sarah Johnson."""
    named = {"first_name": "Sarah", "last_name": "Johnson"} | values
    return Contact(UUID(int=number), UUID(int=2), email, phone, **named)


SARAH = person(phone="+13125550147")


def invoice(reference: str = "JOB-1", currency: str = "USD", **values: Any) -> Invoice:
    """An invoice of 120.50."""
    given: dict[str, Any] = {"lines": (InvoiceLine("Boiler service", Decimal("120.50")),), "due": date(2026, 12, 24)}
    return Invoice(reference, currency, **(given | values))


def one_line(**values: Any) -> tuple[InvoiceLine, ...]:
    """One line of 1."""
    given: dict[str, Any] = {"description": "x", "price": Decimal(1)}
    return (InvoiceLine(**(given | values)),)


def payment(reference: str = "pi_1", amount: str = "120.50", currency: str = "USD") -> Payment:
    """A payment by card."""
    return Payment(reference, Decimal(amount), currency, date(2026, 3, 2), "card")


async def attempt(connector: Connector, connection: ConnectionSettings, operation: str, *arguments: Any) -> Any:
    """Make one attempt of an operation, or of the check; an error carries the exchanges as a note."""
    assert connector.http is not None
    assert connector.check is not None
    async with open_session() as session:
        http = Http(session, connector.http(connection), idempotency_key="run/1")
        try:
            if operation == "check":
                return await connector.check(connection, http)
            return await getattr(connector.roles["accounting"](connection, http, None), operation)(*arguments)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def books(process: SandboxProcess) -> SandboxProcess:
    """The vendor's simulator, empty."""
    process.sandbox.reset()
    return process
