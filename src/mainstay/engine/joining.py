"""Runs that a run begins and waits for, and questions to people: waits that bring about what they wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mainstay.engine.definition import Workflow
from mainstay.engine.failure import CHILD, failure_again
from mainstay.engine.waiting import Waiting
from mainstay.errors import ChildFailedError, DatabaseUnavailableError
from mainstay.model import AttemptState, RunState, new_id
from mainstay.runs import Ask, FanOut, NewChild, NewRun, Settlement, Wait
from mainstay.runs.approvals import DECIDED
from mainstay.runs.children import ENDED

_STORED_AT_ONCE = 500
_LONGEST_LABEL = 120


@dataclass(frozen=True, slots=True)
class Told:
    """How a question reaches people: the runs that pass it on, and what closes it when its time is over."""

    tell: Callable[[UUID], Sequence[NewRun]]
    close: Callable[[int, datetime], Awaitable[Mapping[str, Any]]]


class Joining(Waiting):
    """The children and questions of one run."""

    async def begin_child(self, workflow: Workflow, run_input: Mapping[str, Any], contact_id: UUID | None) -> str:
        """Begin a run, once, and do not wait for it; returns its id."""
        name = f"start {workflow.name}"
        step, recorded = self.next_step(name)
        if recorded and recorded[-1].state is AttemptState.OK:
            begun: str = recorded[-1].result["run_id"]
            return begun
        now = self.clock()
        child = NewChild(new_id(), workflow.name, run_input, contact_id, 0, workflow.turns.deadline_at(now))
        attempt = replace(self.local(step, name, now), result={"run_id": str(child.id)})
        self._in_flight += 1
        await self.count_out(self.write(attempt, begins=(FanOut(step, (child,), 1),)))
        return str(child.id)

    async def run_children(
        self,
        name: str,
        workflow: Workflow,
        inputs: Sequence[tuple[Mapping[str, Any], UUID | None]],
        *,
        at_most: int,
        collects: bool = False,
    ) -> Mapping[str, Any]:
        """Run children to their ends, ``at_most`` at once; returns their ``results`` by place, and what ``failed``.

        Raises:
            ChildFailedError: some did not end well, unless it ``collects`` that too. A retry of the step by hand lets
                the children that failed go on from where they failed.
        """
        step, recorded = self.next_step(name, is_wait=True)
        last = recorded[-1] if recorded else None
        if last is not None and last.state is AttemptState.OK:
            kept: Mapping[str, Any] = last.result
            return kept
        if last is not None and last.state is AttemptState.FAILED:
            raise self.note(failure_again(last), step)
        again = last is not None and last.state is AttemptState.RETRY
        now = self.clock()
        label = f"{workflow.name} to end" if len(inputs) == 1 else f"{len(inputs):,} runs of {workflow.name} to end"
        parks = Settlement(RunState.WAITING, waiting_for=label)
        if inputs and (again or step not in self._waits):
            left = await self._store_children(step, workflow, inputs)
            wait = Wait(step, ENDED, None, None, new_id(), {"at_most": at_most})
            fan_out = FanOut(step, left, at_most, again=again)
            waiting = replace(self.local(step, name, now), state=AttemptState.WAITING)
            self.park_run(replace(parks, waits=(wait,), begins=(fan_out,)), waiting)
        outcome: Mapping[str, Any] | None = self._waits.get(step) if inputs else {"results": [], "failed": []}
        if outcome is None:
            self.park_run(parks)
        if outcome["failed"] and not collects:
            error = ChildFailedError(_message(outcome["failed"], len(inputs)), _ids(outcome["failed"]))
            attempt = replace(self.local(step, name, now), fate=CHILD, error=str(error), result=list(error.run_ids))
            self.note(error, step)
            await self.write(replace(attempt, state=AttemptState.FAILED, asked=self._asked))
            raise error
        self._unwritten.append(replace(self.local(step, name, now), result=outcome))
        return outcome

    async def _store_children(
        self, step: int, workflow: Workflow, inputs: Sequence[tuple[Mapping[str, Any], UUID | None]]
    ) -> Sequence[NewChild]:
        """Store children, so many at once that no transaction grows long; return the last few, not yet stored."""
        deadline_at = workflow.turns.deadline_at(self.clock())
        children = [
            NewChild(new_id(), workflow.name, run_input, contact_id, place, deadline_at)
            for place, (run_input, contact_id) in enumerate(inputs)
        ]
        while len(children) > _STORED_AT_ONCE:
            batch, children = children[:_STORED_AT_ONCE], children[_STORED_AT_ONCE:]
            self._in_flight += 1
            await self.count_out(self.write(begins=(FanOut(step, batch),)))
        return children

    async def ask(
        self, question: str, *, contact_id: UUID | None, timeout: timedelta | None, told: Told
    ) -> Mapping[str, Any]:
        """Ask people and wait for the answer: ``approved``, ``by``, ``note``, and whether the time ``expired``."""
        name = "approval"
        step, recorded = self.next_step(name, is_wait=True)
        last = recorded[-1] if recorded else None
        if last is not None and last.state is AttemptState.OK:
            kept: Mapping[str, Any] = last.result
            return kept
        now = self.clock()
        deadline = last.next_at if last is not None else now + timeout if timeout is not None else None
        label = f"an answer: {question[:_LONGEST_LABEL]}"
        parks = Settlement(RunState.WAITING, wake_at=deadline, waiting_for=label)
        if step not in self._waits:
            ask = Ask(new_id(), step, question, contact_id, deadline)
            wait = Wait(step, DECIDED, None, deadline, new_id())
            waiting = replace(self.local(step, name, now), state=AttemptState.WAITING, next_at=deadline)
            self.park_run(
                replace(parks, waits=(wait,), asks=(ask,), tells=tuple(told.tell(ask.id))),
                waiting if last is None else None,
            )
        answer: Mapping[str, Any] | None = self._waits[step]
        if answer is None:
            if deadline is None or self.is_ahead(deadline):
                self.park_run(parks)
            try:
                answer = await told.close(step, max(now, deadline))
            except DatabaseUnavailableError as error:
                self.stopped = error
                raise
        self._unwritten.append(replace(self.local(step, name, now), result=answer))
        return answer


def _ids(failed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(each["run_id"] for each in failed)


def _message(failed: Sequence[Mapping[str, Any]], count: int) -> str:
    first = failed[0]
    why = first["error"] or f"it was {first['state']}"
    which = f"{first['workflow']} (run {first['run_id']})"
    return f"{which}: {why}" if count == 1 else f"{len(failed):,} of {count:,} did not end well; first {which}: {why}"
