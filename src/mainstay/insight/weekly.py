"""The weekly review: what a week brought, what failed and why, what was slow, what Mainstay saved.

Numbers are read from the counters by hour. What no counter has is read by index in bounded portions: of runs at most
thirty an hour, of an incident's runs at most a thousand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from mainstay.insight.suggestions import suggestions_waiting
from mainstay.insight.weeks import Week
from mainstay.intake.rules import LEAD
from mainstay.model import Guard, first_id_at

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mainstay.db import Connection

SAMPLE = 30
"""Runs of each hour that the slowest steps are looked for in: of up to 720 runs a day all."""
MOST_SHOWN = 8
_LEAST_SEEN = 3
_MOST_COUNTED = 100_000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WeekSource:
    """What a source brought, and how much it accepted the week before; ``leads`` have a person in them."""

    source: str
    accepted: int
    leads: int
    repeated: int
    rejected: int
    before: int


@dataclass(frozen=True, slots=True)
class WeekCause:
    """One cause of failures: an incident that opened or had news in the week. ``runs`` it held up, 1,000 at most."""

    incident_id: UUID
    title: str
    cause: str
    mend: str
    runs: int
    is_open: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class SlowStep:
    """A step that took long, in milliseconds of all its attempts: the median, and what 19 of 20 stayed below."""

    workflow: str
    step: str
    connection: str
    median_ms: int
    slow_ms: int
    seen: int


@dataclass(frozen=True, slots=True)
class WeekFlow:
    """How a workflow's runs ended; ``saved`` of those that are done had failed at least once and were retried."""

    workflow: str
    done: int
    failed: int
    cancelled: int
    saved: int


@dataclass(frozen=True, slots=True)
class WeekReview:
    """One week of one workspace. ``is_over`` is False for the week that still runs.

    ``found`` counts calls that got no answer and turned out to have happened: they were not made again. ``look`` are
    the things to look at, the most pressing first, each a sentence with the path of its page.
    """

    week: str
    words: str
    since: datetime
    until: datetime
    is_over: bool
    sources: tuple[WeekSource, ...]
    flows: tuple[WeekFlow, ...]
    causes: tuple[WeekCause, ...]
    slow: tuple[SlowStep, ...]
    contacts: int
    merged: int
    found: int
    look: tuple[tuple[str, str], ...]

    @property
    def leads(self) -> int:
        """Deliveries that were accepted and have a person in them."""
        return sum(each.leads for each in self.sources)

    @property
    def accepted(self) -> int:
        """Deliveries that were accepted."""
        return sum(each.accepted for each in self.sources)

    @property
    def before(self) -> int:
        """Deliveries that were accepted the week before."""
        return sum(each.before for each in self.sources)

    @property
    def repeated(self) -> int:
        """Repeated deliveries that were caught."""
        return sum(each.repeated for each in self.sources)

    @property
    def done(self) -> int:
        """Runs that ended well."""
        return sum(each.done for each in self.flows)

    @property
    def failed(self) -> int:
        """Times that a run failed for good."""
        return sum(each.failed for each in self.flows)

    @property
    def saved(self) -> int:
        """Runs that ended well after at least one attempt of theirs had failed."""
        return sum(each.saved for each in self.flows)

    @property
    def prevented(self) -> int:
        """Duplicates that were prevented: deliveries that came again, and calls that were found done."""
        return self.repeated + self.found

    def to_json(self) -> dict[str, Any]:
        """Return it whole as JSON has it, its sums too."""
        sums = ("leads", "accepted", "before", "repeated", "done", "failed", "saved", "prevented")
        told: dict[str, Any] = orjson.loads(orjson.dumps(self, default=str))
        return told | {name: getattr(self, name) for name in sums}


