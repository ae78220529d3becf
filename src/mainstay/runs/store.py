"""SQL of the ledger. Every write is fenced by the run's claim: a worker that lost its run records nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import acquire, encode_json, storable
from mainstay.db.tallies import add_tallies
from mainstay.errors import FencedError
from mainstay.model import Attempt, AttemptState, Fence, Lane, Run, RunState, new_id
from mainstay.runs.adding import NewRun, add_runs
from mainstay.runs.approvals import Ask, add_asks
from mainstay.runs.children import FanOut, begin, children_ended
from mainstay.runs.retrying import requeue
from mainstay.runs.turns import Line, begin_next
from mainstay.runs.waits import Wait, add_waits, awake_already, take_waits
from mainstay.telemetry import is_tracing

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row

_ENDED = {RunState.DONE, RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker may drive now, with what is recorded of it so far, in order.

    ``known`` is what this process knows already and would otherwise read; never more than a saving. ``trace`` is what
    began it, where traces are followed.
    """

    run: Run
    attempts: tuple[Attempt, ...] = ()
    waits: Mapping[int, Any] = field(default_factory=dict)
    known: Any = None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a run: an end, or a wait until ``wake_at`` (None: until something wakes it).

    ``waits`` are the waits for events that begin with it, ``begins`` the runs that it waits for, ``asks`` its questions
    to people, ``tells`` the runs that pass them on; ``result`` is what a workflow that is done returned. ``held_at`` is
    the connection at whose gate it waits, since ``held_since``: the gate wakes it, not a queue entry.
    """

    state: RunState
    wake_at: datetime | None = None
    waiting_for: str = ""
    failed_step: int | None = None
    fate: str = ""
    error: str = ""
    waits: tuple[Wait, ...] = ()
    result: Any = None
    begins: tuple[FanOut, ...] = ()
    asks: tuple[Ask, ...] = ()
    tells: tuple[NewRun, ...] = ()
    held_at: str = ""
    held_since: datetime | None = None


Hook = Callable[["Connection", Run, Settlement], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Progress:
    """News of one run, recorded in one go: attempts, runs that it begins, and where it stands if it stops here.

    ``hook`` runs in the same transaction when the run fails, so that no failure goes unreported. ``is_in_doubt``: it
    stops before the step that a dead driver may have had under way, which whoever drives it next must know.
    """

    run: Run
    attempts: tuple[Attempt, ...] = ()
    settlement: Settlement | None = None
    hook: Hook | None = None
    begins: tuple[FanOut, ...] = ()
    is_in_doubt: bool = False


async def claim_execution(
    pool: Pool, execution_id: str, *, besides: Collection[UUID] = (), now: datetime | None = None
) -> list[Claimed]:
    """Take every unfinished run of an execution, fencing off whoever held it before; ``besides`` are left alone.

    One that is behind is left as well, unless its deadline has passed by ``now``.
    """
    claim = new_id()
    async with acquire(pool) as connection, connection.transaction():
        rows = await connection.fetch(
            """
            UPDATE runs SET state = 'running', claim = $2, started_at = coalesce(runs.started_at, now()),
                            wake_at = NULL, waiting_for = '', held_at = '',
                            is_in_doubt = runs.is_in_doubt OR before.state = 'running'
            FROM (SELECT id, state, started_at FROM runs
                  WHERE execution_id = $1 AND state IN ('queued', 'running', 'waiting')
                    AND id <> ALL($3::uuid[]) AND (NOT is_behind OR deadline_at <= $4)
                  ORDER BY id FOR UPDATE) AS before
            WHERE runs.id = before.id
            RETURNING runs.*, before.state AS state_before, before.started_at IS NOT NULL AS has_begun
            """,
            execution_id,
            claim,
            list(besides),
            now or datetime.now(UTC),
        )
        known = [row["id"] for row in rows if row["state_before"] != RunState.QUEUED or row["has_begun"]]
        attempts: dict[UUID, list[Attempt]] = {}
        waits: Mapping[UUID, Mapping[int, Any]] = {}
        if known:
            for row in await connection.fetch(
                "SELECT * FROM attempts WHERE run_id = ANY($1) ORDER BY run_id, step, number", known
            ):
                attempts.setdefault(row["run_id"], []).append(_attempt(row))
            waits = await take_waits(connection, known)
        traces: dict[UUID, str] = {}
        if rows and is_tracing():
            ids = [row["id"] for row in rows]
            found = await connection.fetch("SELECT run_id, traceparent FROM traces WHERE run_id = ANY($1)", ids)
            traces = {row["run_id"]: row["traceparent"] for row in found}
    return [
        Claimed(
            _run(row, taken_over=row["is_in_doubt"]),
            tuple(attempts.get(row["id"], ())),
            waits.get(row["id"], {}),
            trace=traces.get(row["id"], ""),
        )
        for row in rows
    ]


async def hold(connection: Connection, runs: Sequence[Run]) -> set[Fence]:
    """Lock those of these runs that are still owned as they say until the transaction's end; returns their fences.

    One process may have a run twice, under a claim that it lost and the one by which it got the run back.
    """
    held = await connection.fetch(
        """
        SELECT runs.id, runs.claim FROM runs JOIN unnest($1::uuid[], $2::uuid[]) AS mine (id, claim)
          ON runs.id = mine.id AND runs.claim = mine.claim
        ORDER BY runs.id FOR NO KEY UPDATE OF runs
        """,
        [run.id for run in runs],
        [run.claim for run in runs],
    )
    return {(row["id"], row["claim"]) for row in held}


async def settle(
    connection: Connection, news: Sequence[Progress], *, held: Collection[Fence] | None = None
) -> list[Exception | None]:
    """Record progress; for a run that another worker owns by now the result is a FencedError, and nothing is kept.

    ``held`` is what :func:`hold` gave in this transaction, where the caller has asked already.
    """
    alive = held if held is not None else await hold(connection, [item.run for item in news])
    kept = [item for item in news if item.run.fence in alive]
    await _add_attempts(connection, kept)
    for item in kept:
        for fan_out in item.begins:
            await begin(connection, item.run, fan_out, requeue)
    settled = [(item.run, item.settlement, item) for item in kept if item.settlement is not None]
    if settled:
        await _settle_runs(connection, settled)
    return [
        None if item.run.fence in alive else FencedError(f"run {item.run.id} is driven by another worker now")
        for item in news
    ]


async def _settle_runs(connection: Connection, settled: Sequence[tuple[Run, Settlement, Progress]]) -> None:
    now = datetime.now(UTC)
    parked = [(run, new, str(new_id())) for run, new, _ in settled if new.state is RunState.WAITING]
    next_execution = {run.id: execution_id for run, _, execution_id in parked}
    rows = await connection.fetch(
        _SETTLE,
        [run.id for run, _, _ in settled],
        [new.state for _, new, _ in settled],
        [new.wake_at for _, new, _ in settled],
        [new.waiting_for for _, new, _ in settled],
        [new.failed_step for _, new, _ in settled],
        [new.fate for _, new, _ in settled],
        [storable(new.error[:2000]) for _, new, _ in settled],
        [sum(attempt.state is AttemptState.RETRY for attempt in item.attempts) for _, _, item in settled],
        [now if new.state in _ENDED else None for _, new, _ in settled],
        [next_execution.get(run.id) for run, _, _ in settled],
        # As text: a result that is a list would be taken for a dimension of the array.
        [None if new.result is None else encode_json(new.result) for _, new, _ in settled],
        [new.held_at for _, new, _ in settled],
        [new.held_since for _, new, _ in settled],
        [item.is_in_doubt for _, _, item in settled],
    )
    for row in sorted(rows, key=lambda row: row["id"]):
        if row["is_awaited"]:
            await begin_next(connection, Line(row["workspace_id"], row["workflow"], row["key"]))
    if parked:
        await add_waits(connection, [(run, wait) for run, new, _ in parked for wait in new.waits])
        await add_asks(connection, [(run, ask) for run, new, _ in parked for ask in new.asks])
        for run, new, _ in parked:
            for fan_out in new.begins:
                await begin(connection, run, fan_out, requeue)
        if told := [run for _, new, _ in parked for run in new.tells]:
            await add_runs(connection, told)
            entries = [(run.execution_id, run.lane) for run in told]
            await connection.executemany("SELECT enqueue_execution($1, NULL, $2)", entries)
        awake = await awake_already(connection, [run.id for run, _, _ in parked])
        # A wait without an end, or at a gate, is not enqueued: what wakes it will do that.
        await connection.executemany(
            "SELECT enqueue_execution($1, $2, $3)",
            [
                (execution_id, None if run.id in awake else new.wake_at, run.lane)
                for run, new, execution_id in parked
                if (new.wake_at is not None and not new.held_at) or run.id in awake
            ],
        )
    if children := [run.id for run, new, _ in settled if run.parent_id is not None and new.state in _ENDED]:
        await children_ended(connection, children)
    for run, new, item in settled:
        if new.state is RunState.FAILED and item.hook is not None:
            await item.hook(connection, run, new)
    counts = Counter(
        (run.workspace_id, f"run {run.workflow}", str(new.state)) for run, new, _ in settled if not run.is_canary
    )
    counts.update((row["workspace_id"], f"saved {row['workflow']}", "done") for row in rows if row["is_saved"])
    await add_tallies(connection, counts)


# Looks for those behind with a snapshot that is newer than the lock on the row: who comes later sees that it has ended.
_SETTLE = """
    UPDATE runs SET state = t.state, wake_at = t.wake_at, waiting_for = t.waiting_for, failed_step = t.failed_step,
           fate = t.fate, error = t.error, retries = retries + t.retried, finished_at = t.finished_at,
           execution_id = coalesce(t.execution_id, runs.execution_id), claim = NULL, result = t.result::jsonb,
           held_at = t.held_at, held_since = t.held_since, is_in_doubt = t.is_in_doubt
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::integer[], $6::text[], $7::text[],
                $8::integer[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
                $14::boolean[])
         AS t (id, state, wake_at, waiting_for, failed_step, fate, error, retried, finished_at, execution_id, result,
               held_at, held_since, is_in_doubt)
    WHERE runs.id = t.id
    RETURNING runs.id, workspace_id, workflow, key, runs.state = 'done' AND runs.retries > 0 AS is_saved,
              key <> '' AND t.finished_at IS NOT NULL AND EXISTS (
                  SELECT FROM runs AS later
                  WHERE later.workspace_id = runs.workspace_id AND later.key = runs.key AND later.key <> ''
                    AND later.workflow = runs.workflow AND later.is_behind
                    AND later.state IN ('queued', 'running', 'waiting')) AS is_awaited
