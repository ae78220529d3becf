"""Durable steps: what a recorded step returns again, what a new one does, and how its failure is met."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from mainstay.engine.failure import WORKFLOW, describe_failure, failure_again
from mainstay.engine.gating import Gate, Gated, Passage
from mainstay.engine.guard import UNSURE, Doubt, Terms, TermsOf, doubt_about, may_stand
from mainstay.engine.history import Clock, OpenHttp, Parked, Record
from mainstay.engine.joining import Joining
from mainstay.engine.retry import next_delay
from mainstay.errors import (
    DatabaseUnavailableError,
    FencedError,
    NeedsHumanError,
    PermanentError,
    TransientError,
    UnsureError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt, AttemptState, Effect, Guard, Promise, Retry, RunState
from mainstay.runs import Claimed, Settlement
from mainstay.telemetry import is_tracing, span

if TYPE_CHECKING:
    from mainstay.kit import Http


async def followed(attempt: Awaitable[Any], name: str, step: int, connection: str) -> Any:
    """Make an attempt as a span of its run's trace."""
    with span(name, {"mainstay.step": step, "mainstay.connection": connection}):
        return await attempt


_SURE_SECONDS = 1.0
Call = Callable[["Http"], Awaitable[Any]]
EffectOf = Callable[[Any, datetime], Effect | None]
_SAFE = {Promise.KEY: Guard.KEY, Promise.STATE: Guard.STATE}
_TO_CALL = object()


def _no_terms(*_: Any) -> Terms:
    return Terms()


