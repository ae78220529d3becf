"""Durable waits: for a time, for an event, for what must be there before a step can begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from mainstay.engine.history import History
from mainstay.model import AttemptState, RunState, new_id
from mainstay.runs import Settlement, Wait

FIRST_LOOK = timedelta(seconds=10)


class Waiting(History):
    """The waits of one run. A run that waits unwinds with :class:`Parked`, and holds nothing."""

    async def sleep(self, until: Callable[[datetime], datetime]) -> None:
        """Sleep durably until ``until(now)``, reckoned once, when the step is first reached."""
        step, recorded = self.next_step("sleep")
        now = self.clock()
        if not recorded:
            wake_at = until(now)
            if wake_at <= now:
                self._unwritten.append(self.local(step, "sleep", now))
                return
            waiting = replace(self.local(step, "sleep", now), state=AttemptState.WAITING, next_at=wake_at)
            self.park_run(Settlement(RunState.WAITING, wake_at=wake_at, waiting_for="its sleep to end"), waiting)
        if recorded[-1].state is AttemptState.OK:
            return
        wake_at = recorded[-1].next_at or now
        if self.is_ahead(wake_at):
            self.park_run(Settlement(RunState.WAITING, wake_at=wake_at, waiting_for="its sleep to end"))
        self._unwritten.append(self.local(step, "sleep", now))

    async def wait_for(
        self,
        event_type: str,
        *,
        contact_id: UUID | None,
        timeout: timedelta | None,
        match: Mapping[str, Any] | Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> Any:
        """Wait durably for an event; returns it as recorded, or None when ``timeout`` passed first.

        A ``match`` that is a mapping is looked for by the database, a function is asked here each time one has come.
        """
        name = f"wait_for {event_type}"
        step, recorded = self.next_step(name, is_wait=True)
        now = self.clock()
        if recorded and recorded[-1].state is AttemptState.OK:
            return recorded[-1].result
        deadline = recorded[-1].next_at if recorded else now + timeout if timeout is not None else None
        wanted = {} if match is None or callable(match) else match
        wait = Wait(step, event_type, contact_id, deadline, new_id(), wanted)
        parks = Settlement(RunState.WAITING, wake_at=deadline, waiting_for=event_type)
        if not recorded:
            waiting = replace(self.local(step, name, now), state=AttemptState.WAITING, next_at=deadline)
            self.park_run(replace(parks, waits=(wait,)), waiting)
        event = self._waits.get(step)
        waits: tuple[Wait, ...] = ()
        if event is not None and callable(match) and not match(event):
            # What has come since the one that was not meant is looked for when the wait is recorded.
            waits = (replace(wait, since=UUID(event["event_id"])),)
            event = None
        elif step not in self._waits:
            # A failure beside it may have ended the run before the wait itself was kept.
            waits = (wait,)
        if event is None and (deadline is None or self.is_ahead(deadline)):
            self.park_run(replace(parks, waits=waits))
        self._unwritten.append(replace(self.local(step, name, now), result=event))
        return event

    def park(self, step: int, name: str, event_type: str, contact_id: UUID) -> NoReturn:
        """Park the run before a step's attempt, until an event comes.

        It also looks again by itself, ever more seldom: the event may have come while the wait was being recorded, and
        whoever should have looked then may have died.
        """
        now = self.clock()
        last = self._recorded[step][-1] if step in self._recorded else None
        if last is not None and last.state is AttemptState.WAITING:
            waiting, since = None, last.started_at
        else:
            waiting, since = replace(self.local(step, name, now), state=AttemptState.WAITING), now
        look_again = now + max(FIRST_LOOK, now - since)
        wait = Wait(step, event_type, contact_id, None, new_id())
        self.park_run(Settlement(RunState.WAITING, wake_at=look_again, waiting_for=event_type, waits=(wait,)), waiting)
