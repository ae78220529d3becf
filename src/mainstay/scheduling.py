"""Schedules: each tick becomes one run, however many workers there are, whatever their clocks say, whoever dies.

A tick's run and the note that it was dealt with are one transaction, which holds the schedule's row; and the run's id
is made of the tick, so that no tick has two. All workers go by the database's clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.db import acquire, transact
from mainstay.engine.schedule import Tick, run_id_of
from mainstay.engine.versions import beginning
from mainstay.errors import DatabaseUnavailableError
from mainstay.model import new_id
from mainstay.runs import NewRun, add_runs
from mainstay.runs.schedules import (
    Declared,
    Due,
    advance,
    already_run,
    declare_schedules,
    first_due_at,
    next_due,
)

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import Workflow
    from mainstay.engine.history import Clock
    from mainstay.engine.schedule import Schedule
    from mainstay.engine.turns import Turns

log = logging.getLogger(__name__)

MISSED_AFTER = timedelta(minutes=1)
"""A tick that was not fired by then counts as missed: nobody was there."""

_AT_ONCE = 100
_LOOK_SECONDS = 2.0
_DECLARE_SECONDS = 60.0
_AWAY_SECONDS = 5.0


class Served(Protocol):
    """A workspace that this process serves."""

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """Its workflows, by name."""
        ...


class Timetable(Protocol):
    """What the composition root knows of schedules."""

    @property
    def workspaces(self) -> Mapping[UUID, Served]:
        """The workspaces that this process serves."""
        ...

    def timezone(self, workspace_id: UUID) -> ZoneInfo:
        """Return the zone of a workspace's clock."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A workflow's schedule, as this process has it."""

    workspace_id: UUID
    workflow: str
    schedule: Schedule
    zone: ZoneInfo
    turns: Turns


class Scheduler:
    """Fires the ticks of the schedules that this process knows. Any number may work on one database."""

    def __init__(self, pool: Pool, timetable: Timetable, clock: Clock | None = None) -> None:
        self._pool = pool
        self._timetable = timetable
        self._clock = clock

    async def run(self) -> None:
        """Fire what becomes due until cancelled."""
        declare_at = 0.0
        while True:
            pause = _LOOK_SECONDS
            try:
                if (now := asyncio.get_running_loop().time()) >= declare_at:
                    await self.declare()
                    declare_at = now + _DECLARE_SECONDS
                await self.fire_due()
                pause = await self._until_next()
            except DatabaseUnavailableError:
                pause = _AWAY_SECONDS
            except Exception:
                # Schedules must not stop because of one of them, nor silently.
                log.exception("a round of schedules failed")
                pause = _AWAY_SECONDS
            await asyncio.sleep(pause)

    async def declare(self) -> None:
        """Let the schedules of this process be those of its workspaces, from now on."""
        async with acquire(self._pool) as connection, connection.transaction():
            now = await self._now(connection)
            declared = []
            for each in self._known():
                following = next(each.schedule.after(now, each.zone), None)
                cron, catch_up = each.schedule.cron, each.schedule.catch_up
                declared.append(Declared(each.workspace_id, each.workflow, cron, each.zone.key, catch_up, following))
            await declare_schedules(connection, list(self._timetable.workspaces), declared)

    async def fire_due(self) -> int:
        """Fire every tick that is due; returns how many runs began."""
        known = {(each.workspace_id, each.workflow): each for each in self._known()}
        tried: set[tuple[UUID, str]] = set()
        fired = 0
        while known:
            try:
                dealt = await transact(self._pool, lambda connection: self._fire_next(connection, known, tried))
            except DatabaseUnavailableError:
                raise
            except Exception:
                if len(tried) >= len(known):
                    raise
                log.exception("a schedule could not be fired; the others go on")
                continue
            if dealt is None:
                return fired
            fired += dealt
        return fired

    async def next_moment(self) -> datetime | None:
        """Return when the next tick is due."""
        async with acquire(self._pool) as connection:
            return await first_due_at(connection, list(self._timetable.workspaces))

    async def _fire_next(
        self,
        connection: Connection,
        known: Mapping[tuple[UUID, str], _Known],
        tried: set[tuple[UUID, str]],
    ) -> int | None:
        """Deal with the ticks of one schedule, and note it as ``tried`` if that may fail; None when none is due."""
        now = await self._now(connection)
        due = await next_due(connection, list(self._timetable.workspaces), now, besides=tried)
        if due is None:
            return None
        key = (due.workspace_id, due.workflow)
        tried.add(key)
        declared = known.get(key)
        if declared is None or (declared.schedule.cron, declared.zone.key) != (due.cron, due.timezone):
            # Whoever started after us says otherwise: it is theirs to fire.
            return 0
        fired = await self._fire(connection, due, declared, now)
        tried.discard(key)
        return fired

    @staticmethod
    async def _fire(connection: Connection, due: Due, declared: _Known, now: datetime) -> int:
        schedule, zone = declared.schedule, declared.zone
        coming = schedule.after(due.next_at - timedelta(seconds=1), zone)
        passed = takewhile(lambda tick: tick <= now, coming)
        ticks = list(islice(passed, _AT_ONCE)) if schedule.catch_up == "all" else _ends(passed)
        if isinstance(ticks, tuple):
            last, count = ticks
            is_missed = now - last > MISSED_AFTER
            chosen = [] if is_missed and schedule.catch_up == "none" else [last]
        else:
            last, count, chosen = ticks[-1], len(ticks), ticks
        ids = {tick: run_id_of(due.workspace_id, due.workflow, tick) for tick in chosen}
        there = await already_run(connection, ids.values())
        new = [tick for tick in chosen if ids[tick] not in there]
        missed = count - len(chosen)
        previous = due.last_tick
        runs = []
        for tick in new:
            happened = Tick(tick.astimezone(zone), previous.astimezone(zone) if previous else None, missed)
            run = NewRun(
                ids[tick],
                due.workspace_id,
                due.workflow,
                {"tick": happened.to_json()},
                str(new_id()),
                deadline_at=declared.turns.deadline_at(now),
                turn=declared.turns.turn_of_tick(),
            )
            runs.append(run)
            previous = tick
        # One after the other: of ticks that are caught up, each sees the one before.
        for run in runs:
            if await add_runs(connection, [run]):
                await connection.execute("SELECT enqueue_execution($1, NULL)", run.execution_id)
        await advance(
            connection,
            due,
            next_at=next(schedule.after(last, zone), None),
            last_tick=new[-1] if new else None,
            run_id=ids[new[-1]] if new else None,
            missed=missed,
        )
        if missed:
            log.warning("%s: %d ticks were missed; catch_up is %s", due.workflow, missed, schedule.catch_up)
        return len(runs)

    def _known(self) -> Iterator[_Known]:
        for workspace_id, served in self._timetable.workspaces.items():
            for declared in beginning(served.workflows.values()):
                if (schedule := declared.schedule) is not None:
                    named = schedule.timezone
                    zone = ZoneInfo(named) if named else self._timetable.timezone(workspace_id)
                    yield _Known(workspace_id, declared.name, schedule, zone, declared.turns)

    async def _now(self, connection: Connection) -> datetime:
        if self._clock is not None:
            return self._clock()
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    async def _until_next(self) -> float:
        """Return how many seconds to sleep: not past the next tick, and never long, as clocks may be put."""
        async with acquire(self._pool) as connection:
            moment = await first_due_at(connection, list(self._timetable.workspaces))
            ahead = (moment - await self._now(connection)).total_seconds() if moment else _LOOK_SECONDS
        return min(_LOOK_SECONDS, max(0.05, ahead))


def _ends(ticks: Iterator[datetime]) -> tuple[datetime, int]:
    """Return the last of some ticks, and their number."""
    last = next(ticks)
    count = 1
    for tick in ticks:
        last, count = tick, count + 1
    return last, count
