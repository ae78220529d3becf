"""Durable steps: what a recorded step returns again, what a new one does, and how its failure is met."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from mainstay.engine.failure import WORKFLOW, describe_failure, failure_again
from mainstay.engine.retry import DEFAULT_POLICY, RetryPolicy, next_delay
from mainstay.errors import (
    DatabaseUnavailableError,
    FencedError,
    TransientError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt, AttemptState, Run, RunState, new_id
from mainstay.runs import Claimed, Progress, Settlement, Wait

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.kit import Http

FIRST_LOOK = timedelta(seconds=10)

Clock = Callable[[], datetime]
Record = Callable[[Progress], Awaitable[None]]
Call = Callable[["Http"], Awaitable[Any]]
OpenHttp = Callable[[UUID, str, str], "Http"]

Raised = TypeVar("Raised", bound=Exception)


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
        is_settled: set by a program that records its run's end itself, together with other writes.
        rechecks: called right after a wait was recorded, to see what came in between.
        stopped: why this worker may not go on (it lost the run, or the database is away); nothing of the run may be
            recorded any more, even if the workflow's own code caught the error.
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
        in_doubt: Callable[[], bool] = lambda: False,
    ) -> None:
        self.run: Run = claimed.run
        self.known = claimed.known
        self._record = record
        self._open_http = open_http
        self._clock = clock
        self._policy = policy
        self._rng = rng
        self._in_doubt = in_doubt
        self._recorded: dict[int, list[Attempt]] = {}
        for attempt in claimed.attempts:
            self._recorded.setdefault(attempt.step, []).append(attempt)
        self._waits = claimed.waits
        self._asked = 0
        self._home = asyncio.current_task()
        self._branches: set[asyncio.Task[Any]] = set()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._parked: Settlement | None = None
        self._unwritten: list[Attempt] = []
        self._has_advanced = False
        self._raised: list[tuple[Exception, int]] = []
        self.is_settled = False
        self.rechecks: list[Callable[[Connection], Awaitable[None]]] = []
        self.stopped: FencedError | DatabaseUnavailableError | None = None

    @property
    def is_resumed(self) -> bool:
        """True when something of this run was recorded before."""
        return bool(self._recorded or self._waits or self.run.taken_over)

    @property
    def unwritten(self) -> tuple[Attempt, ...]:
        """The attempts that are not yet written, left in place: the transaction that writes them may be repeated."""
        return tuple(self._unwritten)

    def retract(self, error: VendorError) -> VendorError:
        """Turn the last step's success, not yet written, into a failure: what followed has shown that it was none."""
        if self._unwritten:
            last = self._unwritten.pop()
            self._unwritten.append(self._failed(replace(last, fate=error.fate, error=str(error))))
            self._note(error, last.step)
        return error

    def take_unwritten(self) -> tuple[Attempt, ...]:
        """Return the attempts that are not yet written; the caller writes them."""
        unwritten, self._unwritten = tuple(self._unwritten), []
        return unwritten

    def step_of(self, error: BaseException | None) -> int | None:
        """Return the number of the step whose failure ended the run: ``error`` itself, or what led to it."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            for raised, step in self._raised:
                if raised is error:
                    return step
            error = error.__cause__ or error.__context__
        return None

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
            raise self._note(failure_again(last), number)
        if last is not None and last.next_at is not None and self._is_ahead(last.next_at):
            self._park(Settlement(RunState.WAITING, wake_at=last.next_at, waiting_for=f"retry of {name}"))
        if prepare is not None:
            try:
                await prepare(number)
            except DatabaseUnavailableError as error:
                self.stopped = error
                raise
        if self._unwritten:
            await self._write()
        if self._parked is not None:
            # A step beside this one has parked the run meanwhile: what is not under way yet must not begin.
            raise Parked(self._parked)
        self._in_flight += 1
        attempt = self._count_out(self._attempt(number, name, call, connection, recorded, repeatable=repeatable))
        if asyncio.current_task() is self._home:
            return await attempt
        # A task group breaks off what runs beside a step that parks; what is with a vendor must come to its end.
        return await asyncio.shield(asyncio.ensure_future(attempt))

    async def _count_out(self, attempt: Awaitable[Any]) -> Any:
        try:
            return await attempt
        finally:
            self._in_flight -= 1
            self._idle.set()

    async def _attempt(
        self, step: int, name: str, call: Call, connection: str, recorded: list[Attempt], *, repeatable: bool
    ) -> Any:
        http = self._open_http(self.run.workspace_id, connection, f"{self.run.id}-{step}")
        started = self._clock()
        # What had ended before was on disk when the next began, so only what comes first now can have been under way.
        cut_off = self.run.taken_over and not self._has_advanced
        unsure_before = any(earlier.fate == "unsure" for earlier in recorded)
        attempt = Attempt(
            run_id=self.run.id,
            step=step,
            name=name,
            number=len(self._recorded.get(step, ())) + 1,
            state=AttemptState.OK,
            started_at=started,
            connection=connection,
            repeated=not repeatable and (cut_off or unsure_before),
        )
        http.before_call = self._make_sure
        try:
            await self._make_sure()
            result = await call(http)
        except (FencedError, DatabaseUnavailableError):
            raise
        except asyncio.CancelledError:
            # The workflow's own time-out or task group broke it off: it may have reached the vendor all the same.
            broken_off = replace(attempt, state=AttemptState.RETRY, fate="unsure", error="broken off under way")
            self._unwritten.append(
                replace(broken_off, exchanges=tuple(http.exchanges), duration_ms=self._elapsed_ms(started))
            )
            raise
        except Exception as error:
            attempt = replace(attempt, exchanges=tuple(http.exchanges), duration_ms=self._elapsed_ms(started))
            if isinstance(error, VendorError):
                await self._meet(attempt, error, recorded)
                raise
            failed = replace(attempt, fate=WORKFLOW, error=describe_failure(error))
            await self._write(self._failed(failed))
            if isinstance(error, WorkflowError):
                self._note(error, step)
                raise
            # The same class as when the record of it is met again, so that the workflow can only act alike.
            raise self._note(WorkflowError(failed.error), step) from error
        else:
            self._unwritten.append(
                replace(attempt, exchanges=tuple(http.exchanges), duration_ms=self._elapsed_ms(started), result=result)
            )
        finally:
            self._has_advanced = True
        if self._in_flight > 1:
            await self._write()
        return result

    async def _meet(self, attempt: Attempt, error: VendorError, recorded: list[Attempt]) -> None:
        """Park the run for the next try, or record that there is none."""
        attempt = replace(
            attempt,
            fate="unsure" if isinstance(error, TransientError) and error.unsure else error.fate,
            error=str(error),
            status=error.status,
        )
        if isinstance(error, TransientError):
            # A retry by hand, which sets no time of its own, begins the count anew.
            by_hand = max((place for place, one in enumerate(recorded, 1) if one.next_at is None), default=0)
            recent = recorded[by_hand:]
            first = recent[0].started_at if recent else attempt.started_at
            now = self._clock()
            tries, after = len(recent) + 1, error.retry_after
            delay = next_delay(self._policy, number=tries, elapsed=now - first, retry_after=after, rng=self._rng)
            if delay is not None:
                self._park(
                    Settlement(RunState.WAITING, wake_at=now + delay, waiting_for=f"retry of {attempt.name}"),
                    replace(attempt, state=AttemptState.RETRY, next_at=now + delay),
                )
        self._note(error, attempt.step)
        await self._write(self._failed(attempt))

    def _failed(self, attempt: Attempt) -> Attempt:
        return replace(attempt, state=AttemptState.FAILED, asked=self._asked)

    async def _write(self, *further: Attempt) -> None:
        """Record what is not yet written, and ``further`` attempts."""
        try:
            await self._record(Progress(self.run, (*self.take_unwritten(), *further)))
        except (FencedError, DatabaseUnavailableError) as error:
            self.stopped = error
            raise

    async def _make_sure(self) -> None:
        """Ask whether the run is still ours where it may not be: nothing may reach a vendor in another's name."""
        if self._in_doubt():
            await self._write()

    def _note(self, error: Raised, step: int) -> Raised:
        """Remember which step an error comes from."""
        self._raised.append((error, step))
        return error

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
        self._unwritten.append(self._local(step, "sleep", now))

    async def wait_for(self, event_type: str, *, contact_id: UUID | None, timeout: timedelta | None) -> Any:
        """Wait durably for an event; returns it as recorded, or None when ``timeout`` passed first."""
        name = f"wait_for {event_type}"
        step, recorded = self._next(name)
        now = self._clock()
        if recorded and recorded[-1].state is AttemptState.OK:
            return recorded[-1].result
        if not recorded:
            deadline = now + timeout if timeout is not None else None
            wait = Wait(step, event_type, contact_id, deadline, new_id())
            waiting = replace(self._local(step, name, now), state=AttemptState.WAITING, next_at=deadline)
            self._park(Settlement(RunState.WAITING, wake_at=deadline, waiting_for=event_type, waits=(wait,)), waiting)
        event = self._waits.get(step)
        deadline = recorded[-1].next_at
        if event is None and (deadline is None or self._is_ahead(deadline)):
            # A failure beside it may have ended the run before the wait itself was kept.
            waits = () if step in self._waits else (Wait(step, event_type, contact_id, deadline, new_id()),)
            self._park(Settlement(RunState.WAITING, wake_at=deadline, waiting_for=event_type, waits=waits))
        self._unwritten.append(replace(self._local(step, name, now), result=event))
        return event

    def park(self, step: int, name: str, event_type: str, contact_id: UUID) -> NoReturn:
        """Park the run before a step's attempt, until an event comes.

        It also looks again by itself, ever more seldom: the event may have come while the wait was being recorded, and
        whoever should have looked then may have died.
        """
        now = self._clock()
        last = self._recorded[step][-1] if step in self._recorded else None
        if last is not None and last.state is AttemptState.WAITING:
            waiting, since = None, last.started_at
        else:
            waiting, since = replace(self._local(step, name, now), state=AttemptState.WAITING), now
        look_again = now + max(FIRST_LOOK, now - since)
        wait = Wait(step, event_type, contact_id, None, new_id())
        self._park(Settlement(RunState.WAITING, wake_at=look_again, waiting_for=event_type, waits=(wait,)), waiting)

    def _park(self, settlement: Settlement, attempt: Attempt | None = None) -> NoReturn:
        if attempt is not None:
            self._unwritten.append(attempt)
        earlier = self._parked
        if (
            earlier is None
            or not earlier.waiting_for
            or (settlement.wake_at is not None and (earlier.wake_at is None or settlement.wake_at < earlier.wake_at))
        ):
            self._parked = replace(settlement, waits=(*(earlier.waits if earlier else ()), *settlement.waits))
        else:
            self._parked = replace(earlier, waits=(*earlier.waits, *settlement.waits))
        raise Parked(settlement)

    def _is_ahead(self, moment: datetime) -> bool:
        # The queue wakes by the database's clock, which may be a hair behind this one.
        return self._clock() < moment - timedelta(milliseconds=50)

    def _next(self, name: str) -> tuple[int, list[Attempt]]:
        if self.stopped is not None:
            raise self.stopped
        if self._parked is not None:
            raise Parked(self._parked)
        self._require_order(asyncio.current_task())
        self._asked += 1
        recorded = [attempt for attempt in self._recorded.get(self._asked, []) if not attempt.is_set_aside]
        if recorded and recorded[0].name != name:
            message = (
                f"step {self._asked} is {name!r} now, but this run recorded {recorded[0].name!r}: the workflow was "
                "edited under a run that had begun. Give the edited workflow a new version, and restore the old one "
                "to finish its runs"
            )
            raise WorkflowError(message)
        return self._asked, recorded

    def _require_order(self, task: asyncio.Task[Any] | None) -> None:
        """Refuse a second step in a task beside the workflow's own: a replay would number such steps otherwise."""
        if task is self._home or task is None:
            return
        if task in self._branches:
            message = (
                "what runs side by side (asyncio.gather, a task group) may hold one step each, as the order of several "
                "could not be repeated after a restart. Put the steps one after the other, or gather single steps"
            )
            raise WorkflowError(message)
        self._branches.add(task)

    def _local(self, step: int, name: str, now: datetime) -> Attempt:
        return Attempt(self.run.id, step, name, len(self._recorded.get(step, ())) + 1, AttemptState.OK, now)

    def _elapsed_ms(self, started: datetime) -> int:
        return max(0, round((self._clock() - started).total_seconds() * 1000))
