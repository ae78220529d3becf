"""Drives the runs of an execution: claims them, runs their programs side by side, records where each stopped."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import GroupCommit, Write, acquire
from mainstay.engine.failure import WORKFLOW, describe_failure
from mainstay.engine.gating import Gate
from mainstay.engine.guard import Terms, TermsOf
from mainstay.engine.history import Clock, OpenHttp, Parked
from mainstay.engine.steps import StepRunner
from mainstay.errors import DatabaseUnavailableError, FencedError, VendorError, WorkflowError
from mainstay.model import Lane, RunState
from mainstay.runs import MOST_DEATHS, Claimed, Progress, Settlement, claim_execution, look_again, recheck_wait, settle
from mainstay.telemetry import about, is_tracing, span, trace_of

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.model import Run
    from mainstay.runs.store import Hook

log = logging.getLogger(__name__)

SETTLE: Write[Progress, None] = Write("record a run's progress", 10, settle)

# What a program gives back: None when the run is simply done, or runs that begin where this one ended.
# A program that settles its own run (in one transaction with other writes) says so by setting ``steps.is_settled``.
Program = Callable[[StepRunner], Awaitable[Sequence[Claimed] | None]]


def utc_now() -> datetime:
    """Return the real time: the clock of every engine but a test's."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stint:
    """A while in which a process drives an execution before the queue does.

    ``hands_over`` tells whether its runs are to go on elsewhere, from their next step; ``in_doubt`` whether another
    process may have taken them over by now.
    """

    hands_over: Callable[[], bool]
    in_doubt: Callable[[], bool]