async def weekly_review(
    connection: Connection, workspace_id: UUID, week: Week, zone: ZoneInfo, now: datetime
) -> WeekReview:
    """Review a week; of one that still runs, what there is so far."""
    since, until = week.bounds(zone)
    counts = await _counts(connection, workspace_id, since, until)
    earlier = await _counts(connection, workspace_id, *week.before.bounds(zone), kind="source ")
    sources = _sources(counts, earlier)
    flows = _flows(counts)
    causes = await _causes(connection, workspace_id, since, until)
    found = sum(count for (name, label), count in counts.items() if name.startswith("guard ") and label == Guard.FOUND)
    return WeekReview(
        week=week.name,
        words=week.words,
        since=since,
        until=until,
        is_over=until <= now,
        sources=sources,
        flows=flows,
        causes=causes,
        slow=await _slow(connection, workspace_id, since, min(until, now)),
        contacts=await _new_contacts(connection, workspace_id, since, until),
        merged=await _merged(connection, workspace_id, since, until),
        found=found,
        look=await _look(connection, workspace_id, sources, causes),
    )


Counts = Counter[tuple[str, str]]


async def _counts(
    connection: Connection, workspace_id: UUID, since: datetime, until: datetime, kind: str = ""
) -> Counts:
    rows = await connection.fetch(
        """
        SELECT name, label, sum(count)::bigint AS count FROM tallies
        WHERE workspace_id = $1 AND hour >= $2 AND hour < $3 AND starts_with(name, $4) GROUP BY name, label
        """,
        workspace_id,
        since,
        until,
        kind,
    )
    return Counter({(row["name"], row["label"]): row["count"] for row in rows})


def _sources(counts: Counts, earlier: Counts) -> tuple[WeekSource, ...]:
    names = {name.removeprefix("source ") for name, _ in (*counts, *earlier) if name.startswith("source ")}
    found = [
        WeekSource(
            source=name,
            accepted=counts[f"source {name}", "accepted"],
            leads=counts[f"source {name}", LEAD],
            repeated=counts[f"source {name}", "repeated"],
            rejected=counts[f"source {name}", "rejected"],
            before=earlier[f"source {name}", "accepted"],
        )
        for name in names
    ]
    return tuple(sorted(found, key=lambda each: (-each.accepted, each.source)))


def _flows(counts: Counts) -> tuple[WeekFlow, ...]:
    names = {name.removeprefix("run ") for name, _ in counts if name.startswith("run ")}
    found = [
        WeekFlow(
            workflow=name,
            done=counts[f"run {name}", "done"],
            failed=counts[f"run {name}", "failed"],
            cancelled=counts[f"run {name}", "cancelled"],
            saved=counts[f"saved {name}", "done"],
        )
        for name in names
    ]
    ended = [each for each in found if each.done or each.failed or each.cancelled]
    return tuple(sorted(ended, key=lambda each: (-each.failed, -each.done, each.workflow)))


# An incident's runs of the week by its own index, newest first, and no more than are told.
_CAUSES = """
    SELECT incidents.id, title, cause, mend, state = 'open' AS is_open, first_seen AS since,
           greatest(held.runs, CASE WHEN source <> '' THEN least(occurrences, 1000) ELSE 0 END) AS runs
    FROM (
        (SELECT * FROM incidents WHERE workspace_id = $1 AND state = 'open' AND last_seen >= $2
         ORDER BY last_seen DESC LIMIT 100)
        UNION ALL
        (SELECT * FROM incidents WHERE workspace_id = $1 AND state = 'resolved' AND last_seen >= $2
         ORDER BY last_seen DESC LIMIT 400)
    ) AS incidents
    CROSS JOIN LATERAL (
        SELECT count(*) AS runs FROM (
            SELECT FROM runs WHERE incident_id = incidents.id AND id >= $4 AND id < $5 LIMIT 1000
        ) AS capped
    ) AS held
    WHERE first_seen < $3 ORDER BY is_open DESC, runs DESC, last_seen DESC LIMIT 20
"""


async def _causes(
    connection: Connection, workspace_id: UUID, since: datetime, until: datetime
) -> tuple[WeekCause, ...]:
    rows = await connection.fetch(_CAUSES, workspace_id, since, until, first_id_at(since), first_id_at(until))
    return tuple(
        WeekCause(row["id"], row["title"], row["cause"], row["mend"], row["runs"], row["is_open"], row["since"])
        for row in rows
    )


