"""Did anything break in the last 24 hours? Read from counters and short indexes, so that it stays quick."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.access import list_access
from mainstay.insight.counting import COUNT_LIMIT, Count, count_of
from mainstay.insight.gates import OUT, PAUSED, list_gates
from mainstay.insight.incidents import IncidentRow, open_incidents
from mainstay.insight.mirrors import proposals_waiting
from mainstay.insight.rules import BROKEN, Healed, Missed, Thing, judge
from mainstay.insight.suggestions import suggestions_waiting
from mainstay.insight.tallies import Tally, tallies_since, waiting_by_connection
from mainstay.intake.rules import LEAD
from mainstay.model import first_id_at

if TYPE_CHECKING:
    from mainstay.db import Connection

WINDOW = timedelta(hours=24)
WORKER_SILENT_AFTER = timedelta(seconds=15)
_QUEUED_TOO_LONG = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What a source brought in the last 24 hours: of what was accepted, ``leads`` have a person in them."""

    source: str
    accepted: int
    leads: int
    repeated: int
    rejected: int


@dataclass(frozen=True, slots=True)
class OldestRun:
    """The run that has been on its way for the longest; a sleep or a wait for an event does not count."""

    id: UUID
    workflow: str
    state: str
    waiting_for: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and what it stands on.

    ``state`` is ``fine``, ``healing`` or ``broken``. ``runs_done`` and ``runs_failed`` count the ends of runs in the
    window, ``queued``, ``running`` and ``waiting`` the runs that are so now (``retrying`` of them: for their next try).
    ``stopped`` are the connections whose calls are stopped, by hand or because the vendor does not answer, ``ahead``
    what will break unless somebody acts, ``missed`` what no webhook brought.
    ``rejected`` and ``quarantined`` count deliveries of the window that are still so. ``suggestions`` and
    ``proposals`` wait for a person's review, and are no failure: contacts that may be one, and what mirrors propose.
    """

    state: str
    sentence: str
    since: datetime
    now: datetime
    broken: tuple[Thing, ...]
    recovering: tuple[Thing, ...]
    stopped: tuple[Thing, ...]
    ahead: tuple[Thing, ...]
    healed: tuple[Healed, ...]
    missed: tuple[Missed, ...]
    sources: tuple[SourceCount, ...]
    runs_done: int
    runs_failed: int
    queued: Count
    running: Count
    waiting: Count
    retrying: Count
    rejected: Count
    quarantined: Count
    oldest: OldestRun | None
    has_worker: bool
    suggestions: Count = field(default_factory=lambda: Count(0))
    proposals: Count = field(default_factory=lambda: Count(0))

    @property
    def leads(self) -> int:
        """Deliveries accepted in the window that have a person in them."""
        return sum(source.leads for source in self.sources)

    @property
    def deliveries(self) -> int:
        """All that were accepted in the window: a task that is done, an invoice that is paid, a layer's report too."""
        return sum(source.accepted for source in self.sources)

    @property
    def repeats(self) -> int:
        """Repeated deliveries that were caught in the window."""
        return sum(source.repeated for source in self.sources)

    @property
    def reviews(self) -> Count:
        """What waits for a person's review."""
        return self.suggestions + self.proposals

    @property
    def is_broken(self) -> bool:
        """Tell whether a person is needed."""
        return self.state == BROKEN


