"""Durable steps: what a recorded step returns again, what a new one does, and how its failure is met."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mainstay.engine.failure import WORKFLOW, describe_failure, failure_again
from mainstay.engine.gating import Gate, Gated
from mainstay.engine.history import Clock, OpenHttp, Parked, Record
from mainstay.engine.retry import DEFAULT_POLICY, RetryPolicy, next_delay
from mainstay.errors import (
    DatabaseUnavailableError,
    FencedError,
    TransientError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt, AttemptState, RunState
from mainstay.runs import Claimed, Settlement

if TYPE_CHECKING:
    from mainstay.kit import Http

DIED = "its worker died while the call may have been under way"

Call = Callable[["Http"], Awaitable[Any]]


class StepRunner(Gated):
    """Runs the steps of one run, in the order they are asked for."""

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
        gate: Gate | None = None,
    ) -> None:
        super().__init__(claimed, record=record, clock=clock)
        self.gate = gate
        self._open_http = open_http
        self._policy = policy
        self._rng = rng
        self._in_doubt = in_doubt
        self._has_advanced = False

    def retract(self, error: VendorError) -> VendorError:
        """Turn the last step's success, not yet written, into a failure: what followed has shown that it was none."""
        if self._unwritten:
            last = self._unwritten.pop()
            self._unwritten.append(self._failed(replace(last, fate=error.fate, error=str(error))))
            self.note(error, last.step)
        return error

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
        number, recorded = self.next_step(name)
        last = recorded[-1] if recorded else None
        if last is not None and last.state is AttemptState.OK:
            return last.result
        if last is not None and last.state is AttemptState.FAILED:
            raise self.note(failure_again(last), number)
        if last is not None and last.next_at is not None and self.is_ahead(last.next_at):
            self.park_run(Settlement(RunState.WAITING, wake_at=last.next_at, waiting_for=f"retry of {name}"))
        if prepare is not None:
            try:
                await prepare(number)
            except DatabaseUnavailableError as error:
                self.stopped = error
                raise
        if self._unwritten:
            await self.write()
        if self._parked is not None:
            # A step beside this one has parked the run meanwhile: what is not under way yet must not begin.
            raise Parked(self._parked)
        self._in_flight += 1
        attempt = self.count_out(self._attempt(number, name, call, connection, recorded, repeatable=repeatable))
        if asyncio.current_task() is self._home:
            return await attempt
        # A task group breaks off what runs beside a step that parks; what is with a vendor must come to its end.
        return await asyncio.shield(asyncio.ensure_future(attempt))

    async def _attempt(
        self, step: int, name: str, call: Call, connection: str, recorded: list[Attempt], *, repeatable: bool
    ) -> Any:
        http = self._open_http(self.run.workspace_id, connection, f"{self.run.id}-{step}")
        started = self.clock()
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
        unsure = replace(attempt, state=AttemptState.RETRY, fate="unsure", error=DIED, next_at=started)
        passage = await self.pass_gate(
            step, name, connection, recorded, http, unsure if attempt.repeated and cut_off else None
        )
        http.before_call = self._make_sure
        try:
            await self._make_sure()
            result = await passage.carry(call(http))
        except (FencedError, DatabaseUnavailableError):
            raise
        except asyncio.CancelledError:
            # The workflow's own time-out or task group broke it off: it may have reached the vendor all the same.
            broken_off = replace(attempt, state=AttemptState.RETRY, fate="unsure", error="broken off under way")
            self._unwritten.append(
                replace(broken_off, exchanges=tuple(http.exchanges), duration_ms=self.elapsed_ms(started))
            )
            raise
        except Exception as error:
            attempt = replace(attempt, exchanges=tuple(http.exchanges), duration_ms=self.elapsed_ms(started))
            if isinstance(error, VendorError):
                await self._meet(attempt, error, recorded)
                raise
            failed = replace(attempt, fate=WORKFLOW, error=describe_failure(error))
            await self.write(self._failed(failed))
            if isinstance(error, WorkflowError):
                self.note(error, step)
                raise
            # The same class as when the record of it is met again, so that the workflow can only act alike.
            raise self.note(WorkflowError(failed.error), step) from error
        else:
            self._unwritten.append(
                replace(attempt, exchanges=tuple(http.exchanges), duration_ms=self.elapsed_ms(started), result=result)
            )
        finally:
            passage.leave()
            self._has_advanced = True
        if self._in_flight > 1:
            await self.write()
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
            now = self.clock()
            tries, after = len(recent) + 1, error.retry_after
            delay = next_delay(self._policy, number=tries, elapsed=now - first, retry_after=after, rng=self._rng)
            if delay is not None:
                self.park_run(
                    Settlement(RunState.WAITING, wake_at=now + delay, waiting_for=f"retry of {attempt.name}"),
                    replace(attempt, state=AttemptState.RETRY, next_at=now + delay),
                )
        self.note(error, attempt.step)
        await self.write(self._failed(attempt))

    @property
    def give_up_after(self) -> timedelta:
        return self._policy.give_up

    def _failed(self, attempt: Attempt) -> Attempt:
        return replace(attempt, state=AttemptState.FAILED, asked=self._asked)

    async def _make_sure(self) -> None:
        """Ask whether the run is still ours where it may not be: nothing may reach a vendor in another's name."""
        if self._in_doubt():
            await self.write()
