"""Whatever the CRM does wrong is healed, and leaves no duplicate."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.testing import StackUnderTest
from tests.faults import invariants
from tests.faults.fleet import ONCE, Books, vendor_copies

FAULTS: dict[str, dict[str, Any]] = {
    "time-out after success": {"kind": "timeout_after", "hold_ms": 100},
    "time-out before": {"kind": "timeout_before", "hold_ms": 100},
    "connection dropped after success": {"kind": "drop_after"},
    "connection dropped before": {"kind": "drop_before"},
    "connection reset": {"kind": "reset"},
    "JSON cut off": {"kind": "truncated"},
    "a proxy's HTML page": {"kind": "html"},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "429 without Retry-After": {"kind": "status", "status": 429},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 3},
    "504": {"kind": "status", "status": 504},
}
MADE = {"time-out after success", "connection dropped after success", "JSON cut off"}

ODD: dict[str, dict[str, Any]] = {
    "an empty 204": {"kind": "empty"},
    "every field renamed": {"kind": "reshaped"},
    "an answer that drips": {"kind": "drip", "hold_ms": 1500},
}


@pytest.mark.stack("tests/faults/stack")
@pytest.mark.parametrize("fault", ODD)
@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("gohighlevel", "/contacts/upsert"),
        ("gohighlevel", "/contacts/*/notes"),
        ("slack", "/api/chat.postMessage"),
        ("postmark", "/email"),
    ],
)
async def test_an_odd_answer_is_told_or_healed_and_nothing_is_doubled(
    vendor: str, path: str, fault: str, stack: StackUnderTest, books: Books
) -> None:
    number = stack.sandbox.set_fault(vendor, path=path, count=1, **ODD[fault])
    await stack.submit("website", email="sarah@example.com", phone="(312) 555-0147", name="Sarah Johnson")
    await stack.advance("5m")
    assert stack.sandbox.hits(number) == 1
    stack.sandbox.clear()

    # What is not healed by itself is an open failure, and its retry by hand does the rest.
    for row in await books.rows("SELECT id, workspace_id, incident_id FROM runs WHERE state = 'failed'"):
        assert row["incident_id"] is not None
        assert await stack.app.retry_run(row["workspace_id"], row["id"])
    await stack.advance("5m")
    assert {state for _, _, state in await stack.runs()} == {"done"}
    copies = vendor_copies(stack.sandbox, "sarah@example.com")
    assert sum(copies.values()) - sum(ONCE.values()) == len(await books.marked()), copies
    assert not await invariants.problems(books, stack.sandbox)


@pytest.mark.stack("tests/faults/stack")
@pytest.mark.parametrize("path", ["/contacts/upsert", "/contacts/*/tags"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_it_heals(fault: str, path: str, stack: StackUnderTest) -> None:
    number = stack.sandbox.set_fault("gohighlevel", path=path, count=2, **FAULTS[fault])

    await stack.submit("website", email="sarah@example.com", phone="(312) 555-0147", name="Sarah Johnson")
    await stack.advance("5m")

    (met,) = [entry for entry in stack.sandbox.faults() if entry["id"] == number]
    # A contact that was made all the same is found, and not asked for again.
    assert met["hits"] == (1 if path == "/contacts/upsert" and fault in MADE else 2)
    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert vendor_copies(stack.sandbox, "sarah@example.com") == ONCE
    assert len([effect for effect in stack.sandbox.effects("gohighlevel") if effect["kind"] == "contact.created"]) == 1
