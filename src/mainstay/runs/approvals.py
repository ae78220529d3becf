"""SQL of approvals: what runs ask people, and the one answer that each question gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.model import Run
from mainstay.runs.waits import go_on

if TYPE_CHECKING:
    from mainstay.db import Connection

DECIDED = "an approval"
"""What a run's wait is for that asks people. No source can give an event of this name."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to people, asked in a step of a run, about a contact if it is about one; open until ``expires_at``."""

    id: UUID
    step: int
    question: str
    contact_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a question. ``is_new`` tells whether the one who asks decided it now, or finds it decided."""

    id: UUID
    run_id: UUID
    state: str
    decided_by: str
    decided_at: datetime | None
    note: str
    is_new: bool

    @property
    def event(self) -> dict[str, Any]:
        """The answer as the run gets it."""
        is_approved = self.state == "approved"
        return {"approved": is_approved, "by": self.decided_by, "note": self.note, "expired": self.state == "expired"}


async def add_asks(connection: Connection, asks: Sequence[tuple[Run, Ask]]) -> None:
    """Put questions to people. One that a retried run asks again is open again."""
    if not asks:
        return
    await connection.executemany(
        """
        INSERT INTO approvals (id, workspace_id, run_id, step, contact_id, question, state, asked_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8)
        ON CONFLICT (run_id, step) DO UPDATE
        SET state = 'open', question = excluded.question, asked_at = excluded.asked_at,
            expires_at = excluded.expires_at, decided_at = NULL, decided_by = '', note = ''
        """,
        [
            (
                ask.id,
                run.workspace_id,
                run.id,
                ask.step,
                ask.contact_id,
                storable(ask.question),
                datetime.now(UTC),
                ask.expires_at,
            )
            for run, ask in asks
        ],
    )


async def decide(
    connection: Connection, workspace_id: UUID, approval_id: UUID, *, approved: bool, by: str, note: str, now: datetime
) -> Decision | None:
    """Answer a question, in a transaction; None when there is none of that id.

    The first answer stands: a later one, or one after its time, or for a run that has ended, changes nothing and is
    told what stands.
    """
    row = await connection.fetchrow(
        """
        SELECT approvals.*, runs.state IN ('queued', 'running', 'waiting') AS is_awaited
        FROM approvals LEFT JOIN runs ON runs.id = approvals.run_id
        WHERE approvals.id = $1 AND approvals.workspace_id = $2 FOR UPDATE OF approvals
        """,
        approval_id,
        workspace_id,
    )
    if row is None:
        return None
    if row["state"] != "open" or not row["is_awaited"] or (row["expires_at"] and row["expires_at"] <= now):
        state = "expired" if row["state"] == "open" else row["state"]
        return Decision(
            approval_id, row["run_id"], state, row["decided_by"], row["decided_at"], row["note"], is_new=False
        )
    state = "approved" if approved else "declined"
    decision = Decision(approval_id, row["run_id"], state, storable(by), now, storable(note), is_new=True)
    await connection.execute(
        "UPDATE approvals SET state = $2, decided_by = $3, decided_at = $4, note = $5 WHERE id = $1",
        approval_id,
        state,
        decision.decided_by,
        now,
        decision.note,
    )
    # A run that is being driven just now finds the answer in the row above, if not in its wait.
    await connection.execute(
        "UPDATE waits SET event = $3, seen = false WHERE run_id = $1 AND step = $2 AND event IS NULL",
        row["run_id"],
        row["step"],
        decision.event,
    )
    await go_on(connection, [row["run_id"]])
    return decision


async def close_ask(connection: Connection, run_id: UUID, step: int, now: datetime) -> Decision | None:
    """Close the question of a step whose time is over, and return what stands: an answer may have come first."""
    row = await connection.fetchrow(
        """
        UPDATE approvals SET state = CASE state WHEN 'open' THEN 'expired' ELSE state END,
               decided_at = coalesce(decided_at, $3)
        WHERE run_id = $1 AND step = $2 RETURNING *
        """,
        run_id,
        step,
        now,
    )
    if row is None:
        return None
    is_new = row["state"] == "expired"
    return Decision(row["id"], run_id, row["state"], row["decided_by"], row["decided_at"], row["note"], is_new=is_new)