class Driver:
    """Drives executions in this process.

    ``programs`` maps a workflow's name to what runs it; ``terms`` says on what terms a call is made; ``on_failed`` is
    called in the transaction that records a run's failure. At most ``max_runs`` programs run at once, and beside them
    ``max_backfill`` of the lane that may take its time; those that they start are not counted.

    Attributes:
        gate: what the calls to connections pass; None lets all through.
        settle_effects: the write of progress with effects, which keeps them in our book as well.
        in_doubt: tells whether this process may have been taken for dead, and its runs with it.
        claimed_at: when this process took runs last, by ``time.monotonic``; None for never.
    """

    def __init__(  # noqa: PLR0913 - all that runs stand on
        self,
        pool: Pool,
        commit: GroupCommit,
        programs: Mapping[str, Program],
        *,
        open_http: OpenHttp,
        terms: TermsOf = lambda *_: Terms(),
        on_failed: Hook | None = None,
        clock: Clock = utc_now,
        max_runs: int = 200,
        max_backfill: int = 32,
        rng: random.Random | None = None,
    ) -> None:
        self._pool = pool
        self._commit = commit
        self._programs = programs
        self._open_http = open_http
        self._terms = terms
        self._on_failed = on_failed
        self._clock = clock
        self.gate: Gate | None = None
        self.settle_effects = SETTLE
        self._slots = {Lane.LEAD: asyncio.Semaphore(max_runs), Lane.BACKFILL: asyncio.Semaphore(max_backfill)}
        self.in_doubt: Callable[[], bool] = lambda: False
        self.claimed_at: float | None = None
        self._failed_with: dict[UUID, Callable[[str], None]] = {}
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not secrecy

    async def drive(self, execution_id: str, stint: Stint | None = None) -> None:
        """Drive every unfinished run of an execution until each has ended or waits. Safe to call again at any time."""
        claimed = await claim_execution(self._pool, execution_id, now=self._clock())
        if not claimed:
            await look_again(self._pool, execution_id)
            return
        self.claimed_at = time.monotonic()
        drive = _Drive({item.run.id for item in claimed}, stint)
        async with asyncio.TaskGroup() as group:
            for item in claimed:
                group.create_task(self._follow(item, group, drive))

    async def _follow(
        self, claimed: Claimed, group: asyncio.TaskGroup, drive: _Drive, *, takes_slot: bool = True
    ) -> None:
        try:
            async with self._slots[claimed.run.lane] if takes_slot else nullcontext():
                following = await self._run_followed(claimed, drive.stint)
        except DatabaseUnavailableError:
            # This run alone is begun again: those beside it may be talking to vendors, and must not be broken off.
            drive.under_way.discard(claimed.run.id)
            following = await self._claim_again(claimed.run.execution_id, drive)
        drive.under_way.discard(claimed.run.id)
        for item in following:
            drive.under_way.add(item.run.id)
            # A few for each run, and some wait for each other: with slots of their own they could starve.
            group.create_task(self._follow(item, group, drive, takes_slot=False))

    async def _claim_again(self, execution_id: str, drive: _Drive) -> Sequence[Claimed]:
        """Once the database is back, take what nobody drives of an execution: it is not known what was kept."""
        pauses = _pauses(self._rng)
        while True:
            log.warning("PostgreSQL is away; execution %s goes on when it is back", execution_id)
            await asyncio.sleep(next(pauses))
            async with drive.claiming:
                try:
                    found = await claim_execution(self._pool, execution_id, besides=drive.under_way)
                except DatabaseUnavailableError:
                    continue
                drive.under_way.update(item.run.id for item in found)
                return found

    async def _run_followed(self, claimed: Claimed, stint: Stint | None) -> Sequence[Claimed]:
        """Run a claimed run; its logs say which it is, and so does its trace."""
        run = claimed.run
        facts = {"run": run.id, "workspace": run.workspace_id, "delivery": run.delivery_id, "workflow": run.workflow}
        with about(**facts):
            if not is_tracing():
                return await self._run(claimed, stint)
            named = {f"mainstay.{name}": fact for name, fact in facts.items()}
            with span(f"run {run.workflow}", named, "consumer", parent=claimed.trace or trace_of(run.id)) as current:
                self._failed_with[run.id] = current.fail
                try:
                    return await self._run(claimed, stint)
                finally:
                    self._failed_with.pop(run.id, None)

    async def _run(self, claimed: Claimed, stint: Stint | None = None) -> Sequence[Claimed]:
        run = claimed.run
        steps = StepRunner(
            claimed,
            record=self._record,
            open_http=self._open_http,
            terms=self._terms,
            clock=self._clock,
            rng=self._rng,
            in_doubt=stint.in_doubt if stint else self.in_doubt,
            gate=self.gate,
        )
        steps.hands_over = stint.hands_over if stint else steps.hands_over
        following: Sequence[Claimed] = ()
        try:
            steps.require_time()
            following = await self._program_of(run)(steps) or ()
            if steps.stopped is not None:
                raise steps.stopped
            settlement = None if steps.is_settled else Settlement(RunState.DONE, result=steps.result)
        except Parked as parked:
            settlement = await steps.close() or parked.settlement
        except FencedError:
            log.info("run %s is no longer this worker's: taken over, or cancelled", run.id)
            return ()
        except (DatabaseUnavailableError, asyncio.CancelledError):
            raise
        except BaseExceptionGroup as grouped:
            settlement = await self._settle_group(steps, grouped)
        except Exception as error:  # noqa: BLE001 - whatever a workflow raises becomes its run's story
            settlement = await self._failure(steps, error)
        if isinstance(steps.stopped, DatabaseUnavailableError):
            raise steps.stopped
        if settlement is None:
            return following
        if settlement.state is RunState.WAITING and steps.is_overdue:
            settlement = steps.too_late()
        if settlement.state is RunState.FAILED and (tell := self._failed_with.get(run.id)) is not None:
            tell(settlement.fate)
        try:
            unwritten, in_doubt = steps.take_unwritten(), steps.leaves_in_doubt
            await self._record(Progress(run, unwritten, settlement, self._on_failed, is_in_doubt=in_doubt))
        except FencedError:
            log.info("run %s is no longer this worker's: taken over, or cancelled", run.id)
            return ()
        await self._after_park(steps, settlement)
        return following

    def _program_of(self, run: Run) -> Program:
        if run.deaths >= MOST_DEATHS:
            message = (
                f"its worker died {run.deaths} times while it ran; see the workers' logs of that time for what ended "
                "them, mend it, then retry this run"
            )
            raise WorkflowError(message)
        program = self._programs.get(run.workflow)
        if program is None:
            message = f"no workflow {run.workflow!r} is loaded; restore it, then retry this run"
            raise WorkflowError(message)
        return program

    async def _settle_group(self, steps: StepRunner, grouped: BaseExceptionGroup[Any]) -> Settlement:
        """A workflow's TaskGroup raised: a failure outweighs a wait."""
        failures = [error for error in _flatten(grouped) if isinstance(error, Exception)]
        if failures:
            return await self._failure(steps, failures[0])
        return await steps.close() or Settlement(RunState.WAITING)

    @staticmethod
    async def _failure(steps: StepRunner, error: Exception) -> Settlement:
        await steps.close()
        if isinstance(error, DatabaseUnavailableError):
            raise error
        fate = error.fate if isinstance(error, VendorError) else WORKFLOW
        return Settlement(RunState.FAILED, failed_step=steps.step_of(error), fate=fate, error=describe_failure(error))

    async def _after_park(self, steps: StepRunner, settlement: Settlement) -> None:
        """What came between the last look and the wait's commit would be missed: look once more."""
        if settlement.state is not RunState.WAITING or not settlement.waits:
            return

        async def look_again() -> None:
            async with acquire(self._pool) as connection, connection.transaction():
                for wait in settlement.waits:
                    await recheck_wait(connection, steps.run, wait)
                for recheck in steps.rechecks:
                    await recheck(connection)

        await self._insist(steps.run, look_again)

    async def _record(self, progress: Progress) -> None:
        """Record progress: what a vendor has done must not be forgotten.

        Where the first try was kept although no answer came, the second keeps nothing more.
        """
        write = self.settle_effects if any(attempt.effect for attempt in progress.attempts) else SETTLE
        await self._insist(progress.run, lambda: self._commit(write, progress))

    async def _insist(self, run: Run, write: Callable[[], Awaitable[None]]) -> None:
        """Do a write however long the database is away."""
        pauses = _pauses(self._rng)
        while True:
            try:
                await write()
            except DatabaseUnavailableError:
                log.warning("PostgreSQL is away; what run %s did is recorded when it is back", run.id)
                await asyncio.sleep(next(pauses))
            else:
                return


class _Drive:
    """One drive of an execution: the runs that it has in hand."""

    def __init__(self, under_way: set[UUID], stint: Stint | None) -> None:
        self.under_way = under_way
        self.stint = stint
        self.claiming = asyncio.Lock()


def _pauses(rng: random.Random) -> Iterator[float]:
    """Yield how long to wait for the database, in seconds, ever longer."""
    pause = 0.2
    while True:
        yield pause * rng.uniform(0.5, 1.5)
        pause = min(pause * 2, 5.0)


def _flatten(grouped: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf
        for error in grouped.exceptions
        for leaf in (_flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
