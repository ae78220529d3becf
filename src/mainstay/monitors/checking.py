"""Looks at schedules, the queue, connections, access and webhooks, which nobody declares as monitors."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.db import transact
from mainstay.engine.schedule import Schedule
from mainstay.monitors import store
from mainstay.monitors.checks import (
    ACCESS,
    CHECKED,
    CONNECTION,
    RECENT,
    UNUSED_AFTER,
    WEBHOOKS,
    Calls,
    Finding,
    Fired,
    Was,
    of_connection,
    of_queue,
    of_schedule,
)
from mainstay.monitors.rules import fingerprint_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine.history import Clock
    from mainstay.watch import Alerter

_EVERY_SECONDS = 60.0


class Checked(Protocol):
    """What the composition root knows of what is checked."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def reached(self, workspace_id: UUID) -> Collection[str]:
        """Return the connections of a workspace that reach out."""
        ...

    def pulled(self, workspace_id: UUID) -> Mapping[str, Sequence[str]]:
        """Return the connections whose changes are pulled as well, with the sources that bring their webhooks."""
        ...


class Checking:
    """Checks once a minute. ``clock`` is a test's."""

    def __init__(self, pool: Pool, checked: Checked, alerter: Alerter, clock: Clock | None = None) -> None:
        self._pool = pool
        self._checked = checked
        self._alerter = alerter
        self._clock = clock
        self._checked_at = -_EVERY_SECONDS

    async def look_if_due(self) -> None:
        """Check if this process has not for a minute."""
        if time.monotonic() - self._checked_at >= _EVERY_SECONDS:
            self._checked_at = time.monotonic()
            await self.look()

    async def look(self) -> None:
        """Check every workspace; one that another process is at is passed over."""
        for workspace_id in self._checked.workspaces:
            await transact(self._pool, partial(self._check, workspace_id))

    async def _check(self, workspace_id: UUID, connection: Connection) -> None:
        if not await connection.fetchval(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('checks ' || $1::text, 0))", str(workspace_id)
        ):
            return
        now = self._clock() if self._clock else await connection.fetchval("SELECT clock_timestamp()")
        known = await store.places_of(connection, workspace_id, CHECKED)
        found = [
            *await _schedules(connection, workspace_id, known, now),
            await _queue(connection, workspace_id, known, now),
            *await self._connections(connection, workspace_id, known, now),
            *await _access(connection, workspace_id),
            *await self._webhooks(connection, workspace_id),
        ]
        gone = await store.note(connection, workspace_id, CHECKED, found)
        for each in found:
            was_down = (before := known.get((each.kind, each.name))) is not None and before.state == "down"
            if each.trouble is not None and not was_down and not await _is_told(connection, workspace_id, each):
                await self._alerter.raise_trouble(connection, workspace_id, each.trouble)
            elif was_down and each.state != "down":
                await self._alerter.recover(connection, workspace_id, fingerprint_of(each.kind, each.name))
        for kind, name in gone:
            await self._alerter.recover(connection, workspace_id, fingerprint_of(kind, name))

    async def _connections(
        self, connection: Connection, workspace_id: UUID, known: Known, now: datetime
    ) -> list[Finding]:
        rows = await connection.fetch(
            "SELECT name, opened_at, paused_at FROM connections WHERE workspace_id = $1", workspace_id
        )
        gates = {row["name"]: row for row in rows}
        found = []
        for name in sorted(self._checked.reached(workspace_id)):
            before = known.get(("connection", name), store.Place("new"))
            # Of one that was heard of the last hours tell all; of another, whether it was used at all of late.
            since = now - (RECENT if before.seen_at else UNUSED_AFTER)
            labels = ("ok", "retry", "failed")
            hours = await store.hours_of(connection, workspace_id, f"attempt {name}", labels, since, now)
            recent = {label: sum(n for at, n, _ in hours[label] if at >= now - RECENT) for label in labels}
            gate = gates.get(name)
            calls = Calls(
                recent["ok"],
                recent["retry"] + recent["failed"],
                max((last for _, _, last in hours["ok"]), default=None),
                gate["opened_at"] if gate else None,
                is_paused=bool(gate and gate["paused_at"]),
            )
            since_when = before.facts.get("failing_since")
            failing_since = datetime.fromisoformat(since_when) if since_when else None
            found.append(of_connection(name, calls, Was(before.seen_at, before.state, failing_since), now))
        return found

    async def _webhooks(self, connection: Connection, workspace_id: UUID) -> list[Finding]:
        """Show what pulls find: they report it themselves."""
        found = []
        for name, sources in sorted(self._checked.pulled(workspace_id).items()):
            is_down = await connection.fetchval(
                """
                SELECT EXISTS (SELECT FROM incidents
                               WHERE workspace_id = $1 AND state <> 'resolved' AND fingerprint = 'missed|' || $2)
                """,
                workspace_id,
                name,
            )
            last = await connection.fetchval(
                """
                SELECT max(found.received_at) FROM unnest($2::text[]) AS s (name) CROSS JOIN LATERAL (
                    SELECT received_at FROM deliveries WHERE workspace_id = $1 AND source = s.name
                    ORDER BY id DESC LIMIT 1
                ) AS found
                """,
                workspace_id,
                list(sources),
            )
            state = "down" if is_down else "up" if last else "new"
            found.append(Finding(WEBHOOKS, name, "Its webhooks bring what its pull finds", state, last))
        return found


