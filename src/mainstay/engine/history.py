"""What is recorded of a run: it gives back what was done before, and takes down what is new, in the order of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from mainstay.engine.failure import DEADLINE
from mainstay.errors import DatabaseUnavailableError, FencedError, WorkflowError
from mainstay.model import Attempt, AttemptState, Run, RunState
from mainstay.runs import Claimed, FanOut, Progress, Settlement

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.kit import Http

Clock = Callable[[], datetime]
Record = Callable[[Progress], Awaitable[None]]
OpenHttp = Callable[[UUID, str, str], "Http"]

Raised = TypeVar("Raised", bound=Exception)


EDITED = (
    "the workflow was edited under a run that had begun. Give the edited workflow a new version, and restore the old "
    "one to finish its runs: it begins no new ones then. What it would do: mainstay replay RUN --local"
)


class Parked(BaseException):
    """Unwinds a workflow whose run goes on later. Not an Exception: a workflow's own ``except`` must not catch it."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(settlement.waiting_for)
        self.settlement = settlement


class History:
    """The history of one run, in the order in which its steps are asked for.

    A finished step is kept in memory and written together with the next step's start or the run's end, one commit
    instead of two; while another step is in flight it is written at once.

    Attributes:
        run: the run.
        known: see :class:`mainstay.runs.Claimed`.
        is_settled: set by a program that records its run's end itself, together with other writes.
        result: what a workflow returned, JSON-able; kept with the run's end.
        hands_over: tells whether the run is to go on elsewhere: it then parks before its next step.
        rechecks: called right after a wait was recorded, to see what came in between.
        stopped: why this worker may not go on (it lost the run, or the database is away); nothing of the run may be
            recorded any more, even if the workflow's own code caught the error.
        owned_at: when the run was last known to be this worker's, by the monotonic clock, in seconds.
    """

    def __init__(self, claimed: Claimed, *, record: Record, clock: Clock) -> None:
        self.run: Run = claimed.run
        self.known = claimed.known
        self.clock = clock
        self._record = record
        self._recorded: dict[int, list[Attempt]] = {}
        for attempt in claimed.attempts:
            self._recorded.setdefault(attempt.step, []).append(attempt)
        self._waits = claimed.waits
        self._asked = 0
        self._has_caught_up = False
        self._home = asyncio.current_task()
        self._branches: set[asyncio.Task[Any]] = set()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._parked: Settlement | None = None
        self._unwritten: list[Attempt] = []
        self._raised: list[tuple[Exception, int]] = []
        self.owned_at = monotonic()
        self.is_settled = False
        self.result: Any = None
        self.hands_over: Callable[[], bool] = lambda: False
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

    @property
    def leaves_in_doubt(self) -> bool:
        """True until the step is reached that a dead driver may have had under way: other code must not forget it."""
        return self.run.taken_over and not self._has_caught_up

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

    async def count_out(self, attempt: Awaitable[Any]) -> Any:
        try:
            return await attempt
        finally:
            self._in_flight -= 1
            self._idle.set()

    async def write(self, *further: Attempt, begins: tuple[FanOut, ...] = ()) -> None:
        """Record what is not yet written, ``further`` attempts, and runs that this one begins."""
        try:
            await self._record(Progress(self.run, (*self.take_unwritten(), *further), begins=begins))
            self.owned_at = monotonic()
        except (FencedError, DatabaseUnavailableError) as error:
            self.stopped = error
            raise

    def note(self, error: Raised, step: int) -> Raised:
        """Remember which step an error comes from."""
        self._raised.append((error, step))
        return error

    def park_run(self, settlement: Settlement, attempt: Attempt | None = None) -> NoReturn:
        if attempt is not None:
            self._unwritten.append(attempt)
        earlier = self._parked
        both = (settlement,) if earlier is None else (earlier, settlement)
        is_first = (
            earlier is None
            or not earlier.waiting_for
            or (settlement.wake_at is not None and (earlier.wake_at is None or settlement.wake_at < earlier.wake_at))
        )
        held = settlement if settlement.held_at or earlier is None else earlier
        self._parked = replace(
            settlement if is_first else both[0],
            waits=tuple(wait for each in both for wait in each.waits),
            begins=tuple(fan_out for each in both for fan_out in each.begins),
            asks=tuple(ask for each in both for ask in each.asks),
            tells=tuple(told for each in both for told in each.tells),
            # Of two steps side by side one may be held: the gate, which also looks at the time, wakes the run.
            held_at=held.held_at,
            held_since=held.held_since,
        )
        raise Parked(settlement)

    @property
    def is_overdue(self) -> bool:
        """True once the run's deadline has passed."""
        return self.run.deadline_at is not None and not self.is_ahead(self.run.deadline_at)

    def require_time(self) -> None:
        """Unwind the workflow if its deadline has passed: nothing further may begin."""
        if self.is_overdue:
            self.park_run(Settlement(RunState.WAITING, waiting_for="its deadline"))

    def too_late(self) -> Settlement:
        """Return the end of a run whose deadline has passed: at the step that it had begun and not finished."""
        begun = (
            step
            for step, known in self._recorded.items()
            if known[-1].state is not AttemptState.OK and not known[-1].is_set_aside
        )
        at = max(begun, default=None)
        place = f", at {self._recorded[at][-1].name}" if at is not None else ""
        deadline = f"{self.run.deadline_at:%Y-%m-%d %H:%M} UTC"
        message = f"it had not ended by its deadline, {deadline}{place}"
        return Settlement(RunState.FAILED, failed_step=at, fate=DEADLINE, error=message)

    def is_ahead(self, moment: datetime) -> bool:
        # The queue wakes by the database's clock, which may be a hair behind this one.
        return self.clock() < moment - timedelta(milliseconds=50)

    def next_step(self, name: str, *, is_wait: bool = False) -> tuple[int, list[Attempt]]:
        if self.stopped is not None:
            raise self.stopped
        task = asyncio.current_task()
        # Waits that run side by side all begin, each of them parking the run.
        if self._parked is not None and (not is_wait or task is self._home):
            raise Parked(self._parked)
        if self.hands_over():
            self.park_run(Settlement(RunState.WAITING, wake_at=self.clock(), waiting_for="a worker"))
        self.require_time()
        self._require_order(task)
        self._asked += 1
        recorded = [attempt for attempt in self._recorded.get(self._asked, []) if not attempt.is_set_aside]
        if recorded and recorded[0].name != name:
            message = f"step {self._asked} is {name!r} now, but this run recorded {recorded[0].name!r}: {EDITED}"
            raise WorkflowError(message)
        if not recorded or recorded[-1].state not in {AttemptState.OK, AttemptState.FAILED}:
            self._has_caught_up = True
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

    def recall(self, name: str, reckon: Callable[[datetime], Any]) -> Any:
        """Return what ``reckon(now)`` gave when the run first came here; JSON-able. Costs no commit of its own."""
        step, recorded = self.next_step(name)
        if recorded and recorded[-1].state is AttemptState.OK:
            return recorded[-1].result
        now = self.clock()
        result = reckon(now)
        self._unwritten.append(replace(self.local(step, name, now), result=result))
        return result

    def require_all(self) -> None:
        """Refuse to end well while there is something recorded that the workflow's code did not ask for.

        Raises:
            WorkflowError: the workflow was edited under its run.
        """
        for step, recorded in sorted(self._recorded.items()):
            if step > self._asked and not recorded[-1].is_set_aside:
                asked = f"{self._asked} step" + ("" if self._asked == 1 else "s")
                message = (
                    f"the workflow ends after {asked} now, but this run recorded step {step}, {recorded[-1].name!r}: "
                    f"{EDITED}"
                )
                raise WorkflowError(message)

    def set_aside(self, step: int) -> list[Attempt]:
        """Return the attempts of a step that are story, but no checkpoint."""
        return [one for one in self._recorded.get(step, ()) if one.is_set_aside]

    def key_of(self, step: int) -> str:
        """Return what a vendor knows a step's calls by: another one once a person had the step done anew."""
        aside = len(self.set_aside(step))
        return f"{self.run.id}-{step}" + (f"-{aside}" if aside else "")

    def local(self, step: int, name: str, now: datetime) -> Attempt:
        return Attempt(self.run.id, step, name, len(self._recorded.get(step, ())) + 1, AttemptState.OK, now)

    def elapsed_ms(self, started: datetime) -> int:
        return max(0, round((self.clock() - started).total_seconds() * 1000))
