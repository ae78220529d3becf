"""SQL of intake: a delivery and its place in the queue, committed together."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.db.tallies import add_tallies
from mainstay.intake.rules import (
    LEAD,
    QUARANTINE_AGE,
    QUARANTINE_BYTES,
    QUARANTINE_COUNT,
    Receipt,
    SourceBinding,
    brings_person,
    headers_to_keep,
    key_to_keep,
    url_to_keep,
)
from mainstay.kit import RawRequest
from mainstay.model import CANARY, Lane, first_id_at, new_id
from mainstay.runs import GRACE, NewRun, add_runs, enqueue_behind
from mainstay.telemetry import traceparent

if TYPE_CHECKING:
    from mainstay.db import Connection

INBOUND = "inbound.v1"
_RUNS_PER_EXECUTION = 32
_OPEN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery to keep. ``input`` is what its run works on; None for one that is rejected for ``reason``.

    ``key`` and ``window`` recognise a repeat; an empty key has none. With ``answer_within`` its sender waits
    for a result, and whoever keeps it drives it first. ``lane`` is which queue its run waits in.
    """

    id: UUID
    source: SourceBinding
    request: RawRequest
    verified: str
    input: Mapping[str, Any] | None
    reason: str = ""
    key: str = ""
    window: timedelta | None = None
    answer_within: timedelta | None = None
    lane: Lane = Lane.LEAD
    trace: str = field(default_factory=traceparent)


class OpenExecution:
    """The queue entry that the deliveries of a moment and lane share, also over several transactions.

    To the engine an entry costs about as much as a lead itself, however many runs it has.
    """

    def __init__(self) -> None:
        self._lanes = {lane: _OpenInLane(lane) for lane in Lane}

    async def places(self, connection: Connection, lanes: Sequence[Lane]) -> list[str]:
        """Return the execution of each of some new runs: in the queue, once this transaction is committed."""
        found = {}
        for lane, count in Counter(lanes).items():
            found[lane] = iter(await self._lanes[lane].places(connection, count))
        return [next(found[lane]) for lane in lanes]


class _OpenInLane:
    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._id = ""
        self._room = 0
        # Only for a moment: the queue passes over an entry while a transaction that adds to it is under way.
        self._open_until = 0.0

    async def places(self, connection: Connection, count: int) -> list[str]:
        is_open = self._room > 0 and time.monotonic() < self._open_until
        if not (is_open and await connection.fetchval("SELECT join_execution($1)", self._id)):
            self._room = 0
        places = [self._id] * min(count, self._room)
        self._room -= len(places)
        missing = count - len(places)
        if missing:
            new = [str(new_id()) for _ in range(math.ceil(missing / _RUNS_PER_EXECUTION))]
            await connection.execute(
                "SELECT enqueue_execution(e, NULL, $2) FROM unnest($1::text[]) AS t (e)", new, self._lane
            )
            self._id, self._room = new[-1], len(new) * _RUNS_PER_EXECUTION - missing
            self._open_until = time.monotonic() + _OPEN_SECONDS
            places += [execution_id for execution_id in new for _ in range(_RUNS_PER_EXECUTION)][:missing]
        return places