Known = Mapping[tuple[str, str], store.Place]


async def _schedules(connection: Connection, workspace_id: UUID, known: Known, now: datetime) -> list[Finding]:
    rows = await connection.fetch(
        "SELECT workflow, cron, timezone, next_at, last_tick, missed FROM schedules WHERE workspace_id = $1 ORDER BY 1",
        workspace_id,
    )
    found = []
    for row in rows:
        before: Mapping[str, Any] = known.get(("schedule", row["workflow"]), store.Place("new")).facts
        rule = f"{Schedule(row['cron'], row['timezone']).in_words()}, {ZoneInfo(row['timezone'] or 'UTC').key}"
        fired = Fired(row["workflow"], row["next_at"], row["last_tick"], row["missed"])
        found.append(of_schedule(fired, rule, before, now))
    return found


async def _queue(connection: Connection, workspace_id: UUID, known: Known, now: datetime) -> Finding:
    # What a person retries is old, and has not waited.
    oldest = await connection.fetchval(
        """
        SELECT created_at FROM (SELECT created_at, lane, retries FROM runs WHERE workspace_id = $1 AND state = 'queued'
                                ORDER BY id LIMIT 200) AS first
        WHERE lane <> 'backfill' AND retries = 0 LIMIT 1
        """,
        workspace_id,
    )
    return of_queue(oldest, known.get(("queue", "leads"), store.Place("new")).facts, now)


async def _access(connection: Connection, workspace_id: UUID) -> list[Finding]:
    """Show what is foreseen of access: it is reported where it is foreseen."""
    rows = await connection.fetch(
        """
        SELECT connection, state, refreshed_at, connected_at, ends_at, warned_of IS NOT NULL AS ends_soon
        FROM oauth_tokens WHERE workspace_id = $1 ORDER BY connection
        """,
        workspace_id,
    )
    return [
        Finding(
            ACCESS,
            row["connection"],
            "A person is told in time before it ends" if row["ends_at"] else "Its access does not end by itself",
            "down" if row["state"] != "connected" or row["ends_soon"] else "up",
            row["refreshed_at"] or row["connected_at"],
            row["ends_at"],
        )
        for row in rows
    ]


async def _is_told(connection: Connection, workspace_id: UUID, found: Finding) -> bool:
    """Tell whether people know of a connection's trouble by the runs that it stopped: one cause is told of once."""
    is_told: bool = found.kind == CONNECTION and await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM incidents WHERE workspace_id = $1 AND state <> 'resolved' AND connection = $2
                       AND workflow <> '')
        """,
        workspace_id,
        found.name,
    )
    return is_told