class StepRunner(Joining, Gated):
    """Runs the steps of one run, in the order they are asked for."""

    def __init__(
        self,
        claimed: Claimed,
        *,
        record: Record,
        open_http: OpenHttp,
        clock: Clock,
        terms: TermsOf = _no_terms,
        rng: random.Random,
        in_doubt: Callable[[], bool] = lambda: False,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(claimed, record=record, clock=clock)
        self.gate = gate
        self._open_http = open_http
        self._terms = terms
        self._rng = rng
        self._in_doubt = in_doubt
        self._has_advanced = False

    def retract(self, error: VendorError) -> VendorError:
        """Turn the last step's success, not yet written, into a failure: what followed has shown that it was none."""
        if self._unwritten:
            last = self._unwritten.pop()
            self._unwritten.append(self._failed(replace(last, fate=error.fate, error=str(error), effect=None)))
            self.note(error, last.step)
        return error

    async def step(
        self,
        name: str,
        call: Call,
        *,
        connection: str = "",
        find: Call | None = None,
        retry: Sequence[Retry] = (),
        prepare: Callable[[int], Awaitable[None]] | None = None,
        effect: EffectOf | None = None,
    ) -> Any:
        """Run one step, or return what it returned when it ran before.

        Args:
            name: ``role.operation``, as the ledger shows it.
            call: makes the vendor call with the Http it is given; returns a small JSON-able value.
            connection: name of the connection, for the ledger and its limits; empty for local work.
            find: where the connector promises a look-up: returns what ``call`` would have, or None where the vendor
                does not have it; any VendorError but a transient one means that it cannot be told.
            retry: what call and workflow say of retries, the narrowest first.
            prepare: called with the step's number before an attempt; may :meth:`park` the run.
            effect: of the result, and of the earliest moment at which the call can have had its effect: what it left
                elsewhere, to be recorded with the step. It raises nothing.
        """
        number, recorded = self.next_step(name)
        last = recorded[-1] if recorded else None
        if last is not None and last.state is AttemptState.OK:
            return last.result
        if last is not None and last.state is AttemptState.FAILED:
            raise self.note(failure_again(last), number)
        is_let_through = self.run.held_since is not None and last is not None and last.connection == connection
        if last is not None and last.next_at is not None and self.is_ahead(last.next_at) and not is_let_through:
            self.park_run(Settlement(RunState.WAITING, wake_at=last.next_at, waiting_for=f"retry of {name}"))
        # What had ended before was on disk when the next began, so only what comes first now can have been under way.
        cut_off = self._last_seen() if self.run.taken_over and not self._has_advanced else None
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
            if cut_off is not None:
                self._unwritten.append(self._left_by_a_dead_worker(number, name, connection, cut_off))
            raise Parked(self._parked)
        terms = self._terms(self.run.workspace_id, connection, name, retry)
        self._in_flight += 1
        attempt = self._attempt(number, name, call, connection, recorded, cut_off, find, terms, effect)
        attempt = self.count_out(followed(attempt, name, number, connection) if is_tracing() else attempt)
        if asyncio.current_task() is self._home:
            return await attempt
        # A task group breaks off what runs beside a step that parks; what is with a vendor must come to its end.
        return await asyncio.shield(asyncio.ensure_future(attempt))

    async def _attempt(  # noqa: PLR0913, PLR0917 - all that there is to know of it
        self,
        step: int,
        name: str,
        call: Call,
        connection: str,
        recorded: list[Attempt],
        cut_off: datetime | None,
        find: Call | None,
        terms: Terms,
        effect: EffectOf | None,
    ) -> Any:
        aside = self.set_aside(step)
        http = self._open_http(self.run.workspace_id, connection, self.key_of(step))
        started = self.clock()
        attempt = Attempt(
            run_id=self.run.id,
            step=step,
            name=name,
            number=len(self._recorded.get(step, ())) + 1,
            state=AttemptState.OK,
            started_at=started,
            connection=connection,
        )
        left = self._left_by_a_dead_worker(step, name, connection, cut_off) if cut_off is not None else None
        passage = await self.pass_gate(attempt, http, recorded, left, terms.policy.give_up)
        http.before_call = self._make_sure
        try:
            await self._make_sure()
            doubt = doubt_about(recorded, cut_off, started)
            result: Any = _TO_CALL
            if doubt is None and terms.promise is not Promise.STATE and may_stand(name, aside):
                attempt = replace(attempt, guard=Guard.REPEATED, repeated=True)
            if doubt is not None:
                attempt, result = await self._settle_doubt(attempt, http, doubt, find, terms)
            if result is _TO_CALL:
                result = await passage.carry(call(http))
        except (FencedError, DatabaseUnavailableError):
            raise
        except asyncio.CancelledError:
            # The workflow's own time-out or task group broke it off: it may have reached the vendor all the same.
            broken_off = replace(attempt, state=AttemptState.RETRY, fate=UNSURE, error="broken off under way")
            self._unwritten.append(self._ended(broken_off, http))
            raise
        except Exception as error:
            attempt = self._ended(attempt, http)
            if isinstance(error, VendorError):
                met = self._ask(error, attempt, find, terms)
                await self._meet(attempt, met, recorded, terms, passage)
                if met is error:
                    raise
                raise met from error
            failed = replace(attempt, fate=WORKFLOW, error=describe_failure(error))
            await self.write(self._failed(failed))
            if isinstance(error, WorkflowError):
                self.note(error, step)
                raise
            # The same class as when the record of it is met again, so that the workflow can only act alike.
            raise self.note(WorkflowError(failed.error), step) from error
        else:
            left_there = effect(result, doubt.since if doubt else started) if effect is not None else None
            self._unwritten.append(replace(self._ended(attempt, http), result=result, effect=left_there))
        finally:
            passage.leave()
            self._has_advanced = True
        if self._in_flight > 1:
            await self.write()
        return result

    async def _settle_doubt(
        self, attempt: Attempt, http: Http, doubt: Doubt, find: Call | None, terms: Terms
    ) -> tuple[Attempt, Any]:
        """Make sure that what may have happened does not happen twice; returns its result where it has happened.

        Raises:
            TransientError: the vendor could not be asked; the doubt stands.
            UnsureError: nobody can tell, and a person is to be asked.
        """
        if terms.promise in _SAFE:
            return replace(attempt, guard=_SAFE[terms.promise]), _TO_CALL
        if terms.promise is Promise.UNSAID:
            return attempt, _TO_CALL
        if doubt.is_answered:
            return replace(attempt, guard=Guard.ORDERED, repeated=True), _TO_CALL
        if terms.promise is Promise.LOOKUP and find is not None:
            asked_at = self.clock()
            http.tried_ago = (asked_at - doubt.since).total_seconds()
            try:
                found = await find(http)
            except TransientError as error:
                message = f"could not look whether it happened: {error}"
                raise TransientError(
                    message, status=error.status, retry_after=error.retry_after, unsure=True
                ) from error
            except (PermanentError, NeedsHumanError):
                pass  # It cannot be looked up with what this connection has, as the exchange shows.
            else:
                if found is not None:
                    return replace(attempt, guard=Guard.FOUND), found
                settled = doubt.settled_at or doubt.until + terms.lookup_after
                if asked_at < settled:
                    early = replace(
                        self._ended(attempt, http),
                        guard=Guard.NOT_YET,
                        state=AttemptState.RETRY,
                        fate=UNSURE,
                        error="not there yet; it is looked for once more",
                        next_at=settled,
                    )
                    waiting_for = f"retry of {attempt.name}"
                    self.park_run(Settlement(RunState.WAITING, wake_at=settled, waiting_for=waiting_for), early)
                return replace(attempt, guard=Guard.NOT_FOUND), _TO_CALL
        if terms.on_unsure == "ask":
            raise UnsureError(_question("an earlier try left it open whether it happened", attempt))
        return replace(attempt, guard=Guard.REPEATED, repeated=True), _TO_CALL

    @staticmethod
    def _ask(error: VendorError, attempt: Attempt, find: Call | None, terms: Terms) -> VendorError:
        """Turn a failure that leaves open whether it happened into a question, where nobody but a person can tell."""
        nobody_can_tell = terms.promise is Promise.NONE or (terms.promise is Promise.LOOKUP and find is None)
        if error.unsure and isinstance(error, TransientError) and nobody_can_tell and terms.on_unsure == "ask":
            return UnsureError(_question(str(error), attempt), status=error.status)
        return error

    async def _meet(
        self, attempt: Attempt, error: VendorError, recorded: list[Attempt], terms: Terms, passage: Passage
    ) -> None:
        """Park the run for the next try, or record that there is none."""
        is_unsure = isinstance(error, TransientError) and error.unsure
        attempt = replace(
            attempt,
            fate=UNSURE if is_unsure else error.fate,
            error=str(error),
            status=error.status,
            guard=Guard.ASKED if isinstance(error, UnsureError) else attempt.guard,
        )
        if isinstance(error, TransientError):
            # A retry by hand, which sets no time of its own, begins the count anew.
            by_hand = max((place for place, one in enumerate(recorded, 1) if one.next_at is None), default=0)
            recent = recorded[by_hand:]
            first = recent[0].started_at if recent else attempt.started_at
            now = self.clock()
            tries, after = len(recent) + 1, error.retry_after
            if is_unsure and terms.promise is Promise.LOOKUP:
                after = max(after or 0.0, terms.lookup_after.total_seconds())
            delay = next_delay(terms.policy, number=tries, elapsed=now - first, retry_after=after, rng=self._rng)
            if delay is not None:
                waits = Settlement(RunState.WAITING, wake_at=now + delay, waiting_for=f"retry of {attempt.name}")
                if held := passage.closed():
                    # Else who asked whether the vendor is back would wait longer for it than all others.
                    waits = replace(waits, waiting_for=held.why, held_at=attempt.connection, held_since=now)
                self.park_run(
                    waits,
                    replace(attempt, state=AttemptState.RETRY, next_at=now + delay),
                )
        self.note(error, attempt.step)
        await self.write(self._failed(attempt))

    def _ended(self, attempt: Attempt, http: Http) -> Attempt:
        duration_ms = self.elapsed_ms(attempt.started_at)
        return replace(attempt, exchanges=tuple(http.exchanges), duration_ms=duration_ms)

    def _failed(self, attempt: Attempt) -> Attempt:
        # What an earlier drive recorded came before this failure, whether or not this drive has got to it.
        before = [step for step, made in self._recorded.items() if not all(one.is_set_aside for one in made)]
        return replace(attempt, state=AttemptState.FAILED, asked=max([self._asked, *before]))

    def _last_seen(self) -> datetime:
        """Return the earliest moment at which a worker that died can have made a call that it did not record."""
        ends = [
            one.started_at + timedelta(milliseconds=one.duration_ms)
            for attempts in self._recorded.values()
            for one in attempts
        ]
        return max([*ends, self.run.created_at or self.clock()])

    def _left_by_a_dead_worker(self, step: int, name: str, connection: str, since: datetime) -> Attempt:
        left = replace(self.local(step, name, since), connection=connection, duration_ms=self.elapsed_ms(since))
        return replace(left, state=AttemptState.RETRY, fate=UNSURE, error="its worker died, perhaps under way")

    async def _make_sure(self) -> None:
        """Ask whether the run is still ours where it may not be: nothing may reach a vendor in another's name.

        It may have been cancelled too, so what was known a second ago is asked again.
        """
        if self._in_doubt() or monotonic() - self.owned_at > _SURE_SECONDS:
            await self.write()


def _question(what: str, attempt: Attempt) -> str:
    at = attempt.connection or attempt.name
    return f"{what}; it may have happened at {at} all the same: look there, then say whether it did"