async def keep(connection: Connection, arrivals: Sequence[Arrival], execution: OpenExecution) -> list[Receipt]:
    """Keep deliveries and enqueue their runs."""
    first = await _claim_keys(connection, arrivals)
    receipts: list[Receipt] = []
    kept: list[Arrival] = []
    for arrival in arrivals:
        original = first.get(_key(arrival), arrival.id)
        if original != arrival.id:
            receipts.append(Receipt("repeated", original, answer_within=arrival.answer_within))
            continue
        kept.append(arrival)
        if arrival.input is None:
            receipts.append(Receipt("rejected", arrival.id, arrival.reason))
            continue
        own = str(new_id()) if arrival.answer_within else ""
        receipts.append(Receipt("accepted", arrival.id, execution_id=own, answer_within=arrival.answer_within))
    behind = {each.delivery_id: each for each in receipts if each.execution_id}
    await enqueue_behind(connection, [(each.execution_id, each.answer_within or GRACE) for each in behind.values()])
    readable = [(arrival, arrival.input) for arrival in kept if arrival.input is not None]
    shared = iter(await execution.places(connection, [a.lane for a, _ in readable if a.id not in behind]))
    runs = [
        NewRun(
            new_id(),
            arrival.source.workspace_id,
            INBOUND,
            {**data, "answers": True} if arrival.id in behind else data,
            behind[arrival.id].execution_id if arrival.id in behind else next(shared),
            delivery_id=arrival.id,
            lane=arrival.lane,
            trace=arrival.trace,
        )
        for arrival, data in readable
    ]
    run_of = {run.delivery_id: run.id for run in runs}
    if kept:
        await connection.executemany(
            """
            INSERT INTO deliveries (id, workspace_id, source, kind, state, verified, reason, method, url, headers, body,
                                    received_at, run_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            [
                (
                    a.id,
                    a.source.workspace_id,
                    a.source.name,
                    a.source.kind.name,
                    "rejected" if a.input is None else "accepted",
                    a.verified,
                    storable(a.reason),
                    a.request.method,
                    url_to_keep(a.source, a.request),
                    headers_to_keep(a.source, a.request),
                    a.request.body,
                    a.request.received_at,
                    run_of.get(a.id),
                )
                for a in kept
            ],
        )
    if runs:
        await add_runs(connection, runs)
    counts: Counter[tuple[UUID, str, str]] = Counter()
    for arrival, receipt in zip(arrivals, receipts, strict=True):
        name = f"source {arrival.source.name}"
        if arrival.input is not None and arrival.input.get(CANARY):
            counts[arrival.source.workspace_id, name, CANARY] += 1
            continue
        counts[arrival.source.workspace_id, name, receipt.state] += 1
        if receipt.state == "accepted" and arrival.input is not None and brings_person(arrival.input["events"]):
            counts[arrival.source.workspace_id, name, LEAD] += 1
    await add_tallies(connection, counts)
    return receipts


def _key(arrival: Arrival) -> tuple[UUID, str, str]:
    return arrival.source.workspace_id, arrival.source.name, arrival.key or str(arrival.id)


async def _claim_keys(connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[UUID, str, str], UUID]:
    """Return, for each key, the delivery that it belongs to: ours if we are the first."""
    unique: dict[tuple[UUID, str, str], Arrival] = {}
    for arrival in arrivals:
        if arrival.key and arrival.input is not None:
            unique.setdefault(_key(arrival), arrival)
    if not unique:
        return {}
    ordered = sorted(unique.items(), key=lambda item: tuple(map(str, item[0])))
    rows = await connection.fetch(
        """
        INSERT INTO delivery_keys AS known (workspace_id, source, key, delivery_id, seen_at)
        SELECT w, s, k, d, now() FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS t (w, s, k, d)
        ON CONFLICT (workspace_id, source, key) DO UPDATE SET repeats = known.repeats + 1
        RETURNING workspace_id, source, key, delivery_id, seen_at
        """,
        [key[0] for key, _ in ordered],
        [key[1] for key, _ in ordered],
        [key[2] for key, _ in ordered],
        [arrival.id for _, arrival in ordered],
    )
    owners = {(row["workspace_id"], row["source"], row["key"]): row["delivery_id"] for row in rows}
    now = datetime.now(UTC)
    for row in rows:
        key = (row["workspace_id"], row["source"], row["key"])
        arrival = unique[key]
        if arrival.window is not None and row["delivery_id"] != arrival.id and now - row["seen_at"] > arrival.window:
            await connection.execute(
                """
                UPDATE delivery_keys SET delivery_id = $4, seen_at = now()
                WHERE workspace_id = $1 AND source = $2 AND key = $3
                """,
                *key,
                arrival.id,
            )
            owners[key] = arrival.id
    return owners


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event of a delivery, by its sender's key."""

    workspace_id: UUID
    source: str
    key: str
    delivery_id: UUID

    @property
    def kept_as(self) -> tuple[UUID, str, str]:
        """The row of its key."""
        return self.workspace_id, self.source, key_to_keep(self.key)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A request whose sender could not be proven."""

    source: SourceBinding
    request: RawRequest
    reason: str


async def put_in_quarantine(connection: Connection, suspects: Sequence[Suspect]) -> list[UUID | Exception]:
    """Keep suspects within the bounds of count, size and age of each source; the oldest make room."""
    ids = [new_id() for _ in suspects]
    await connection.executemany(
        """
        INSERT INTO quarantine (id, workspace_id, source, reason, method, url, headers, body, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (
                id_,
                s.source.workspace_id,
                s.source.name,
                storable(s.reason),
                s.request.method,
                url_to_keep(s.source, s.request),
                headers_to_keep(s.source, s.request),
                s.request.body,
                s.request.received_at,
            )
            for id_, s in zip(ids, suspects, strict=True)
        ],
    )
    for workspace_id, source in sorted({(s.source.workspace_id, s.source.name) for s in suspects}, key=str):
        await connection.execute(
            """
            DELETE FROM quarantine USING (
                SELECT id, row_number() OVER newest AS place, sum(length(body)) OVER newest AS bytes, received_at
                FROM quarantine WHERE workspace_id = $1 AND source = $2 WINDOW newest AS (ORDER BY id DESC)
            ) AS old
            WHERE quarantine.id = old.id
              AND (old.place > $3 OR old.bytes > $4 OR old.received_at < now() - $5::interval)
            """,
            workspace_id,
            source,
            QUARANTINE_COUNT,
            QUARANTINE_BYTES,
            QUARANTINE_AGE,
        )
    return list(ids)


