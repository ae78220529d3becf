"""Alerts: durable runs of their own, so that a worker's death or a vendor's outage only delays them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import BROKEN_OFF, acquire, transact
from mainstay.runs import Claimed, begin_run
from mainstay.watch import store, telling_store
from mainstay.watch.channels import Message, Vendors, pass_on
from mainstay.watch.routes import Alerts, Route, Severity
from mainstay.watch.rules import trouble_of_drift, trouble_of_lost, trouble_of_missed, trouble_of_run
from mainstay.watch.telling import Kind, Move, Standing, begin, next_move
from mainstay.watch.wording import message_of, plain_message_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine import StepRunner
    from mainstay.model import Run
    from mainstay.runs import Settlement
    from mainstay.watch.rules import Trouble

log = logging.getLogger(__name__)

ALERT = "alert.v1"
CRITICAL_OWN = frozenset({"inbound.v1", ALERT})
"""Mainstay's own runs whose failures page at once: leads that are not taken in, alerts that nobody gets."""
_OF_OPEN = frozenset({"opened", "reopened", "worse", "escalated"})
_MOST_PAGES, _PAGES_WITHIN, _GATHERED = 5, timedelta(minutes=5), timedelta(seconds=30)


class Alerted(Protocol):
    """A workspace, as far as its alerts go."""

    @property
    def name(self) -> str:
        """Its name as people write it."""
        ...

    @property
    def alerts(self) -> Alerts:
        """Who hears of trouble, and when."""
        ...

    def is_critical(self, workflow: str) -> bool:
        """Tell whether a workflow of its stack is declared critical."""
        ...


class Alerting(Vendors, Protocol):
    """What the composition root knows of a workspace's alerts."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def workspace(self, workspace_id: UUID) -> Alerted:
        """Return a workspace that this process serves."""
        ...

    def page_url(self, workspace_id: UUID, path: str) -> str:
        """Return the address of a workspace's page."""
        ...


class Drifting(Protocol):
    """A mirror that somebody changed."""

    @property
    def name(self) -> str: ...

    @property
    def connection(self) -> str: ...


class Missing(Protocol):
    """A connection whose changes no webhook brings."""

    @property
    def connection(self) -> str: ...

    @property
    def sources(self) -> Sequence[str]: ...


class Losing(Protocol):
    """Records of a type whose changes are not to be had any more."""

    @property
    def connection(self) -> str: ...

    @property
    def kind(self) -> str: ...


