"""SQL of new runs: each begins, or takes its place in line behind an earlier one of its workflow and key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db.tallies import add_tallies
from mainstay.model import Lane, Overlap, RunState, new_id
from mainstay.runs.cancelling import cancel_lines
from mainstay.runs.turns import IN_LINE, OPEN, PLACE, Line
from mainstay.telemetry import traceparent

if TYPE_CHECKING:
    from mainstay.db import Connection

DEBOUNCED = "a quiet moment (debounce)"


@dataclass(frozen=True, slots=True)
class Turn:
    """How a run takes turns with the others of its workflow and ``key``.

    ``not_before`` is when it may begin: until then a newer one of its key takes its place (debounce).
    """

    key: str
    overlap: Overlap = Overlap.QUEUE
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be: ``input`` is JSON-able; ``execution_id`` the queue entry that will drive it.

    ``turn`` None: it begins whatever else runs. ``parent_id`` and ``deadline_at`` as in :class:`mainstay.model.Run`.
    ``trace`` is the work that begins it, where traces are followed.
    """

    id: UUID
    workspace_id: UUID
    workflow: str
    input: Mapping[str, Any]
    execution_id: str
    delivery_id: UUID | None = None
    event_id: UUID | None = None
    contact_id: UUID | None = None
    lane: Lane = Lane.LEAD
    parent_id: UUID | None = None
    deadline_at: datetime | None = None
    turn: Turn | None = None
    trace: str = field(default_factory=traceparent)

    @property
    def line(self) -> Line | None:
        """What it takes turns in; None when it takes none."""
        return Line(self.workspace_id, self.workflow, self.turn.key) if self.turn else None


async def begin_run(
    connection: Connection,
    workspace_id: UUID,
    workflow: str,
    data: Mapping[str, Any],
    *,
    lane: Lane = Lane.LEAD,
    run_id: UUID | None = None,
    contact_id: UUID | None = None,
) -> UUID:
    """Insert a run that waits for no turn, and put it on the queue, in an execution of its own; returns its id."""
    new = NewRun(run_id or new_id(), workspace_id, workflow, data, str(new_id()), contact_id=contact_id, lane=lane)
    await add_runs(connection, [new])
    await connection.execute("SELECT enqueue_execution($1, NULL, $2)", new.execution_id, lane)
    return new.id


async def add_runs(
    connection: Connection, runs: Sequence[NewRun], *, claims: Mapping[UUID, UUID | None] | None = None
) -> set[UUID]:
    """Insert runs; returns those that may begin now, whose execution the caller puts on the queue, or drives.

    The others have their place in line, wait for their quiet moment, were folded into one that does, or are not begun
    at all. With ``claims`` (run id to claim) they are running from the start: their execution is being driven already.
    """
    if traced := [(run.id, run.workspace_id, run.trace) for run in runs if run.trace]:
        await connection.executemany(
            "INSERT INTO traces (run_id, workspace_id, traceparent) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", traced
        )
    if not any(run.turn for run in runs):
        await _insert_plain(connection, runs, claims)
        return {run.id for run in runs}
    begun: set[UUID] = set()
    left = await _fold(connection, _newest_of_replacing(runs))
    while left:
        replacing = {run.line for run in left if run.turn and run.turn.overlap is Overlap.REPLACE and run.line}
        if replacing:
            await cancel_lines(connection, replacing, reason="replaced by a later run")
        placed = await _insert(connection, left, claims)
        begun |= {run_id for run_id, state in placed.items() if state == (RunState.RUNNING if claims else "queued")}
        # Of two that met at an empty line, the one that lost sees the other now; what is to be replaced is new as well.
        left = [run for run in left if run.id not in placed]
    return begun


async def _insert_plain(
    connection: Connection, runs: Sequence[NewRun], claims: Mapping[UUID, UUID | None] | None
) -> None:
    """Insert runs that take no turns: row by row in one go, which costs less than a statement for all."""
    now = datetime.now(UTC)
    await connection.executemany(
        f"{_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        [
            (
                run.id,
                run.workspace_id,
                run.workflow,
                run.input,
                run.execution_id,
                run.delivery_id,
                run.event_id,
                run.contact_id,
                run.lane,
                run.parent_id,
                run.deadline_at,
                claims[run.id] if claims else None,
                now,
                RunState.RUNNING if claims else RunState.QUEUED,
                now if claims else None,
            )
            for run in runs
        ],
    )


async def _insert(
    connection: Connection, runs: Sequence[NewRun], claims: Mapping[UUID, UUID | None] | None
) -> dict[UUID, str]:
    now = datetime.now(UTC)
    turns = [run.turn or _NONE for run in runs]
    behind = str(new_id())
    rows = await connection.fetch(
        _INSERT_IN_LINE,
        [run.id for run in runs],
        [run.workspace_id for run in runs],
        [run.workflow for run in runs],
        [run.input for run in runs],
        [run.execution_id if turn.not_before is None else str(new_id()) for run, turn in zip(runs, turns, strict=True)],
        [run.delivery_id for run in runs],
        [run.event_id for run in runs],
        [run.contact_id for run in runs],
        [run.lane for run in runs],
        [run.parent_id for run in runs],
        [run.deadline_at for run in runs],
        [claims[run.id] if claims else None for run in runs],
        now,
        RunState.RUNNING if claims else RunState.QUEUED,
        [turn.key for turn in turns],
        [turn.overlap for turn in turns],
        [turn.not_before for turn in turns],
        behind,
        DEBOUNCED,
    )
    if any(row["is_behind"] for row in rows):
        # Whoever these are behind may be ending in this very instant, without seeing them: so they look again.
        await connection.execute("SELECT enqueue_execution($1, NULL)", behind)
    entries = [
        (row["execution_id"], row["wake_at"], row["lane"])
        for row in rows
        if row["wake_at"] is not None and row["state"] == RunState.WAITING and not row["is_behind"]
    ]
    if entries:
        await connection.executemany("SELECT enqueue_execution($1, $2, $3)", entries)
    skipped = Counter(
        (row["workspace_id"], f"run {row['workflow']}", row["state"])
        for row in rows
        if row["state"] == RunState.CANCELLED
    )
    await add_tallies(connection, skipped)
    return {row["id"]: row["state"] for row in rows}


