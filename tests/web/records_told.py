"""Records for pages: what two systems say of an invoice, and others beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from mainstay.db import Pool, acquire
from mainstay.model import RecordState, RecordType
from mainstay.records import Heard, Ownership, Word, keep

NOW = datetime.now(UTC)


async def tell(pool: Pool, workspace: UUID, contact: UUID | None = None) -> Heard:
    """Tell of an invoice that two systems have, a gone deal, a task and an appointment; returns the invoice."""
    books, crm = Ownership("books", {"due": "ghl"}), Ownership("ghl")

    def word(kind: RecordType, system: str, external_id: str, ownership: Ownership, *, ago: int, **of: str) -> Word:
        state = RecordState(kind, external_id, of, changed_at=NOW - timedelta(hours=ago))
        return Word(workspace, system, state, ownership, f"{system} source", contact)

    said = [
        word(
            "invoice", "stripe", "in_1QX", books, ago=9,
            reference="roof-1042", status="open", total="2450.00", currency="USD", url="https://pay.example/1",
        ),
        word(
            "invoice", "books", "1045", books, ago=6,
            reference="roof-1042", number="INV-1045", status="paid", total="2450.00", paid="2450.00", currency="USD",
        ),
        word("invoice", "stripe", "in_1QX", books, ago=2, status="void", due="2026-12-01"),
        word("task", "asana", "t1", Ownership("asana"), ago=3, title="Measure the <b>roof</b>", status="open"),
        word(
            "appointment", "calendly", "a1", Ownership(), ago=1,
            title="Roof inspection", status="booked", starts_at="2026-12-04T15:30:00+00:00",
        ),
    ]  # fmt: skip
    gone = RecordState("deal", "d1", {"title": "Roof, north side", "status": "lost"}, is_gone=True)
    async with acquire(pool) as connection, connection.transaction():
        heard = await keep(connection, [*said, Word(workspace, "ghl", gone, crm, "ghl source", contact)])
    return heard[0]
