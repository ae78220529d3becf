"""Retries by hand: the failed runs that an order would mean, the orders, and how each run was retried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.errors import UnsureError
from mainstay.insight.counting import COUNT_LIMIT, Count, count_of
from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of
from mainstay.insight.runs import COLUMNS, RunRow, run_of
from mainstay.runs.choosing import FIRST, Chosen

if TYPE_CHECKING:
    from mainstay.db import Connection

_MOST_RETRIES = 50


@dataclass(frozen=True, slots=True)
class Candidate:
    """A failed run that an order means, and the step that would be sent; None: it failed in the workflow's own code."""

    run: RunRow
    step: int | None
    name: str
    connection: str


@dataclass(frozen=True, slots=True)
class BulkRetry:
    """An order to retry many runs. ``went`` counts what became of those sent, by the state they are in."""

    id: UUID
    run_id: UUID
    state: str
    chosen: Mapping[str, str]
    per_second: float | None
    stops_on_error: bool
    from_start: bool
    by: str
    begun_at: datetime
    ended_at: datetime | None
    sent: int
    note: str
    went: Mapping[str, int]
    left: Count

    @property
    def which(self) -> str:
        """Which runs it means, in words."""
        words = {"workflow": "of {}", "connection": "failed at {}", "since": "since {:.16}", "error": "with “{}”"}
        said = [text.format(self.chosen[name]) for name, text in words.items() if name in self.chosen]
        if "incident_id" in self.chosen:
            said.append(f"of incident {self.chosen['incident_id'][-8:]}")
        return ", ".join(said) or "all that failed"


@dataclass(frozen=True, slots=True)
class HandRetry:
    """One time that a person had a run retried."""

    at: datetime
    by: str
    from_step: int | None
    bulk_id: UUID | None
    input_before: Mapping[str, Any] | None


async def list_chosen(
    connection: Connection, workspace_id: UUID, chosen: Chosen, *, after: UUID | None = None, size: int = PAGE_SIZE
) -> Page[Candidate]:
    """Return the failed runs that an order would mean, in the order in which they would be sent."""
    values: list[Any] = [workspace_id, after, size + 1]
    condition = chosen.condition(values)
    rows = await connection.fetch(
        f"""
        SELECT runs.*, {NAME} AS contact_name, failed.name AS step_name, failed.connection FROM (
            SELECT {COLUMNS} FROM runs
            WHERE workspace_id = $1 AND id > coalesce($2, {FIRST}) AND {condition} ORDER BY id LIMIT $3
        ) AS runs LEFT JOIN contacts ON contacts.id = runs.contact_id
        LEFT JOIN LATERAL (SELECT name, connection FROM attempts WHERE run_id = runs.id AND step = runs.failed_step
                           ORDER BY number DESC LIMIT 1) AS failed ON true
        ORDER BY runs.id
        """,  # noqa: S608 - parts from this project
        *values,
    )
    return page_of(rows, _candidate, size)


def _candidate(row: Row) -> Candidate:
    return Candidate(run_of(row), row["failed_step"], row["step_name"] or "", row["connection"] or "")


async def count_chosen(connection: Connection, workspace_id: UUID, chosen: Chosen) -> Count:
    """Count the failed runs that an order would mean, up to a limit."""
    values: list[Any] = [workspace_id]
    condition = chosen.condition(values)
    query = f"SELECT FROM runs WHERE workspace_id = $1 AND {condition} LIMIT {COUNT_LIMIT + 1}"
    return count_of(await connection.fetchval(f"SELECT count(*) FROM ({query}) AS capped", *values))  # noqa: S608


async def count_asking(connection: Connection, workspace_id: UUID) -> Count:
    """Count the runs that ask a person whether their call happened, which no order retries; up to a limit."""
    return count_of(
        await connection.fetchval(
            f"""
            SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'failed' AND handled_at IS NULL
                                  AND fate = $2 LIMIT {COUNT_LIMIT + 1}) AS capped
            """,  # noqa: S608 - a number of ours
            workspace_id,
            UnsureError.fate,
        )
    )


_LAST = "SELECT * FROM bulk_retries WHERE workspace_id = $1"


async def list_bulk_retries(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[BulkRetry]:
    """Return the orders, newest first; without counting what became of their runs."""
    rows = await connection.fetch(
        f"{_LAST} AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        workspace_id,
        before,
        size + 1,
    )
    return page_of(rows, _bulk_of, size)


async def bulk_retry(connection: Connection, workspace_id: UUID, bulk_id: UUID) -> BulkRetry | None:
    """Return one order, with what became of the runs that it sent, and how many are left."""
    row = await connection.fetchrow(f"{_LAST} AND id = $2", workspace_id, bulk_id)
    if row is None:
        return None
    went = await connection.fetch(
        """
        SELECT state, count(*) FROM (
            SELECT (SELECT state FROM runs WHERE id = hand_retries.run_id) AS state FROM hand_retries WHERE bulk_id = $1
        ) AS sent WHERE state IS NOT NULL GROUP BY state
        """,
        bulk_id,
    )
    left = Count(0)
    if row["state"] != "done":
        values: list[Any] = [workspace_id, row["after"], row["begun_at"]]
        condition = Chosen.from_json(row["chosen"]).condition(values)
        left = count_of(
            await connection.fetchval(
                f"""
                SELECT count(*) FROM (
                    SELECT FROM runs WHERE workspace_id = $1 AND id > coalesce($2, {FIRST}) AND finished_at <= $3
                      AND {condition} LIMIT {COUNT_LIMIT + 1}) AS capped
                """,  # noqa: S608 - parts from this project
                *values,
            )
        )
    return _bulk_of(row, {each["state"]: each["count"] for each in went}, left)


def _bulk_of(row: Row, went: Mapping[str, int] | None = None, left: Count | None = None) -> BulkRetry:
    names = [name for name in BulkRetry.__dataclass_fields__ if name not in {"went", "left"}]
    return BulkRetry(**{name: row[name] for name in names}, went=went or {}, left=left or Count(0))


async def retries_of(connection: Connection, workspace_id: UUID, run_id: UUID) -> tuple[HandRetry, ...]:
    """Return how a run was retried by hand, the latest first (at most fifty)."""
    rows = await connection.fetch(
        f"""
        SELECT at, by, from_step, bulk_id, input_before FROM hand_retries WHERE run_id = $1 AND workspace_id = $2
        ORDER BY id DESC LIMIT {_MOST_RETRIES}
        """,  # noqa: S608 - a number of ours
        run_id,
        workspace_id,
    )
    return tuple(HandRetry(**row) for row in rows)
