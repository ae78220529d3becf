"""Mirrors as people look at them: how far each is, and where it is not what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import Count, count_of
from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of
from mainstay.insight.suggestions import MOST_COUNTED
from mainstay.model.record import title_of

if TYPE_CHECKING:
    from mainstay.db import Connection

_MOST_COUNTED = 999


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """One mirror. ``behind`` is how many records of its type changed since they were written.

    Until ``loaded_at``, ``loaded`` of ``to_load`` contacts are in it; None where nobody has counted yet.

    ``run_id`` is of the run that writes it now, or failed to, with its ``run_state`` and ``error``; None for neither.
    """

    name: str
    record_type: str
    loaded: int
    to_load: int | None
    loaded_at: datetime | None
    written_at: datetime | None
    compared_at: datetime | None
    behind: Count
    drifts: Count
    run_id: UUID | None
    run_state: str
    error: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One place where a mirror is not what was written. ``fields`` is column to ``{"ours", "theirs"}``.

    ``record_id`` is of the record whose row it is, None where it is none's; ``record_name`` what that is called.
    ``is_proposed``: it waits for a review; ``is_undoable``: the decision can be undone.
    """

    id: UUID
    mirror: str
    kind: str
    state: str
    key: str
    record_type: str
    record_id: UUID | None
    record_name: str
    fields: Mapping[str, Mapping[str, str]]
    found_at: datetime
    decided_at: datetime | None
    decided_by: str
    is_proposed: bool
    is_undoable: bool


async def list_mirrors(connection: Connection, workspace_id: UUID) -> Sequence[MirrorRow]:
    """Return the mirrors that the stack declares, by name."""
    rows = await connection.fetch(
        """
        SELECT mirrors.*, runs.id AS open_run_id, runs.state AS run_state, runs.error,
               (SELECT count(*) FROM (SELECT FROM stale_in_mirror AS s
                                      WHERE s.workspace_id = $1 AND s.mirror = mirrors.name
                                      ORDER BY s.record_id LIMIT $2) AS t) AS behind,
               (SELECT count(*) FROM (SELECT FROM drifts AS d WHERE d.workspace_id = $1 AND d.mirror = mirrors.name
                                      AND d.state = 'open' LIMIT $2) AS t) AS drifts
        FROM mirrors LEFT JOIN runs ON runs.id = mirrors.run_id AND runs.handled_at IS NULL
             AND runs.state IN ('queued', 'running', 'waiting', 'failed')
        WHERE mirrors.workspace_id = $1 AND is_declared AND followed_until IS NULL ORDER BY name
        """,
        workspace_id,
        _MOST_COUNTED + 1,
    )
    return [
        MirrorRow(
            row["name"],
            row["record_type"],
            row["loaded"],
            row["to_load"],
            row["loaded_at"],
            row["written_at"],
            row["compared_at"],
            count_of(row["behind"], _MOST_COUNTED),
            count_of(row["drifts"], _MOST_COUNTED),
            row["open_run_id"],
            row["run_state"] or "",
            row["error"] or "",
        )
        for row in rows
    ]


async def list_drifts(
    connection: Connection,
    workspace_id: UUID,
    *,
    mirror: str = "",
    decided: bool = False,
    proposed: bool | None = None,
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[DriftRow]:
    """Return what drifted and waits for a person, or was decided; the newest first.

    ``proposed`` takes proposals alone, or all but them.
    """
    state = "<>" if decided else "="
    which = {None: "", True: "AND is_proposed", False: "AND NOT is_proposed"}[proposed]
    rows = await connection.fetch(
        f"""
        SELECT {_DRIFT}
        WHERE drifts.workspace_id = $1 AND drifts.state {state} 'open' AND ($2 = '' OR mirror = $2) {which}
          AND drifts.id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
        ORDER BY drifts.id DESC LIMIT $4
        """,
        workspace_id,
        mirror,
        before,
        size + 1,
    )
    return page_of(rows, _drift, size)


async def proposals_waiting(connection: Connection, workspace_id: UUID) -> Count:
    """Count the proposals of mirrors that wait for a review, up to ``MOST_COUNTED``."""
    number: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM drifts WHERE workspace_id = $1 AND state = 'open' AND is_proposed
                              ORDER BY id DESC LIMIT $2) AS capped
        """,
        workspace_id,
        MOST_COUNTED + 1,
    )
    return count_of(number, MOST_COUNTED)


async def proposals_by_mirror(connection: Connection, workspace_id: UUID) -> Mapping[str, Count]:
    """Return how many proposals wait, by mirror."""
    rows = await connection.fetch(
        """
        SELECT mirror, count(*) AS count FROM (
            SELECT mirror FROM drifts WHERE workspace_id = $1 AND state = 'open' AND is_proposed
            ORDER BY id DESC LIMIT $2) AS capped GROUP BY mirror ORDER BY mirror
        """,
        workspace_id,
        _MOST_COUNTED + 1,
    )
    return {row["mirror"]: count_of(row["count"], _MOST_COUNTED) for row in rows}


async def find_drift(connection: Connection, workspace_id: UUID, drift_id: UUID) -> DriftRow | None:
    """Return one; None when there is none."""
    row = await connection.fetchrow(
        f"""
        SELECT {_DRIFT}
        WHERE drifts.workspace_id = $1 AND drifts.id = $2
        """,
        workspace_id,
        drift_id,
    )
    return _drift(row) if row is not None else None


_DRIFT = f"""
    drifts.*, mirrors.record_type, {NAME} AS contact_name, records.values
    FROM drifts LEFT JOIN mirrors ON mirrors.workspace_id = drifts.workspace_id AND mirrors.name = drifts.mirror
    LEFT JOIN contacts ON contacts.id = drifts.record_id LEFT JOIN records ON records.id = drifts.record_id
"""


def _drift(row: Row) -> DriftRow:
    return DriftRow(
        row["id"],
        row["mirror"],
        row["kind"],
        row["state"],
        row["key"],
        row["record_type"] or "contact",
        row["record_id"],
        row["contact_name"] or title_of(row["values"] or {}),
        row["fields"],
        row["found_at"],
        row["decided_at"],
        row["decided_by"],
        row["is_proposed"],
        _is_undoable(row),
    )


def _is_undoable(row: Row) -> bool:
    if row["record_id"] is None:
        return False
    match row["state"]:
        case "reverted":
            return row["kind"] == "missing" or (row["kind"] == "changed" and bool(row["fields"]))
        case "taken over":
            return row["change_id"] is not None or row["record_type"] not in {None, "contact"}
        case state:
            return bool(state == "left")