class Alerter:
    """Opens incidents, and tells people of them. ``clock`` is a test's."""

    def __init__(self, pool: Pool, alerting: Alerting, clock: Callable[[], datetime] | None = None) -> None:
        self._pool = pool
        self._alerting = alerting
        self._clock = clock

    # Verbs of whoever finds trouble. All in the caller's transaction. --------------------------------------------

    async def raise_trouble(
        self, connection: Connection, workspace_id: UUID, trouble: Trouble, *, run_id: UUID | None = None
    ) -> UUID:
        """Report a trouble; what is news of it is told, or due to be told, in the same transaction.

        Returns the incident. ``run_id`` is the run that it stopped.
        """
        severity = trouble.severity or self._severity(workspace_id, trouble.workflow)
        reported = await store.report(connection, workspace_id, trouble, severity)
        if run_id is not None:
            await connection.execute("UPDATE runs SET incident_id = $2 WHERE id = $1", run_id, reported.id)
        if reported.news:
            try:
                async with connection.transaction():
                    await self._begin(connection, workspace_id, reported.id, trouble)
            except BROKEN_OFF:
                raise
            except Exception:
                # What is reported stands: a fault in the telling must not undo the record of it.
                log.exception("the alert of incident %s could not be begun; the watch begins it", reported.id)
                standing = Standing(severity, phase="telling", due_at=self._now())
                await telling_store.stand(connection, reported.id, standing)
        return reported.id

    async def recover(self, connection: Connection, workspace_id: UUID, fingerprint: str) -> bool:
        """Resolve the incident of a cause that is gone; False when none is open. Told once that has lasted."""
        return await store.recover(connection, workspace_id, fingerprint)

    async def run_failed(self, connection: Connection, run: Run, settlement: Settlement) -> None:
        """Report a failed run, at the connection of the step that failed."""
        at = await connection.fetchval(
            "SELECT connection FROM attempts WHERE run_id = $1 AND step = $2 ORDER BY number DESC LIMIT 1",
            run.id,
            settlement.failed_step,
        )
        if run.workflow == ALERT:
            await telling_store.not_told(connection, run.id, settlement.error, self._now())
        trouble = trouble_of_run(run.workflow, at or "", settlement.fate, settlement.error)
        await self.raise_trouble(connection, run.workspace_id, trouble, run_id=run.id)

    async def drifted(self, connection: Connection, workspace_id: UUID, mirror: Drifting, count: int) -> None:
        """Report that a mirror is not what was written to it."""
        await self.raise_trouble(connection, workspace_id, trouble_of_drift(mirror.name, mirror.connection, count))

    async def missed(
        self, connection: Connection, workspace_id: UUID, pull: Missing, count: int, since: datetime
    ) -> None:
        """Report that a connection's webhooks seem to come no more."""
        trouble = trouble_of_missed(pull.connection, pull.sources[0], count, since)
        await self.raise_trouble(connection, workspace_id, trouble)

    async def lost(
        self, connection: Connection, workspace_id: UUID, pull: Losing, since: datetime, until: datetime
    ) -> None:
        """Report that changes of a time are not to be had any more."""
        trouble = trouble_of_lost(pull.connection, pull.kind, since, until)
        await self.raise_trouble(connection, workspace_id, trouble)

    def _severity(self, workspace_id: UUID, workflow: str) -> Severity:
        is_critical = workflow in CRITICAL_OWN or self._alerting.workspace(workspace_id).is_critical(workflow)
        return "critical" if is_critical else "other"

    async def _begin(self, connection: Connection, workspace_id: UUID, incident_id: UUID, trouble: Trouble) -> None:
        (row,) = await telling_store.standings(connection, [incident_id])
        standing, alerts = (
            telling_store.standing_of(row),
            self._alerts(workspace_id, trouble.workflow, trouble.connection),
        )
        now = self._now()
        standing = begin(standing, alerts, now)
        if standing.due_at is not None and standing.due_at <= now:
            begun = await telling_store.begun_within(connection, workspace_id, _PAGES_WITHIN)
            if begun < _MOST_PAGES:
                move = next_move(standing, alerts, now)
                standing = move.then
                await self._tell(connection, workspace_id, move.kind, [incident_id], move.routes)
            else:
                # A storm: what comes further is gathered, and told together.
                standing = telling_store.later(standing, now + _GATHERED)
        await telling_store.stand(connection, incident_id, standing)

    def _alerts(self, workspace_id: UUID, workflow: str, at: str) -> Alerts:
        alerts = self._alerting.workspace(workspace_id).alerts
        # That alerts do not get through somewhere is told elsewhere.
        return alerts.without(at) if workflow == ALERT and at else alerts

    # What is told, when its moment has come -----------------------------------------------------------------------

    async def look(self) -> int:
        """Tell whatever is due; called by the watch. Returns of how many incidents the moment had come."""
        found = 0
        while more := await transact(self._pool, self._tell_due):
            found += more
        return found

    async def next_moment(self) -> datetime | None:
        """Return when the next is due: for a clock that a test moves."""
        async with acquire(self._pool) as connection:
            return await telling_store.first_due(connection, list(self._alerting.workspaces))

    async def _tell_due(self, connection: Connection) -> int:
        now = self._now()
        rows = await telling_store.hold_due(connection, list(self._alerting.workspaces), now)
        told: dict[tuple[UUID, Kind, Severity, tuple[Route, ...]], list[UUID]] = {}
        for row in rows:
            move = self._move(row, now)
            await telling_store.stand(connection, row["id"], move.then)
            if move.routes:
                key = (row["workspace_id"], move.kind, move.then.severity, move.routes)
                told.setdefault(key, []).append(row["id"])
        for (workspace_id, kind, _, routes), incidents in told.items():
            await self._tell(connection, workspace_id, kind, incidents, routes)
        return len(rows)

    def _move(self, row: Row, now: datetime) -> Move:
        try:
            alerts = self._alerts(row["workspace_id"], row["workflow"], row["connection"])
            return next_move(telling_store.standing_of(row), alerts, now)
        except Exception:
            # How it stands is not known, so it is told once, over all that might be next.
            log.exception("what is told next of incident %s is not known; it is told to everybody, once", row["id"])
            alerts = self._alerting.workspace(row["workspace_id"]).alerts
            severity: Severity = row["severity"]
            routes = tuple(dict.fromkeys(chain.from_iterable(alerts.ladder(severity))))
            kind: Kind = row["alert_news"] if row["state"] == "open" else "recovered"
            return Move(Standing(severity, phase="told"), kind, routes)

    async def _tell(
        self,
        connection: Connection,
        workspace_id: UUID,
        kind: Kind,
        incident_ids: Sequence[UUID],
        routes: Sequence[Route],
    ) -> None:
        """Tell of incidents in one message; what cannot be put into words goes apart from the others, plainly."""
        message = await self._composed(connection, workspace_id, kind, incident_ids)
        if message is None and len(incident_ids) > 1:
            good = [
                each
                for each in incident_ids
                if await self._composed(connection, workspace_id, kind, [each]) is not None
            ]
            if 0 < len(good) < len(incident_ids):
                await self._tell(connection, workspace_id, kind, good, routes)
                incident_ids = [each for each in incident_ids if each not in good]
        if message is not None:
            try:
                async with connection.transaction():
                    await self._send_over(connection, workspace_id, kind, incident_ids, routes, message)
            except BROKEN_OFF:
                raise
            except Exception:
                log.exception("the alert of incident %s could not be begun; it is told plainly", incident_ids[0])
            else:
                return
        titles = await telling_store.titles(connection, incident_ids)
        plain = plain_message_of(kind, titles, self._alerting.page_url(workspace_id, "incidents"))
        await self._send_over(connection, workspace_id, kind, incident_ids, routes, plain)

    async def _composed(
        self, connection: Connection, workspace_id: UUID, kind: Kind, incident_ids: Sequence[UUID]
    ) -> Message | None:
        """Return the message of incidents; None, and logged, when they cannot be put into words."""
        page_url = self._alerting.page_url
        try:
            async with connection.transaction():
                told = await telling_store.told_of(connection, workspace_id, incident_ids, page_url)
            workspace = self._alerting.workspace(workspace_id).name
            return message_of(kind, told, workspace, page_url(workspace_id, "incidents"))
        except BROKEN_OFF:
            raise
        except Exception:
            log.exception(
                "no message can be made of %d incidents, the first of them %s", len(incident_ids), incident_ids[0]
            )
            return None

    async def _send_over(
        self,
        connection: Connection,
        workspace_id: UUID,
        kind: Kind,
        incident_ids: Sequence[UUID],
        routes: Sequence[Route],
        message: Message,
    ) -> None:
        for route in routes:
            await self.send(connection, workspace_id, kind, incident_ids, route, message)

    async def send(
        self,
        connection: Connection,
        workspace_id: UUID,
        kind: str,
        incident_ids: Sequence[UUID],
        route: Route,
        message: Message,
    ) -> UUID:
        """Begin the run that sends a message over a route; returns it."""
        data = {
            "kind": kind,
            "title": message.subject,
            "incidents": [str(each) for each in incident_ids],
            "route": asdict(route),
            "message": asdict(message),
        }
        run_id = await begin_run(connection, workspace_id, ALERT, data)
        await telling_store.note(connection, workspace_id, run_id, kind, incident_ids, asdict(route))
        return run_id

    async def acknowledge(self, workspace_id: UUID, incident_id: UUID, *, by: str) -> bool:
        """Note that somebody sees to an incident; pagers and webhooks hear of it. False: not open, or seen to."""

        async def work(connection: Connection) -> bool:
            if not await store.acknowledge(connection, workspace_id, incident_id, by):
                return False
            (row,) = await telling_store.standings(connection, [incident_id])
            routes = [route for route in telling_store.standing_of(row).told if route.role in {"pager", "layer"}]
            await self._tell(connection, workspace_id, "acknowledged", [incident_id], routes)
            return True

        return await transact(self._pool, work)

    async def resolve(self, workspace_id: UUID, incident_id: UUID) -> bool:
        """Close an incident by hand, its failed runs handled; False when it is not open."""
        return await transact(
            self._pool, lambda connection: store.resolve_by_hand(connection, workspace_id, incident_id)
        )

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Send one message over one route."""
        run = steps.run
        is_moot = run.input["kind"] in _OF_OPEN and not await self._is_any_open(run.input["incidents"])
        if not is_moot:
            await pass_on(steps, self._alerting, Route(**run.input["route"]), Message.of(run.input["message"]))
        async with acquire(self._pool) as connection, connection.transaction():
            await telling_store.told(connection, run.id, self._now(), is_moot=is_moot)
        return ()

    async def _is_any_open(self, incident_ids: Sequence[str]) -> bool:
        """Tell whether one is still open; what came and went, and comes late, would only call somebody for nothing."""
        async with acquire(self._pool) as connection:
            found: bool = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM incidents WHERE id = ANY($1) AND state = 'open')",
                [UUID(each) for each in incident_ids],
            )
        return found

    def _now(self) -> datetime:
        return self._clock() if self._clock else datetime.now(UTC)
