"""Approvals: what runs ask people, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import Count, count_of
from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of

if TYPE_CHECKING:
    from mainstay.db import Connection

_MOST_COUNTED = 99


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One question. ``state`` is ``open``, ``approved``, ``declined``, ``expired``, or ``withdrawn``: its run ended."""

    id: UUID
    run_id: UUID
    workflow: str
    question: str
    state: str
    contact_id: UUID | None
    contact_name: str
    asked_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None
    decided_by: str
    note: str


# An open question of a run that has ended is nobody's to answer any more.
_ROWS = f"""
    SELECT approvals.id, approvals.run_id, runs.workflow, approvals.question, approvals.contact_id,
           {NAME} AS contact_name, approvals.asked_at, approvals.expires_at, approvals.decided_at,
           approvals.decided_by, approvals.note,
           CASE WHEN approvals.state = 'open' AND runs.state NOT IN ('queued', 'running', 'waiting')
                THEN 'withdrawn' ELSE approvals.state END AS state
    FROM found AS approvals JOIN runs ON runs.id = approvals.run_id
    LEFT JOIN contacts ON contacts.id = approvals.contact_id
"""  # noqa: S608 - a part from this package


async def open_approvals(
    connection: Connection, workspace_id: UUID, *, after: UUID | None = None, size: int = PAGE_SIZE
) -> Page[ApprovalRow]:
    """Return the questions that wait for an answer, the oldest first."""
    rows = await connection.fetch(
        f"""
        WITH found AS (
            SELECT approvals.* FROM approvals JOIN runs ON runs.id = approvals.run_id
             AND runs.state IN ('queued', 'running', 'waiting')
            WHERE approvals.workspace_id = $1 AND approvals.state = 'open'
              AND approvals.id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
            ORDER BY approvals.id LIMIT $3
        ) {_ROWS} ORDER BY approvals.id
        """,  # noqa: S608 - parts from this file
        workspace_id,
        after,
        size + 1,
    )
    return page_of(rows, _row, size)


async def decided_approvals(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[ApprovalRow]:
    """Return the questions that are no longer open, the newest first."""
    rows = await connection.fetch(
        f"""
        WITH found AS (
            SELECT * FROM approvals WHERE workspace_id = $1 AND state <> 'open'
              AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            ORDER BY id DESC LIMIT $3
        ) {_ROWS} ORDER BY approvals.id DESC
        """,  # noqa: S608 - parts from this file
        workspace_id,
        before,
        size + 1,
    )
    return page_of(rows, _row, size)


async def find_approval(connection: Connection, workspace_id: UUID, approval_id: UUID) -> ApprovalRow | None:
    """Return one question."""
    row = await connection.fetchrow(
        f"""
        WITH found AS (SELECT * FROM approvals WHERE workspace_id = $1 AND id = $2) {_ROWS}
        """,  # noqa: S608 - parts from this file
        workspace_id,
        approval_id,
    )
    return _row(row) if row else None


async def approvals_waiting(connection: Connection, workspace_id: UUID) -> Count:
    """Count the questions that wait for an answer."""
    number: int = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM approvals JOIN runs ON runs.id = approvals.run_id
             AND runs.state IN ('queued', 'running', 'waiting')
            WHERE approvals.workspace_id = $1 AND approvals.state = 'open' ORDER BY approvals.id LIMIT $2
        ) AS capped
        """,
        workspace_id,
        _MOST_COUNTED + 1,
    )
    return count_of(number, _MOST_COUNTED)


def _row(row: Row) -> ApprovalRow:
    return ApprovalRow(**{name: row[name] for name in ApprovalRow.__dataclass_fields__})
