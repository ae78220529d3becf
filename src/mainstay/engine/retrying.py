"""Retries by hand: one run from any of its steps, with its input or another; or many, by one order with a brake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import transact
from mainstay.engine.failure import DEADLINE
from mainstay.errors import RetryRefusedError, UnsureError
from mainstay.model import Lane, RunState, new_id
from mainstay.runs import (
    Again,
    Brake,
    Chosen,
    Claimed,
    Settlement,
    answer,
    begin_bulk,
    begin_run,
    requeue,
    resume_bulk,
    send_some,
    stop_bulk,
)

if TYPE_CHECKING:
    from datetime import datetime

    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.steps import StepRunner

BULK_RETRY = "bulk_retry.v1"
_FIXED = ("id", "workspace_id")
_NO_BRAKE = Brake()


class Retrier:
    """Retries runs. ``own`` are Mainstay's own workflows, which go on from the step that failed and nowhere else.

    ``deadline`` gives, for a workspace, the deadline of a workflow's run that begins anew now.
    """

    def __init__(
        self, pool: Pool, deadline: Callable[[UUID], Callable[[str], datetime | None]], *, own: Collection[str]
    ) -> None:
        self._pool = pool
        self._deadline = deadline
        self._own = own

    async def retry(
        self,
        workspace_id: UUID,
        run_id: UUID,
        *,
        from_step: int | None = None,
        given: Mapping[str, Any] | None = None,
        by: str = "",
    ) -> None:
        """Retry a run: from the step that failed, or from ``from_step`` (1: the start), with ``given`` as its input.

        Raises:
            RetryRefusedError: it cannot be done; the message says why.
        """

        async def work(connection: Connection) -> None:
            run = await connection.fetchrow(
                """
                SELECT *, (SELECT max(step) FROM attempts WHERE run_id = runs.id AND NOT is_set_aside) AS last_step
                FROM runs WHERE id = $1 AND workspace_id = $2 FOR NO KEY UPDATE
                """,
                run_id,
                workspace_id,
            )
            if run is None:
                raise RetryRefusedError("there is no such run in this workspace")
            self._check(run, from_step, given)
            again = Again(from_step, given, Lane.LEAD, by)
            if not await requeue(connection, workspace_id, run_id, again=again, deadline=self._deadline(workspace_id)):
                raise RetryRefusedError("there is nothing to retry")

        await transact(self._pool, work)

    async def retry_failed(self, workspace_id: UUID, run_id: UUID, *, by: str = "") -> bool:
        """Retry a failed run from the step that failed; False when it is not a failed run."""
        deadline, again = self._deadline(workspace_id), Again(lane=Lane.LEAD, by=by)

        async def work(connection: Connection) -> bool:
            return await requeue(connection, workspace_id, run_id, again=again, deadline=deadline)

        return await transact(self._pool, work)

    async def answer(self, workspace_id: UUID, run_id: UUID, *, happened: bool) -> bool:
        """Take a person's word on the call that a run asks about; see :func:`mainstay.runs.answer`."""
        deadline = self._deadline(workspace_id)

        async def work(connection: Connection) -> bool:
            return await answer(connection, workspace_id, run_id, happened=happened, deadline=deadline)

        return await transact(self._pool, work)

    def _check(self, run: Row, from_step: int | None, given: Mapping[str, Any] | None) -> None:
        state = run["state"]
        if state in {RunState.QUEUED, RunState.RUNNING, RunState.WAITING}:
            raise RetryRefusedError(f"it has not ended: it is {state}", "Cancel it first, or let it come to its end.")
        if from_step is None and state != RunState.FAILED:
            raise RetryRefusedError(
                f"it did not fail: it is {state}", "Say from which step it is to begin again; 1 is the start."
            )
        if run["fate"] == UnsureError.fate and state == RunState.FAILED and from_step is None and given is None:
            raise RetryRefusedError("it asks whether its call happened", "Answer: it happened, or call again.")
        if run["workflow"] in self._own and (from_step is not None or given is not None):
            raise RetryRefusedError(
                f"{run['workflow']} is Mainstay's own: it goes on from the step that failed alone",
                "To have a delivery read again: mainstay deliveries replay",
            )
        if not run["input"]:
            raise RetryRefusedError("its contact was deleted, and what it was given with it")
        if from_step is not None:
            _check_step(run, from_step)
        if given is not None and (wrong := problems_of_input(run["input"], given)):
            raise RetryRefusedError("; ".join(wrong), "Change values alone; everything else stays as it was.")

    async def begin(
        self, workspace_id: UUID, chosen: Chosen, brake: Brake = _NO_BRAKE, *, from_start: bool = False, by: str = ""
    ) -> UUID:
        """Order that all failed runs that ``chosen`` means be retried, as ``brake`` allows; returns the order's id.

        A run of its own carries it out, so it outlives whoever asked.

        Raises:
            RetryRefusedError: the rate is no rate.
        """
        if brake.per_second is not None and not 0 < brake.per_second < float("inf"):
            raise RetryRefusedError(f"{brake.per_second:g} a second is no rate", "5/s, or 30/m")

        async def work(connection: Connection) -> UUID:
            run_id = new_id()
            bulk_id = await begin_bulk(connection, workspace_id, run_id, chosen, brake, from_start=from_start, by=by)
            await _carry_out(connection, workspace_id, run_id, bulk_id)
            return bulk_id

        return await transact(self._pool, work)

    async def stop(self, workspace_id: UUID, bulk_id: UUID, *, by: str = "") -> bool:
        """Send nothing more of a bulk retry; what has been sent goes on. False when it is not running."""
        return await transact(self._pool, lambda session: stop_bulk(session, workspace_id, bulk_id, by=by))

    async def resume(self, workspace_id: UUID, bulk_id: UUID) -> bool:
        """Let a stopped bulk retry go on where it stopped; False when it is not stopped."""

        async def work(connection: Connection) -> bool:
            run_id = new_id()
            is_stopped = await resume_bulk(connection, workspace_id, bulk_id, run_id)
            if is_stopped:
                await _carry_out(connection, workspace_id, run_id, bulk_id)
            return is_stopped

        return await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Carry out a bulk retry: each portion is sent and counted in one transaction, so that none is sent twice."""
        run = steps.run
        bulk_id = UUID(run.input["bulk_id"])
        while True:
            now = steps.clock()
            deadline = self._deadline(run.workspace_id)

            async def work(
                connection: Connection, now: datetime = now, deadline: Callable[[str], datetime | None] = deadline
            ) -> datetime | None:
                return await send_some(connection, run, bulk_id, now, deadline=deadline, own=self._own)

            next_at = await transact(self._pool, work)
            if next_at is None:
                return ()
            if next_at > now:
                steps.park_run(Settlement(RunState.WAITING, wake_at=next_at, waiting_for="its brake"))


async def _carry_out(connection: Connection, workspace_id: UUID, run_id: UUID, bulk_id: UUID) -> None:
    data = {"bulk_id": str(bulk_id)}
    await begin_run(connection, workspace_id, BULK_RETRY, data, lane=Lane.BACKFILL, run_id=run_id)


def _check_step(run: Row, from_step: int) -> None:
    last = run["last_step"] or 0
    if from_step < 1 or (from_step > 1 and from_step > last):
        raise RetryRefusedError(f"it has no step {from_step}: it recorded {last or 'none'}")
    failed = run["failed_step"]
    if run["state"] == RunState.FAILED and run["fate"] != DEADLINE and failed is not None and from_step > failed:
        raise RetryRefusedError(
            f"it cannot begin at step {from_step}, as step {failed} before it failed",
            f"Begin at step {failed}, or at an earlier one.",
        )


def problems_of_input(before: Any, given: Any, at: str = "") -> list[str]:
    """Return what keeps ``given`` from taking the place of a run's input: keys and kinds of values stay as they are.

    What is free in form (``custom``, ``data``, ``input``) may be anything; ids stay.
    """
    where = at or "the input"
    if before is None or (given is None and before is not None and at):
        return []
    if type(before) is not type(given) and not (isinstance(before, int | float) and isinstance(given, int | float)):
        return [f"{where} is {_kind(given)} now, and was {_kind(before)}"]
    if not isinstance(before, dict):
        return []
    if at.rpartition(".")[2] in {"custom", "data", "input"}:
        return []
    problems = [f"{_below(at, name)} is missing" for name in before if name not in given]
    problems += [f"{_below(at, name)} is new" for name in given if name not in before]
    for name in before.keys() & given.keys():
        if name in _FIXED and before[name] != given[name]:
            problems.append(f"{_below(at, name)} must stay {before[name]}")
        problems += problems_of_input(before[name], given[name], _below(at, name))
    return sorted(problems)


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else str(name)


def _kind(value: Any) -> str:
    kinds = {str: "a text", bool: "yes or no", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "nothing" if value is None else kinds.get(type(value), type(value).__name__)