async def clear_quarantine(connection: Connection, now: datetime) -> None:
    """Delete what has been in quarantine for its time, also where nothing new makes room."""
    await connection.execute("DELETE FROM quarantine WHERE id < $1", first_id_at(now - QUARANTINE_AGE))


async def load_delivery(
    connection: Connection, table: str, workspace_id: UUID, delivery_id: UUID
) -> tuple[str, str, RawRequest] | None:
    """Return a kept request as (source, verified, request); ``table`` is ``deliveries`` or ``quarantine``."""
    verified = "verified" if table == "deliveries" else "''"
    # Held: two people may press the button at once.
    row = await connection.fetchrow(
        f"SELECT source, {verified} AS verified, method, url, headers, body, received_at FROM {table} "  # noqa: S608 - two fixed names
        "WHERE id = $1 AND workspace_id = $2 FOR UPDATE",
        delivery_id,
        workspace_id,
    )
    if row is None:
        return None
    return (
        row["source"],
        row["verified"],
        RawRequest(row["method"], row["url"], row["headers"], row["body"], row["received_at"]),
    )


async def mark_deliveries(connection: Connection, states: Sequence[tuple[UUID, str, str]]) -> None:
    """Set the state of deliveries: (id, state, reason)."""
    await connection.executemany(
        "UPDATE deliveries SET state = $2, reason = $3 WHERE id = $1", sorted(states, key=lambda item: str(item[0]))
    )


async def told_before(connection: Connection, told: Collection[ToldEvent]) -> set[ToldEvent]:
    """Claim the events of deliveries that bring several; return those that another delivery of the source brought.

    They share their keys with deliveries: a sender that batches what it sends again batches it otherwise, or not at
    all. In the transaction that processes them.
    """
    if not told:
        return set()
    first: dict[tuple[UUID, str, str], ToldEvent] = {}
    for each in sorted(told, key=lambda each: str(each.delivery_id)):
        first.setdefault(each.kept_as, each)
    # In the order in which intake claims the keys of deliveries, so that neither waits for the other in turn.
    ordered = sorted(first.items(), key=lambda item: tuple(map(str, item[0])))
    rows = await connection.fetch(
        """
        INSERT INTO delivery_keys AS known (workspace_id, source, key, delivery_id, seen_at)
        SELECT w, s, k, d, now() FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS t (w, s, k, d)
        ON CONFLICT (workspace_id, source, key) DO UPDATE
        SET repeats = known.repeats + (known.delivery_id <> excluded.delivery_id)::integer
        RETURNING workspace_id, source, key, delivery_id
        """,
        [key[0] for key, _ in ordered],
        [key[1] for key, _ in ordered],
        [key[2] for key, _ in ordered],
        [each.delivery_id for _, each in ordered],
    )
    owners = {(row["workspace_id"], row["source"], row["key"]): row["delivery_id"] for row in rows}
    return {each for each in told if owners[each.kept_as] != each.delivery_id}


async def requeue_delivery(
    connection: Connection,
    source: SourceBinding,
    delivery_id: UUID,
    data: Mapping[str, Any],
    verified: str,
    key: str,
    *,
    lane: Lane = Lane.LEAD,
) -> UUID:
    """Give a kept delivery a new run on what the source reads from it today; from now on it owns its ``key``."""
    workspace_id, execution_id, run_id = source.workspace_id, str(new_id()), new_id()
    if key:
        await connection.execute(
            """
            INSERT INTO delivery_keys (workspace_id, source, key, delivery_id, seen_at) VALUES ($1, $2, $3, $4, now())
            ON CONFLICT DO NOTHING
            """,
            workspace_id,
            source.name,
            key,
            delivery_id,
        )
    await connection.execute(
        """
        UPDATE deliveries SET state = 'accepted', reason = '', verified = $3, run_id = $4
        WHERE id = $1 AND workspace_id = $2
        """,
        delivery_id,
        workspace_id,
        verified,
        run_id,
    )
    run = NewRun(run_id, workspace_id, INBOUND, data, execution_id, delivery_id=delivery_id, lane=lane)
    await add_runs(connection, [run])
    await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, lane)
    return run_id