_SLOW = f"""
    SELECT workflow, name, connection, count(*) AS seen,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY took)::integer AS median_ms,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY took)::integer AS slow_ms
    FROM (
        SELECT sampled.workflow, attempts.name, attempts.connection, sum(attempts.duration_ms) AS took
        FROM unnest($2::uuid[], $3::uuid[]) AS hours (first, next)
        CROSS JOIN LATERAL (
            SELECT id, workflow FROM runs
            WHERE workspace_id = $1 AND id >= hours.first AND id < hours.next ORDER BY id DESC LIMIT {SAMPLE}
        ) AS sampled
        CROSS JOIN LATERAL (
            SELECT step, name, connection, duration_ms FROM attempts
            WHERE run_id = sampled.id AND connection <> '' AND state <> 'waiting' ORDER BY step LIMIT 50
        ) AS attempts
        GROUP BY sampled.id, sampled.workflow, attempts.step, attempts.name, attempts.connection
    ) AS steps
    GROUP BY workflow, name, connection HAVING count(*) >= {_LEAST_SEEN}
    ORDER BY slow_ms DESC, workflow, name LIMIT {MOST_SHOWN}
"""  # noqa: S608 - numbers of ours


async def _slow(connection: Connection, workspace_id: UUID, since: datetime, until: datetime) -> tuple[SlowStep, ...]:
    hours = [since + _HOUR * number for number in range(max(0, -((since - until) // _HOUR)))]
    bounds = [first_id_at(hour) for hour in hours], [first_id_at(min(hour + _HOUR, until)) for hour in hours]
    rows = await connection.fetch(_SLOW, workspace_id, *bounds)
    return tuple(
        SlowStep(row["workflow"], row["name"], row["connection"], row["median_ms"], row["slow_ms"], row["seen"])
        for row in rows
    )


async def _new_contacts(connection: Connection, workspace_id: UUID, since: datetime, until: datetime) -> int:
    count: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT FROM contacts WHERE workspace_id = $1 AND id >= $2 AND id < $3
              AND merged_into IS NULL AND deleted_at IS NULL LIMIT {_MOST_COUNTED}
        ) AS capped
        """,  # noqa: S608 - a number of ours
        workspace_id,
        first_id_at(since),
        first_id_at(until),
    )
    return count


async def _merged(connection: Connection, workspace_id: UUID, since: datetime, until: datetime) -> int:
    count: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT FROM merges WHERE workspace_id = $1 AND id >= $2 AND id < $3 AND undone_at IS NULL
            LIMIT {_MOST_COUNTED}
        ) AS capped
        """,  # noqa: S608 - a number of ours
        workspace_id,
        first_id_at(since),
        first_id_at(until),
    )
    return count


async def _look(
    connection: Connection,
    workspace_id: UUID,
    sources: tuple[WeekSource, ...],
    causes: tuple[WeekCause, ...],
) -> tuple[tuple[str, str], ...]:
    """Return what a person should look at, the most pressing first."""
    told = [(f"Still open: {each.title}", f"incidents/{each.incident_id}") for each in causes if each.is_open]
    stopped = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM runs WHERE workspace_id = $1 AND state = 'failed' AND handled_at IS NULL LIMIT 1001
        ) AS capped
        """,
        workspace_id,
    )
    if stopped:
        many = "1,000+ failed runs wait" if stopped > 1000 else _many(stopped, "failed run waits", "failed runs wait")
        told.append((f"{many} for a person", "runs?state=stopped"))
    for each in sources:
        if each.before >= 5 and not each.accepted:
            told.append((f"{each.source} brought nothing, {each.before:,} the week before", "connections"))
        elif each.before >= 20 and each.accepted * 2 < each.before:
            told.append((f"{each.source} brought {each.accepted:,}, {each.before:,} the week before", "connections"))
        if each.rejected:
            many = _many(each.rejected, "delivery", "deliveries")
            told.append(
                (f"{many} from {each.source} could not be read", f"deliveries?state=rejected&source={each.source}")
            )
    if waiting := (await suggestions_waiting(connection, workspace_id)).number:
        told.append((_many(waiting, "pair may be one person", "pairs may be one person each"), "reviews"))
    return tuple(told[:MOST_SHOWN])


def _many(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
