"""Counters by hour, read: sources, connections and workflows without counting a big table."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.insight.paging import prefix_range

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Tally:
    """A counter over some hours; ``first`` and ``last`` are the first and last hour in which it grew."""

    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class SourceDay:
    """A source's day in the workspace's own time zone; ``week_before`` is what it accepted seven days earlier."""

    day: date
    accepted: int
    repeated: int
    rejected: int
    week_before: int


@dataclass(frozen=True, slots=True)
class SourceOverview:
    """A source's last days, oldest first, and the hour in which it last accepted anything."""

    name: str
    days: tuple[SourceDay, ...]
    last_accepted: datetime | None

    @property
    def accepted(self) -> int:
        """Deliveries accepted in all these days."""
        return sum(day.accepted for day in self.days)


@dataclass(frozen=True, slots=True)
class ConnectionOverview:
    """How calls to a connection went in the last days; the times are whole hours."""

    name: str
    succeeded: int
    retried: int
    failed: int
    last_success: datetime | None
    last_trouble: datetime | None
    waiting_runs: int


async def tallies_since(
    connection: Connection, workspace_id: UUID, since: datetime, kind: str
) -> dict[tuple[str, str], Tally]:
    """Return the counters of a kind (``source``, ``run`` or ``attempt``), by (name, label)."""
    rows = await connection.fetch(
        """
        SELECT name, label, sum(count)::bigint AS count, min(hour) AS first, max(hour) AS last FROM tallies
        WHERE workspace_id = $1 AND hour >= $2 AND name >= $3 AND name < $4 GROUP BY name, label ORDER BY name, label
        """,
        workspace_id,
        since,
        *prefix_range(f"{kind} "),
    )
    return {
        (row["name"].removeprefix(f"{kind} "), row["label"]): Tally(row["count"], row["first"], row["last"])
        for row in rows
    }


async def source_overview(
    connection: Connection, workspace_id: UUID, now: datetime, *, timezone: str = "UTC", days: int = 14
) -> tuple[SourceOverview, ...]:
    """Return each source's last ``days`` days, today included, beside the same days of the week before."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    span = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    since = datetime.combine(span[0] - timedelta(days=7), datetime.min.time(), zone)
    # Hour by hour: the days shown are a large part of a young table, yet a small one of an old one. OFFSET keeps it so.
    rows = await connection.fetch(
        """
        SELECT name, label, (h.hour AT TIME ZONE $4)::date AS day, sum(found.count)::bigint AS count,
               max(h.hour) AS last
        FROM generate_series($2::timestamptz, $3::timestamptz, interval '1 hour') AS h (hour)
        CROSS JOIN LATERAL (
            SELECT name, label, count FROM tallies
            WHERE workspace_id = $1 AND tallies.hour = h.hour AND name >= $5 AND name < $6 OFFSET 0
        ) AS found
        GROUP BY name, label, day
        """,
        workspace_id,
        since.astimezone(UTC).replace(minute=0),
        now,
        timezone,
        *prefix_range("source "),
    )
    counts: dict[str, dict[tuple[date, str], int]] = defaultdict(dict)
    last: dict[str, datetime] = {}
    for row in rows:
        name = row["name"].removeprefix("source ")
        counts[name][row["day"], row["label"]] = row["count"]
        if row["label"] == "accepted":
            last[name] = max(row["last"], last.get(name, row["last"]))
    return tuple(
        SourceOverview(
            name,
            tuple(
                SourceDay(
                    day,
                    found.get((day, "accepted"), 0),
                    found.get((day, "repeated"), 0),
                    found.get((day, "rejected"), 0),
                    found.get((day - timedelta(days=7), "accepted"), 0),
                )
                for day in span
            ),
            last.get(name),
        )
        for name, found in sorted(counts.items())
    )


async def connection_overview(
    connection: Connection, workspace_id: UUID, now: datetime, *, days: int = 7
) -> tuple[ConnectionOverview, ...]:
    """Return how each connection's calls went in the last ``days`` days, and how many runs wait to try it again."""
    tallies = await tallies_since(connection, workspace_id, now - timedelta(days=days), "attempt")
    waiting = await waiting_by_connection(connection, workspace_id)
    overview = []
    for name in sorted({name for name, _ in tallies} | set(waiting)):
        ok, retry, failed = (tallies.get((name, label)) for label in ("ok", "retry", "failed"))
        overview.append(
            ConnectionOverview(
                name,
                ok.count if ok else 0,
                retry.count if retry else 0,
                failed.count if failed else 0,
                ok.last if ok else None,
                max((tally.last for tally in (retry, failed) if tally), default=None),
                waiting.get(name, 0),
            )
        )
    return tuple(overview)


async def waiting_by_connection(connection: Connection, workspace_id: UUID) -> dict[str, int]:
    """Return how many runs wait for their next try at each connection; of many only the newest thousand count."""
    rows = await connection.fetch(
        """
        SELECT last.connection, count(*) AS count
        FROM (SELECT id, waiting_for FROM runs WHERE workspace_id = $1 AND state = 'waiting'
              ORDER BY id DESC LIMIT 1000) AS newest
        CROSS JOIN LATERAL (SELECT connection FROM attempts WHERE run_id = newest.id
                            ORDER BY step DESC, number DESC LIMIT 1) AS last
        WHERE last.connection <> '' AND starts_with(newest.waiting_for, 'retry of ') GROUP BY last.connection
        """,
        workspace_id,
    )
    return {row["connection"]: row["count"] for row in rows}


async def workflows_seen(connection: Connection, workspace_id: UUID, now: datetime) -> tuple[str, ...]:
    """Return the workflows that ran in the last seven days."""
    tallies = await tallies_since(connection, workspace_id, now - timedelta(days=7), "run")
    return tuple(sorted({name for name, _ in tallies}))
