"""SQL of decisions about drift: what waits for one, what became of it, and what of that can be undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.mirrors.drifts import Drifted, State

if TYPE_CHECKING:
    from mainstay.db import Connection, Row


async def open_ones(connection: Connection, workspace_id: UUID, ids: Collection[UUID]) -> list[Drifted]:
    """Return of these drifts those that wait for a decision, held until the transaction ends."""
    rows = await connection.fetch(
        """
        SELECT * FROM drifts WHERE workspace_id = $1 AND id = ANY($2) AND state IN ('open', 'left')
        ORDER BY id FOR NO KEY UPDATE
        """,
        workspace_id,
        list(ids),
    )
    return _read(rows)


async def changed_ones(
    connection: Connection, workspace_id: UUID, name: str, ids: Collection[UUID] | None, *, limit: int
) -> list[Drifted]:
    """Return the changed rows of a mirror that are open, or these, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT * FROM drifts
        WHERE workspace_id = $1 AND mirror = $2 AND kind = 'changed' AND record_id IS NOT NULL
          AND CASE WHEN $3::uuid[] IS NULL THEN state = 'open' ELSE state IN ('open', 'left') AND id = ANY($3) END
        ORDER BY key, kind LIMIT $4
        """,
        workspace_id,
        name,
        None if ids is None else list(ids),
        limit,
    )
    return _read(rows)


def _read(rows: Sequence[Row]) -> list[Drifted]:
    return [Drifted(row["id"], row["mirror"], row["kind"], row["record_id"], row["fields"]) for row in rows]


async def note_taken_over(
    connection: Connection, workspace_id: UUID, drift_id: UUID, change_id: UUID | None, *, by: str
) -> bool:
    """Note by which change a contact took a difference over; False where it was decided meanwhile."""
    done: str = await connection.execute(
        """
        UPDATE drifts SET state = 'taken over', change_id = $3, decided_at = now(), decided_by = $4
        WHERE workspace_id = $1 AND id = $2 AND state IN ('open', 'left')
        """,
        workspace_id,
        drift_id,
        change_id,
        by,
    )
    return done == "UPDATE 1"


@dataclass(frozen=True, slots=True)
class Decided:
    """What can be undone of decisions. ``taken_over`` is the difference's id to the change by which it was.

    ``in_records`` were taken over by no change of a contact: by records that are none, or by another system first.
    """

    taken_over: Mapping[UUID, UUID]
    in_records: Sequence[Drifted]
    reverted: Sequence[Drifted]
    left: Sequence[UUID]


async def decided_ones(connection: Connection, workspace_id: UUID, name: str, ids: Collection[UUID]) -> Decided:
    """Return how these differences of a mirror were decided."""
    rows = await connection.fetch(
        """
        SELECT * FROM drifts WHERE workspace_id = $1 AND mirror = $2 AND id = ANY($3)
        ORDER BY id
        """,
        workspace_id,
        name,
        list(ids),
    )
    return Decided(
        {row["id"]: row["change_id"] for row in rows if row["state"] == "taken over" and row["change_id"]},
        _read([row for row in rows if row["state"] == "taken over" and row["change_id"] is None]),
        _read([row for row in rows if row["state"] == "reverted" and row["kind"] in {"changed", "missing"}]),
        [row["id"] for row in rows if row["state"] == "left"],
    )


async def decide(
    connection: Connection, workspace_id: UUID, ids: Collection[UUID], state: State, *, by: str, only: Sequence[State]
) -> int:
    """Note what became of drifts that are in one of the states ``only``; returns of how many."""
    done: str = await connection.execute(
        """
        UPDATE drifts SET state = $3, decided_at = CASE WHEN $3 = 'open' THEN NULL ELSE now() END, decided_by = $4
        WHERE workspace_id = $1 AND id = ANY($2) AND state = ANY($5)
        """,
        workspace_id,
        list(ids),
        state,
        by,
        list(only),
    )
    return int(done.rpartition(" ")[2])


async def reverted(connection: Connection, workspace_id: UUID, name: str, ids: Collection[UUID]) -> list[Drifted]:
    """Return of these drifts the rows of a mirror that were changed or gone and reverted, of contacts that are."""
    rows = await connection.fetch(
        """
        SELECT drifts.* FROM drifts JOIN mirrored USING (workspace_id, mirror, record_id)
        WHERE workspace_id = $1 AND mirror = $2 AND drifts.id = ANY($3) AND state = 'reverted'
          AND kind IN ('changed', 'missing')
        """,
        workspace_id,
        name,
        list(ids),
    )
    return _read(rows)