def _newest_of_replacing(runs: Sequence[NewRun]) -> list[NewRun]:
    """Leave out those that a later one of the same transaction replaces, or has in its place when it is debounced."""
    newest: dict[Line, UUID] = {}
    for run in runs:
        if run.line and run.turn and (run.turn.not_before is not None or run.turn.overlap is Overlap.REPLACE):
            newest[run.line] = run.id
    return [run for run in runs if run.line is None or newest.get(run.line, run.id) == run.id]


async def _fold(connection: Connection, runs: list[NewRun]) -> list[NewRun]:
    """Let those that are debounced take the place of one that waits for its quiet moment; returns the others."""
    left = []
    for run in runs:
        if run.turn is None or run.turn.not_before is None:
            left.append(run)
            continue
        found = await connection.fetchrow(
            f"""
            UPDATE runs SET input = $4, event_id = $5, delivery_id = $6, contact_id = $7, wake_at = $8,
                   execution_id = $9
            WHERE {IN_LINE} AND state = 'waiting' AND started_at IS NULL AND wake_at IS NOT NULL
            RETURNING is_behind, lane
            """,  # noqa: S608 - parts from this package
            run.workspace_id,
            run.turn.key,
            run.workflow,
            run.input,
            run.event_id,
            run.delivery_id,
            run.contact_id,
            run.turn.not_before,
            execution_id := str(new_id()),
        )
        if found is None:
            left.append(run)
        elif not found["is_behind"]:
            await connection.execute(
                "SELECT enqueue_execution($1, $2, $3)", execution_id, run.turn.not_before, found["lane"]
            )
    return left


_NONE = Turn("")
_COLUMNS = """
    INSERT INTO runs (id, workspace_id, workflow, input, execution_id, delivery_id, event_id, contact_id, lane,
                      parent_id, deadline_at, claim, created_at, state, started_at"""
_GIVEN = """
    unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[],
           $10::uuid[], $11::timestamptz[], $12::uuid[]"""
_NAMES = """id, workspace_id, workflow, input, execution_id, delivery_id, event_id, contact_id, lane, parent_id,
           deadline_at, claim"""
# Read without a lock, as the transaction may hold much already: who is behind looks again when this is committed.
_INSERT_IN_LINE = f"""
    {_COLUMNS}, key, is_behind, wake_at, waiting_for, error, finished_at)
    SELECT t.id, t.workspace_id, t.workflow, t.input,
           CASE WHEN first.id IS NULL OR t.overlap = 'skip' THEN t.execution_id ELSE $18::text END,
           t.delivery_id, t.event_id, t.contact_id, t.lane, t.parent_id, t.deadline_at,
           CASE WHEN first.id IS NULL AND t.not_before IS NULL THEN t.claim END,
           $13,
           CASE WHEN first.id IS NULL AND t.not_before IS NULL THEN $14::text
                WHEN first.id IS NOT NULL AND t.overlap = 'skip' THEN 'cancelled' ELSE 'waiting' END,
           CASE WHEN first.id IS NULL AND t.not_before IS NULL AND $14::text = 'running' THEN $13::timestamptz END,
           t.key,
           first.id IS NOT NULL AND t.overlap <> 'skip',
           CASE WHEN first.id IS NULL OR t.overlap <> 'skip' THEN t.not_before END,
           CASE WHEN first.id IS NOT NULL THEN CASE t.overlap WHEN 'skip' THEN '' ELSE 'its turn' END
                WHEN t.not_before IS NOT NULL THEN $19::text ELSE '' END,
           CASE WHEN first.id IS NOT NULL AND t.overlap = 'skip'
                THEN 'not begun: run ' || right(first.id::text, 8) || ' had not ended' ELSE '' END,
           CASE WHEN first.id IS NOT NULL AND t.overlap = 'skip' THEN $13::timestamptz END
    FROM {_GIVEN}, $15::text[], $16::text[], $17::timestamptz[])
         AS t ({_NAMES}, key, overlap, not_before)
    LEFT JOIN LATERAL (
        SELECT runs.id FROM runs
        WHERE t.key <> '' AND runs.workspace_id = t.workspace_id AND runs.key = t.key AND runs.key <> ''
          AND runs.workflow = t.workflow AND runs.{OPEN} ORDER BY runs.is_behind LIMIT 1
    ) AS first ON true
    WHERE first.id IS NULL OR t.overlap <> 'replace'
    ON CONFLICT (workspace_id, key, workflow, is_behind, ({PLACE})) WHERE key <> '' AND {OPEN} DO NOTHING
    RETURNING id, workspace_id, workflow, state, is_behind, execution_id, wake_at, lane
"""  # noqa: S608 - parts from this package
