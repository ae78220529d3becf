"""Runs: the list with its filters, and the whole story of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.errors import UnsureError
from mainstay.insight.contacts import Counterpart, counterparts, group_of
from mainstay.insight.counting import COUNT_LIMIT, Count, count_of
from mainstay.insight.deliveries import DeliveryRow, deliveries_by_id
from mainstay.insight.incidents import IncidentRow, incident_detail
from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of, resolve_short_id
from mainstay.insight.search import search_contacts
from mainstay.kit.redaction import Redactor
from mainstay.model import Attempt, AttemptState

if TYPE_CHECKING:
    from mainstay.db import Connection

SEARCHED = 5000
MOST_ATTEMPTS = 500
_MOST_FOLLOWING = 50
# Each state as SQL that is known before it is planned: that is what lets a partial index serve it.
_STATES = {
    "queued": "runs.state = 'queued'",
    "running": "runs.state = 'running'",
    "waiting": "runs.state = 'waiting'",
    "failed": "runs.state = 'failed'",
    "stopped": "runs.state = 'failed' AND runs.handled_at IS NULL",
    "done": "runs.state = 'done'",
    "cancelled": "runs.state = 'cancelled'",
    "open": "runs.state IN ('queued', 'running', 'waiting')",
}
COLUMNS = (
    "id, workflow, state, delivery_id, contact_id, incident_id, wake_at, waiting_for, failed_step, fate, error, "
    "retries, created_at, started_at, finished_at, handled_at"
)
_START = "runs.id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as lists show it. ``contact_name`` is empty for a run that is about nobody."""

    id: UUID
    workflow: str
    state: str
    delivery_id: UUID | None
    contact_id: UUID | None
    contact_name: str
    incident_id: UUID | None
    wake_at: datetime | None
    waiting_for: str
    failed_step: int | None
    fate: str
    error: str
    retries: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    handled_at: datetime | None

    @property
    def is_moving(self) -> bool:
        """Tell whether it will go on by itself."""
        return self.state in {"queued", "running", "waiting"}

    @property
    def asks(self) -> bool:
        """Tell whether it failed because nobody could tell whether a call happened, and waits for a person's word."""
        return self.state == "failed" and self.fate == UnsureError.fate

    @property
    def needs_person(self) -> bool:
        """Tell whether it failed and nobody has handled it."""
        return self.state == "failed" and self.handled_at is None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list. Empty means any.

    ``state`` is a run's state, ``stopped`` (failed, and handled by nobody) or ``open`` (not ended). ``text`` is a
    (short) id, the beginning of a contact's name, e-mail or phone, its id in a system, or part of an error; of errors
    the newest ``SEARCHED`` failed runs are looked through. With ``by_id_alone`` it is an id of a run and nothing else:
    for who may not see personal data, and so must not learn of it by what is found.
    """

    state: str = ""
    workflow: str = ""
    contact_id: UUID | None = None
    incident_id: UUID | None = None
    text: str = ""
    region: str = ""
    by_id_alone: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step and its attempts, oldest first."""

    number: int
    name: str
    connection: str
    attempts: tuple[Attempt, ...]

    @property
    def state(self) -> AttemptState:
        """How its last attempt ended."""
        return self.attempts[-1].state

    @property
    def duration_ms(self) -> int:
        """Milliseconds spent in its attempts."""
        return sum(attempt.duration_ms for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class RunDetail:
    """The whole story of a run. ``following`` are the other runs that the same delivery began, in their order.

    ``result`` is what its workflow returned, with secrets, e-mails and phones masked.
    """

    run: RunRow
    input: Mapping[str, Any]
    steps: tuple[Step, ...]
    delivery: DeliveryRow | None
    following: tuple[RunRow, ...]
    incident: IncidentRow | None
    counterparts: tuple[Counterpart, ...] = field(default=())
    has_all_attempts: bool = True
    result: Any = None

    @property
    def stopped_at(self) -> Step | None:
        """The step at which it stopped, or waits for its next try; None when that is no step of its own."""
        for step in reversed(self.steps):
            is_it = step.number == self.run.failed_step if self.run.failed_step else step.state != AttemptState.OK
            if is_it and self.run.state != "done" and not step.attempts[-1].is_set_aside:
                return step
        return None


async def list_runs(
    connection: Connection,
    workspace_id: UUID,
    wanted: RunFilter,
    *,
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[RunRow]:
    """Return runs, newest first."""
    if wanted.state and wanted.state not in _STATES:
        return Page(())
    conditions = [_STATES[wanted.state]] if wanted.state else []
    values: list[Any] = [workspace_id, before, size + 1]
    for name in ("workflow", "contact_id", "incident_id"):
        value = getattr(wanted, name)
        if value:
            values.append(value)
            conditions.append(f"runs.{name} = ${len(values)}")
    if wanted.text.strip() and wanted.by_id_alone:
        values.append(list(await resolve_short_id(connection, "runs", workspace_id, wanted.text.strip())))
        conditions.append(f"runs.id = ANY(${len(values)}::uuid[])")
    elif wanted.text.strip():
        values += await _meant(connection, workspace_id, wanted)
        conditions.append(f"runs.id = ANY(ARRAY({_searched(len(values), ' AND '.join([_START, *conditions]))}))")
    query = f"""
        {_NAMED} FROM (
            SELECT {COLUMNS} FROM runs WHERE {" AND ".join(["workspace_id = $1", _START, *conditions])}
            ORDER BY id DESC LIMIT $3
        ) AS runs LEFT JOIN contacts ON contacts.id = runs.contact_id ORDER BY runs.id DESC
    """  # noqa: S608 - parts from this file
    return page_of(await connection.fetch(query, *values), run_of, size)


_NAMED = f"SELECT runs.*, {NAME} AS contact_name"


async def newest_run(connection: Connection, workspace_id: UUID) -> UUID | None:
    """Return the id of the run that began last, or None where nothing has run."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM runs WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1", workspace_id
    )
    return found


async def count_newer_runs(connection: Connection, workspace_id: UUID, workflow: str, seen: UUID) -> Count:
    """Count the runs, of one workflow if one is named, that began after the one that was ``seen``."""
    of_workflow = "AND workflow = $3" if workflow else ""
    query = f"""
        SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND id > $2 {of_workflow}
                              LIMIT {COUNT_LIMIT + 1}) AS capped
    """  # noqa: S608 - parts from this file
    return count_of(await connection.fetchval(query, workspace_id, seen, *([workflow] if workflow else [])))


async def runs_of_contacts(
    connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID], *, before: UUID | None, size: int
) -> Page[RunRow]:
    """Return the runs about any of these contacts, newest first."""
    query = f"""
        {_NAMED} FROM (
            SELECT found.* FROM unnest($4::uuid[]) AS members (id) CROSS JOIN LATERAL (
                SELECT {COLUMNS} FROM runs WHERE contact_id = members.id AND workspace_id = $1 AND {_START}
                ORDER BY runs.id DESC LIMIT $3
            ) AS found ORDER BY found.id DESC LIMIT $3
        ) AS runs LEFT JOIN contacts ON contacts.id = runs.contact_id ORDER BY runs.id DESC
    """  # noqa: S608 - parts from this file
    return page_of(await connection.fetch(query, workspace_id, before, size + 1, list(contact_ids)), run_of, size)


async def _meant(connection: Connection, workspace_id: UUID, wanted: RunFilter) -> list[Any]:
    """Return (run ids, contact ids, text) that a person may mean by what they typed."""
    text = wanted.text.strip()
    contacts = await search_contacts(connection, workspace_id, text, region=wanted.region, size=20)
    return [
        list(await resolve_short_id(connection, "runs", workspace_id, text)),
        [contact.id for contact in contacts],
        text,
    ]


def _searched(last: int, conditions: str) -> str:
    """Return SQL of the ids that match what was typed: three bounded look-ups, each by its own index."""
    return f"""
        SELECT unnest(${last - 2}::uuid[])
        UNION
        SELECT found.id FROM unnest(${last - 1}::uuid[]) AS c (id) CROSS JOIN LATERAL (
            SELECT id FROM runs WHERE workspace_id = $1 AND contact_id = c.id AND {conditions} ORDER BY id DESC LIMIT $3
        ) AS found
        UNION
        SELECT id FROM (
            SELECT id, error FROM runs WHERE workspace_id = $1 AND state = 'failed' AND {_START}
            ORDER BY id DESC LIMIT {SEARCHED}
        ) AS failed WHERE position(lower(${last}) IN lower(error)) > 0
    """  # noqa: S608 - parts from this file


async def run_detail(connection: Connection, workspace_id: UUID, run_id: UUID) -> RunDetail | None:
    """Return the story of one run, or None."""
    row = await connection.fetchrow(
        f"""
        {_NAMED} FROM runs LEFT JOIN contacts ON contacts.id = runs.contact_id
        WHERE runs.id = $1 AND runs.workspace_id = $2
        """,
        run_id,
        workspace_id,
    )
    if row is None:
        return None
    run = run_of(row)
    attempts = await connection.fetch(
        "SELECT * FROM attempts WHERE run_id = $1 AND workspace_id = $2 ORDER BY step, number LIMIT $3",
        run_id,
        workspace_id,
        MOST_ATTEMPTS + 1,
    )
    deliveries = await deliveries_by_id(connection, workspace_id, [run.delivery_id]) if run.delivery_id else ()
    return RunDetail(
        run=run,
        input=row["input"],
        steps=_steps(attempts[:MOST_ATTEMPTS]),
        delivery=deliveries[0] if deliveries else None,
        following=await runs_of_delivery(connection, workspace_id, run.delivery_id, without=run_id)
        if run.delivery_id
        else (),
        incident=await incident_detail(connection, workspace_id, run.incident_id) if run.incident_id else None,
        counterparts=await counterparts(connection, workspace_id, await group_of(connection, run.contact_id))
        if run.contact_id
        else (),
        has_all_attempts=len(attempts) <= MOST_ATTEMPTS,
        result=Redactor().value(row["result"]),
    )


async def runs_of_delivery(
    connection: Connection, workspace_id: UUID, delivery_id: UUID, *, without: UUID | None = None
) -> tuple[RunRow, ...]:
    """Return the runs that a delivery began, in their order (at most fifty)."""
    rows = await connection.fetch(
        f"""
        {_NAMED} FROM runs LEFT JOIN contacts ON contacts.id = runs.contact_id
        WHERE runs.delivery_id = $1 AND runs.workspace_id = $2 AND ($3::uuid IS NULL OR runs.id <> $3)
        ORDER BY runs.id LIMIT {_MOST_FOLLOWING}
        """,
        delivery_id,
        workspace_id,
        without,
    )
    return tuple(run_of(row) for row in rows)


def _steps(rows: list[Any]) -> tuple[Step, ...]:
    steps = []
    for number, group in groupby(rows, key=lambda row: row["step"]):
        attempts = tuple(_attempt_of(row) for row in group)
        connection = next((attempt.connection for attempt in attempts if attempt.connection), "")
        steps.append(Step(number, attempts[0].name, connection, attempts))
    return tuple(steps)


def _attempt_of(row: Row) -> Attempt:
    values = {name: row[name] for name in Attempt.__dataclass_fields__ if name != "effect"}
    return Attempt(**{**values, "state": AttemptState(row["state"]), "exchanges": tuple(row["exchanges"])})


def run_of(row: Row) -> RunRow:
    """Read a row with the columns of a list."""
    return RunRow(**{name: row[name] for name in RunRow.__dataclass_fields__})