async def verdict(connection: Connection, workspace_id: UUID, now: datetime) -> Verdict:
    """Answer "did anything break in the last 24 hours?" for one workspace."""
    since = now - WINDOW
    attempts = await tallies_since(connection, workspace_id, since, "attempt")
    runs = await tallies_since(connection, workspace_id, since, "run")
    sources = _source_counts(await tallies_since(connection, workspace_id, since, "source"))
    incidents = await open_incidents(connection, workspace_id)
    counts = await _counts(connection, workspace_id)
    retrying = await _retrying(connection, workspace_id)
    rejected = await _rejected(connection, workspace_id, since)
    is_alive = await _has_worker(connection, now)
    oldest = await _oldest(connection, workspace_id)

    ahead = [_thing_of(incident) for incident in incidents if incident.is_foreseen]
    broken = [_thing_of(each) for each in incidents if not each.is_recovering and not each.is_foreseen]
    recovering = [_thing_of(incident) for incident in incidents if incident.is_recovering]
    broken += await _not_connected(connection, workspace_id, {each.connection for each in incidents if each.workflow})
    broken += rejected
    broken += await _unreported(connection, workspace_id, since)
    if not is_alive and oldest is not None and oldest.state == "queued" and now - oldest.since > _QUEUED_TOO_LONG:
        broken.insert(0, _no_worker(oldest, counts["queued"]))
    is_any_tried_again = any(label == "retry" for _, label in attempts)
    healed = _healed(attempts, await waiting_by_connection(connection, workspace_id) if is_any_tried_again else {})
    missed = missed_in(await tallies_since(connection, workspace_id, since, "pull"))
    # One that is out for long is an incident, and is told once.
    out = {each.connection for each in incidents if each.is_of_outage}
    stopped = await _stopped(connection, workspace_id, now, out)
    state, sentence = judge(broken, recovering, stopped, retrying, healed, ahead, missed=missed)
    return Verdict(
        state=state,
        sentence=sentence,
        since=since,
        now=now,
        broken=tuple(broken),
        recovering=tuple(recovering),
        stopped=tuple(stopped),
        ahead=tuple(ahead),
        healed=healed,
        missed=missed,
        sources=sources,
        runs_done=_sum(runs, "done"),
        runs_failed=_sum(runs, "failed"),
        queued=counts["queued"],
        running=counts["running"],
        waiting=counts["waiting"],
        retrying=retrying,
        rejected=count_of(sum(thing.affected.number for thing in rejected)),
        quarantined=await _quarantined(connection, workspace_id, since),
        oldest=oldest,
        has_worker=is_alive,
        suggestions=await suggestions_waiting(connection, workspace_id),
        proposals=await proposals_waiting(connection, workspace_id),
    )


def _thing_of(incident: IncidentRow) -> Thing:
    return Thing(
        "incident",
        incident.title,
        incident.cause,
        incident.mend,
        incident.first_seen,
        incident.moving if incident.is_recovering else incident.stopped,
        incident.id,
        incident.source,
        is_ahead=incident.is_foreseen,
        leads=incident.leads,
    )


async def _not_connected(connection: Connection, workspace_id: UUID, told: set[str]) -> list[Thing]:
    """Return the connections that no call gets into until a person connects them, but for those told of already."""
    return [
        Thing(
            "connection",
            f"{each.name} must be connected anew",
            each.error,
            f"A person must agree at its vendor's page: mainstay connect {each.name}",
            each.since,
            Count(0),
        )
        for each in await list_access(connection, workspace_id)
        if each.needs_person and each.name not in told
    ]


async def _stopped(connection: Connection, workspace_id: UUID, now: datetime, told: Collection[str]) -> list[Thing]:
    """Return the connections that were paused, or whose vendor does not answer; without those that are told already."""
    found = []
    for gate in await list_gates(connection, workspace_id):
        if gate.name in told:
            continue
        if gate.state == OUT:
            title, mend = f"{gate.name} does not answer", "One call at a time tries it; then all goes on by itself."
        elif gate.state == PAUSED:
            by = f" by {gate.by}" if gate.by else ""
            title, mend = f"{gate.name} is paused{by}", f"When it may go on: mainstay connections resume {gate.name}"
        else:
            continue
        found.append(Thing("connection", title, gate.reason, mend, gate.since or now, gate.held))
    return found


def _no_worker(oldest: OldestRun, queued: Count) -> Thing:
    return Thing(
        "worker",
        "No worker is running, so the queue stands still",
        "No worker has given a sign of life. What was accepted is kept and will be done.",
        "Start one: mainstay worker (or mainstay up, which brings one).",
        oldest.since,
        queued,
    )


def _source_counts(tallies: Mapping[tuple[str, str], Tally]) -> tuple[SourceCount, ...]:
    def count(name: str, label: str) -> int:
        found = tallies.get((name, label))
        return found.count if found else 0

    names = sorted({name for name, _ in tallies})
    return tuple(
        SourceCount(name, *(count(name, label) for label in ("accepted", LEAD, "repeated", "rejected")))
        for name in names
    )


def _sum(tallies: Mapping[tuple[str, str], Tally], wanted: str) -> int:
    return sum(tally.count for (_, label), tally in tallies.items() if label == wanted)


def _healed(attempts: Mapping[tuple[str, str], Tally], waiting: Mapping[str, int]) -> tuple[Healed, ...]:
    return tuple(
        Healed(
            name,
            tally.count,
            attempts[name, "failed"].count if (name, "failed") in attempts else 0,
            waiting.get(name, 0),
            tally.first,
            tally.last,
        )
        for (name, label), tally in attempts.items()
        if label == "retry"
    )


