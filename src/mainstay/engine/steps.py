"""Durable steps: what a recorded step returns again, what a new one does, and how its failure is met."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from mainstay.engine.retry import DEFAULT_POLICY, RetryPolicy, next_delay
from mainstay.errors import (
    FencedError,
    NeedsHumanError,
    PermanentError,
    TransientError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt, AttemptState, Run, RunState
from mainstay.runs import Claimed, Progress, Settlement, Wait

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.kit import Http

Clock = Callable[[], datetime]
Record = Callable[[Progress], Awaitable[None]]
Call = Callable[["Http"], Awaitable[Any]]
OpenHttp = Callable[[UUID, str, str], "Http"]

_ERRORS: dict[str, type[VendorError]] = {
    "transient": TransientError,
    "permanent": PermanentError,
    "human": NeedsHumanError,
}


class Parked(BaseException):
    """Unwinds a workflow whose run goes on later. Not an Exception: a workflow's own ``except`` must not catch it."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(settlement.waiting_for)
        self.settlement = settlement


class StepRunner:
    """Runs the steps of one run, in the order they are asked for.

    A finished step is kept in memory and written together with the next step's start or the run's end, one commit
    instead of two; while another step is in flight it is written at once.

    Attributes:
        run: the run.
        known: see :class:`mainstay.runs.Claimed`.
        failed_step: number of the step whose failure was raised into the workflow.
        is_settled: set by a program that records its run's end itself, together with other writes.
        recheck: called right after a wait was recorded, to see what came in between.
    """

    def __init__(
        self,
        claimed: Claimed,
        *,
        record: Record,
        open_http: OpenHttp,
        clock: Clock,
        policy: RetryPolicy = DEFAULT_POLICY,
        rng: random.Random,
    ) -> None:
        self.run: Run = claimed.run
        self.known = claimed.known
        self._record = record
        self._open_http = open_http
        self._clock = clock
        self._policy = policy
        self._rng = rng
        self._recorded: dict[int, list[Attempt]] = {}
        for attempt in claimed.attempts:
            self._recorded.setdefault(attempt.step, []).append(attempt)
        self._waits = claimed.waits
        self._asked = 0
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._parked: Settlement | None = None
        self._unwritten: list[Attempt] = []
        self.failed_step: int | None = None
        self.is_settled = False
        self.recheck: Callable[[Connection], Awaitable[None]] | None = None

    @property
    def is_resumed(self) -> bool:
        """True when something of this run was recorded before."""
        return bool(self._recorded or self._waits or self.run.taken_over)

    def take_unwritten(self) -> tuple[Attempt, ...]:
        """Return the attempts that are not yet written; the caller writes them."""
        unwritten, self._unwritten = tuple(self._unwritten), []
        return unwritten

    async def close(self) -> Settlement | None:
        """Wait for steps still in flight (a workflow may run several at once); return the earliest wait, if any."""
        self._parked = self._parked or Settlement(RunState.WAITING)
        while self._in_flight:
            self._idle.clear()
            await self._idle.wait()
        return self._parked if self._parked.waiting_for else None

    async def step(
        self,
        name: str,
        call: Call,
        *,
        connection: str = "",
        repeatable: bool = True,
        prepare: Callable[[int], Awaitable[None]] | None = None,
    ) -> Any:
        """Run one step, or return what it returned when it ran before.

        Args:
            name: ``role.operation``, as the ledger shows it.
            call: makes the vendor call with the Http it is given; returns a small JSON-able value.
            connection: name of the connection, for the ledger and its limits; empty for local work.
            repeatable: False where a second call would have a second effect; the ledger then marks a repeat.
            prepare: called with the step's number before an attempt; may :meth:`park` the run.
        """
        number, recorded = self._next(name)
        last = recorded[-1] if recorded else None
        if last is not None and last.state is AttemptState.OK:
            return last.result
        if last is not None and last.state is AttemptState.FAILED:
            self.failed_step = number
            raise _ERRORS.get(last.fate, PermanentError)(last.error, status=last.status)
        if last is not None and last.next_at is not None and self._is_ahead(last.next_at):
            self._park(Settlement(RunState.WAITING, wake_at=last.next_at, waiting_for=f"retry of {name}"))
        if prepare is not None:
            await prepare(number)
        if self._unwritten:
            await self._record(Progress(self.run, self.take_unwritten()))
        return await self._attempt(number, name, call, connection, recorded, repeatable=repeatable)

    async def _attempt(
        self, step: int, name: str, call: Call, connection: str, recorded: list[Attempt], *, repeatable: bool
    ) -> Any:
        http = self._open_http(self.run.workspace_id, connection, f"{self.run.id}-{step}")
        started = self._clock()
        first_of_taken_over = self.run.taken_over and not recorded and step > max(self._recorded, default=0)
        unsure_before = bool(recorded) and recorded[-1].fate == "unsure"
        attempt = Attempt(
            run_id=self.run.id,
            step=step,
            name=name,
            number=len(recorded) + 1,
            state=AttemptState.OK,
            started_at=started,
            connection=connection,
            repeated=not repeatable and (first_of_taken_over or unsure_before),
        )
        self._in_flight += 1
        try:
            result = await call(http)
        except VendorError as error:
            attempt = replace(
                attempt,
                exchanges=tuple(http.exchanges),
                duration_ms=self._elapsed_ms(started),
                fate="unsure" if isinstance(error, TransientError) and error.unsure else error.fate,
                error=str(error),
                status=error.status,
            )
            await self._meet(attempt, error, recorded)
            raise
        else:
            self._unwritten.append(
                replace(attempt, exchanges=tuple(http.exchanges), duration_ms=self._elapsed_ms(started), result=result)
            )
        finally:
            self._in_flight -= 1
            self._idle.set()
        if self._in_flight:
            await self._record(Progress(self.run, self.take_unwritten()))
        return result

    async def _meet(self, attempt: Attempt, error: VendorError, recorded: list[Attempt]) -> None:
        """Park the run for the next try, or record that there is none."""
        if isinstance(error, TransientError):
            first = recorded[0].started_at if recorded else attempt.started_at
            now = self._clock()
            delay = next_delay(
                self._policy,
                number=attempt.number,
                elapsed=now - first,
                retry_after=error.retry_after,
                rng=self._rng,
            )
            if delay is not None:
                self._park(
                    Settlement(RunState.WAITING, wake_at=now + delay, waiting_for=f"retry of {attempt.name}"),
                    replace(attempt, state=AttemptState.RETRY, next_at=now + delay),
                )
        failed = replace(attempt, state=AttemptState.FAILED)
        self.failed_step = attempt.step
        await self._record(Progress(self.run, (*self.take_unwritten(), failed)))

    async def sleep(self, until: Callable[[datetime], datetime]) -> None:
        """Sleep durably until ``until(now)``, reckoned once, when the step is first reached."""
        step, recorded = self._next("sleep")
        now = self._clock()
        if not recorded:
            wake_at = until(now)
            if wake_at <= now:
                self._unwritten.append(self._local(step, "sleep", now))
                return
            waiting = replace(self._local(step, "sleep", now), state=AttemptState.WAITING, next_at=wake_at)
            self._park(Settlement(RunState.WAITING, wake_at=wake_at, waiting_for="its sleep to end"), waiting)
        if recorded[-1].state is AttemptState.OK:
            return
        wake_at = recorded[-1].next_at or now
        if self._is_ahead(wake_at):
            self._park(Settlement(RunState.WAITING, wake_at=wake_at, waiting_for="its sleep to end"))
        self._unwritten.append(replace(self._local(step, "sleep", now), number=len(recorded) + 1))

    async def wait_for(self, event_type: str, *, contact_id: UUID | None, timeout: timedelta | None) -> Any:
        """Wait durably for an event; returns it as recorded, or None when ``timeout`` passed first."""
        name = f"wait_for {event_type}"
        step, recorded = self._next(name)
        now = self._clock()
        if recorded and recorded[-1].state is AttemptState.OK:
            return recorded[-1].result
        if not recorded:
            deadline = now + timeout if timeout is not None else None
            wait = Wait(step, event_type, contact_id, deadline)
            waiting = replace(self._local(step, name, now), state=AttemptState.WAITING, next_at=deadline)
            self._park(Settlement(RunState.WAITING, wake_at=deadline, waiting_for=event_type, wait=wait), waiting)
        event = self._waits.get(step)
        deadline = recorded[-1].next_at
        if event is None and (deadline is None or self._is_ahead(deadline)):
            self._park(Settlement(RunState.WAITING, wake_at=deadline, waiting_for=event_type))
        self._unwritten.append(replace(self._local(step, name, now), number=len(recorded) + 1, result=event))
        return event

    def park(self, step: int, name: str, event_type: str, contact_id: UUID) -> NoReturn:
        """Park the run before a step's attempt, until an event comes."""
        number = len(self._recorded.get(step, [])) + 1
        waiting = replace(self._local(step, name, self._clock()), number=number, state=AttemptState.WAITING)
        wait = Wait(step, event_type, contact_id, None)
        self._park(Settlement(RunState.WAITING, waiting_for=event_type, wait=wait), waiting)

    def _park(self, settlement: Settlement, attempt: Attempt | None = None) -> NoReturn:
        if attempt is not None:
            self._unwritten.append(attempt)
        earlier = self._parked
        if (
            earlier is None
            or not earlier.waiting_for
            or (settlement.wake_at is not None and (earlier.wake_at is None or settlement.wake_at < earlier.wake_at))
        ):
            self._parked = settlement
        raise Parked(settlement)

    def _is_ahead(self, moment: datetime) -> bool:
        # The queue wakes by the database's clock, which may be a hair behind this one.
        return self._clock() < moment - timedelta(milliseconds=50)

    def _next(self, name: str) -> tuple[int, list[Attempt]]:
        if self._parked is not None:
            raise Parked(self._parked)
        self._asked += 1
        recorded = self._recorded.get(self._asked, [])
        if recorded and recorded[0].name != name:
            message = (
                f"step {self._asked} is {name!r} now, but this run recorded {recorded[0].name!r}: the workflow was edited "
                "under a run that had begun. Give the edited workflow a new version, and restore the old one to finish its runs"
            )
            raise WorkflowError(message)
        return self._asked, recorded

    def _local(self, step: int, name: str, now: datetime) -> Attempt:
        return Attempt(self.run.id, step, name, 1, AttemptState.OK, now)

    def _elapsed_ms(self, started: datetime) -> int:
        return max(0, round((self._clock() - started).total_seconds() * 1000))


def describe_failure(error: Exception) -> str:
    """Say in one line what a workflow's own code raised, and at which of its lines."""
    if isinstance(error, (VendorError, WorkflowError, FencedError)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/mainstay/" not in frame.filename]
    frame = (own or frames or [None])[-1]
    place = f" at {frame.filename.rpartition('/')[2]}:{frame.lineno}" if frame else ""
    return f"{type(error).__name__}: {error}{place}"


def utc_now() -> datetime:
    """Return the real time: the clock of every engine but a test's."""
    return datetime.now(UTC)