"""


async def _add_attempts(connection: Connection, news: Sequence[Progress]) -> None:
    rows = [
        (
            item.run.workspace_id,
            a.run_id,
            a.step,
            a.number,
            a.name,
            a.connection,
            a.state,
            list(a.exchanges),
            a.result,
            a.fate,
            storable(a.error[:2000]),
            a.status,
            a.started_at,
            a.duration_ms,
            a.next_at,
            a.repeated,
            a.guard,
            a.asked,
        )
        for item in news
        for a in item.attempts
    ]
    if not rows:
        return
    await connection.executemany(
        """
        INSERT INTO attempts (workspace_id, run_id, step, number, name, connection, state, exchanges, result, fate,
                              error, status, started_at, duration_ms, next_at, repeated, guard, asked)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT DO NOTHING  -- kept by a commit whose answer was lost: only the run's owner comes this far
        """,
        rows,
    )
    counts = Counter(
        (item.run.workspace_id, f"attempt {a.connection}", str(a.state))
        for item in news
        for a in item.attempts
        if a.connection
    )
    counts.update(
        (item.run.workspace_id, f"guard {a.connection}", str(a.guard))
        for item in news
        for a in item.attempts
        if a.connection and a.guard
    )
    await add_tallies(connection, counts)


async def recorded_run(connection: Connection, workspace_id: UUID, run_id: UUID) -> Claimed | None:
    """Return a run with all that is recorded of it, to look at; nobody's claim on it is touched."""
    row = await connection.fetchrow("SELECT * FROM runs WHERE id = $1 AND workspace_id = $2", run_id, workspace_id)
    if row is None:
        return None
    attempts = await connection.fetch(
        "SELECT * FROM attempts WHERE run_id = $1 AND workspace_id = $2 ORDER BY step, number", run_id, workspace_id
    )
    return Claimed(_run(row, taken_over=False), tuple(_attempt(each) for each in attempts))


def _run(row: Row, *, taken_over: bool) -> Run:
    return Run(
        id=row["id"],
        workspace_id=row["workspace_id"],
        workflow=row["workflow"],
        input=row["input"],
        execution_id=row["execution_id"],
        claim=row["claim"],
        delivery_id=row["delivery_id"],
        event_id=row["event_id"],
        contact_id=row["contact_id"],
        created_at=row["created_at"],
        taken_over=taken_over,
        lane=Lane(row["lane"]),
        parent_id=row["parent_id"],
        deadline_at=row["deadline_at"],
        held_since=row["held_since"],
        deaths=row["deaths"],
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(
        run_id=row["run_id"],
        step=row["step"],
        name=row["name"],
        number=row["number"],
        state=AttemptState(row["state"]),
        started_at=row["started_at"],
        duration_ms=row["duration_ms"],
        connection=row["connection"],
        exchanges=tuple(row["exchanges"]),
        result=row["result"],
        fate=row["fate"],
        error=row["error"],
        status=row["status"],
        next_at=row["next_at"],
        repeated=row["repeated"],
        guard=row["guard"],
        asked=row["asked"],
        is_set_aside=row["is_set_aside"],
    )