def missed_in(tallies: Mapping[tuple[str, str], Tally]) -> tuple[Missed, ...]:
    """Return what no webhook brought, by connection, from the counters of pulls."""
    return tuple(
        Missed(name, tally.count, tally.first, tally.last)
        for (name, label), tally in tallies.items()
        if label == "missed"
    )


_COUNTS = " UNION ALL ".join(  # one literal per state, so that the partial index of open runs serves each
    f"SELECT '{state}' AS state, count(*) AS count FROM "  # noqa: S608 - parts from this file
    f"(SELECT FROM runs WHERE workspace_id = $1 AND state = '{state}' LIMIT {COUNT_LIMIT + 1}) AS capped"
    for state in ("queued", "running", "waiting")
)


async def _counts(connection: Connection, workspace_id: UUID) -> dict[str, Count]:
    return {row["state"]: count_of(row["count"]) for row in await connection.fetch(_COUNTS, workspace_id)}


async def _retrying(connection: Connection, workspace_id: UUID) -> Count:
    number = await connection.fetchval(
        """
        SELECT count(*) FILTER (WHERE starts_with(waiting_for, 'retry of '))
        FROM (SELECT waiting_for FROM runs WHERE workspace_id = $1 AND state = 'waiting'
              ORDER BY id DESC LIMIT 1001) AS newest
        """,
        workspace_id,
    )
    return count_of(number)


async def _rejected(connection: Connection, workspace_id: UUID, since: datetime) -> list[Thing]:
    """Return, for each source, the deliveries of the window that could not be read and have not been replayed."""
    rows = await connection.fetch(
        """
        SELECT source, count(*) AS count, min(received_at) AS since, (array_agg(reason ORDER BY id DESC))[1] AS reason
        FROM (SELECT id, source, received_at, reason FROM deliveries
              WHERE workspace_id = $1 AND state = 'rejected' AND id >= $2 ORDER BY id DESC LIMIT 1001) AS newest
        GROUP BY source ORDER BY source
        """,
        workspace_id,
        first_id_at(since),
    )
    return [
        Thing(
            "rejected",
            f'Deliveries from "{row["source"]}" cannot be read',
            row["reason"],
            "Mend the source's map in stack.toml, restart, then replay them: they are kept.",
            row["since"],
            count_of(row["count"]),
            source=row["source"],
        )
        for row in rows
    ]


async def _unreported(connection: Connection, workspace_id: UUID, since: datetime) -> list[Thing]:
    """Return failed runs that no incident has: they must not be missed because a report was."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS count, min(finished_at) AS since, (array_agg(error ORDER BY id DESC))[1] AS error
        FROM (SELECT id, finished_at, error FROM runs WHERE workspace_id = $1 AND state = 'failed' AND id >= $2
              AND handled_at IS NULL AND incident_id IS NULL ORDER BY id DESC LIMIT 1001) AS newest
        """,
        workspace_id,
        first_id_at(since),
    )
    if row is None or not row["count"]:
        return []
    count = count_of(row["count"])
    title = "1 run failed" if count == Count(1) else f"{count} runs failed"
    return [Thing("failed", title, row["error"], "Look at them, then retry.", row["since"] or since, count)]


async def _quarantined(connection: Connection, workspace_id: UUID, since: datetime) -> Count:
    number = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM quarantine WHERE workspace_id = $1 AND id >= $2 LIMIT 1001) AS capped",
        workspace_id,
        first_id_at(since),
    )
    return count_of(number)


async def _has_worker(connection: Connection, now: datetime) -> bool:
    found = await connection.fetchval("SELECT max(heartbeat_at) FROM workers")
    return found is not None and now - found < WORKER_SILENT_AFTER


_OLDEST = " UNION ALL ".join(
    f"(SELECT id, workflow, state, waiting_for, created_at FROM (SELECT * FROM runs WHERE workspace_id = $1 "  # noqa: S608
    f"AND state = '{state}' ORDER BY id LIMIT 1000) AS oldest WHERE {wanted} ORDER BY id LIMIT 1)"
    for state, wanted in (
        ("queued", "true"),
        ("running", "true"),
        ("waiting", "starts_with(waiting_for, 'retry of ')"),
    )
)


async def _oldest(connection: Connection, workspace_id: UUID) -> OldestRun | None:
    rows = await connection.fetch(_OLDEST, workspace_id)
    queued_first = sorted(rows, key=lambda row: row["id"])
    if not queued_first:
        return None
    row = queued_first[0]
    return OldestRun(row["id"], row["workflow"], row["state"], row["waiting_for"], row["created_at"])
