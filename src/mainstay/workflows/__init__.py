"""Workflows by name: run for whoever drives them, started by a program, answered while a caller waits.

A sync workflow's run is on the queue from the start, behind its caller's deadline. The process that took the call
drives it first; past the deadline it hands over at the next step, and if it dies the queue has it anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import Pool, acquire, transact
from mainstay.engine import Driver, Workflow
from mainstay.errors import WorkflowError
from mainstay.runs import RunResult, hasten, is_same_body, result_of_run, results_of_delivery
from mainstay.workflows.driving import Driving
from mainstay.workflows.starting import Started, Wish, start

if TYPE_CHECKING:
    from mainstay.engine.history import Clock

__all__ = ["Started", "UnknownWorkflowError", "Workflows", "answers_of"]

_FIRST_LOOK_SECONDS = 0.02
_SELDOMEST_LOOK_SECONDS = 0.25


class UnknownWorkflowError(WorkflowError):
    """No workflow of this name can be started for a contact; the message says why, or which is near."""


def answers_of(workflows: Iterable[Workflow]) -> Mapping[str, timedelta]:
    """Return the events that start sync workflows, with how long a sender of each may wait."""
    found: dict[str, timedelta] = {}
    for each in workflows:
        if each.on:
            found[each.on] = max(each.answer_within, found.get(each.on, each.answer_within))
    return found


class Declared(Protocol):
    """What the composition root knows of every workspace's workflows."""

    def workflows(self, workspace_id: UUID) -> Mapping[str, Workflow]:
        """Return a workspace's workflows by name."""
        ...


class Workflows:
    """The verbs of workflows.

    Args:
        pool: the database.
        driver: what drives executions in this process.
        declared: the workflows of each workspace.
        clock: the time as runs see it.
    """

    def __init__(self, pool: Pool, driver: Driver, declared: Declared, clock: Clock) -> None:
        self._pool = pool
        self._declared = declared
        self._clock = clock
        self._driving = Driving(driver)

    async def close(self) -> None:
        """Hand over what callers wait for."""
        await self._driving.close()

    def named(self, workspace_id: UUID, name: str) -> Workflow:
        """Return a workflow.

        Raises:
            UnknownWorkflowError: there is none of this name, or it runs by the clock.
        """
        loaded = self._declared.workflows(workspace_id)
        if name not in loaded:
            near = get_close_matches(name, loaded, 1)
            known = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(sorted(loaded)[:20]) or 'none'}"
            raise UnknownWorkflowError(f'no workflow "{name[:100]}" is loaded; {known}')
        if loaded[name].schedule is not None:
            message = f'"{name}" runs by the clock, for no contact; put what both are to do in a workflow of its own'
            raise UnknownWorkflowError(message)
        return loaded[name]

    async def start(
        self, workspace_id: UUID, name: str, contact_id: UUID, data: Mapping[str, Any] | None = None, *, key: str = ""
    ) -> Started:
        """Start a workflow for a contact; a repeated ``key`` gives the first run again.

        Raises:
            UnknownWorkflowError: there is no such workflow.
            PermanentError: there is no such contact, or a run that has not ended keeps this one from beginning.
            ConflictError: the key was used for another start.
        """
        declared = self.named(workspace_id, name)
        within = declared.answer_within if declared.is_sync and self._driving.has_room else None
        wish = Wish(workspace_id, name, contact_id, data or {}, key, within, declared.turns, self._clock())
        return await transact(self._pool, lambda connection: start(connection, wish))

    async def answer(self, workspace_id: UUID, started: Started, *, began: float) -> RunResult | None:
        """Return how a started run stands: of a sync workflow once it has ended, or when its caller's time is over.

        ``began`` is when the caller began to wait, by ``time.monotonic``.
        """

        async def look() -> Sequence[RunResult]:
            found = await self.look(workspace_id, started.run_id)
            return [found] if found else []

        if started.execution_id and started.answer_within:
            await self._drive(started.execution_id, started.answer_within, began)
            found = await look()
        else:
            declared = self._declared.workflows(workspace_id).get(started.workflow)
            waits = declared.answer_within.total_seconds() if declared and declared.is_sync else 0.0
            found = await _await_end(look, began + waits)
        return found[0] if found else None

    async def look(self, workspace_id: UUID, run_id: UUID) -> RunResult | None:
        """Return how a run stands; None where there is none."""
        async with acquire(self._pool) as connection:
            return await result_of_run(connection, workspace_id, run_id)

    async def answer_delivery(
        self, workspace_id: UUID, delivery_id: UUID, body: bytes, *, execution_id: str, within: timedelta, began: float
    ) -> Sequence[RunResult]:
        """Return how the sync runs stand that a delivery began, once they have ended or the sender's time is over.

        Of a repeated delivery (no ``execution_id``) they are told only where its ``body`` is the same.
        """
        names = [each.name for each in self._declared.workflows(workspace_id).values() if each.is_sync]

        async def look() -> Sequence[RunResult]:
            async with acquire(self._pool) as connection:
                return await results_of_delivery(connection, workspace_id, delivery_id, names)

        if execution_id:
            await self._drive(execution_id, within, began)
            return await look()
        async with acquire(self._pool) as connection:
            if not await is_same_body(connection, workspace_id, delivery_id, body):
                return ()
        return await _await_end(look, began + within.total_seconds())

    @property
    def has_room(self) -> bool:
        """Tell whether one more caller can wait for its answer."""
        return self._driving.has_room

    async def _drive(self, execution_id: str, within: timedelta, began: float) -> None:
        if not await self._driving.drive(execution_id, within, began):
            async with acquire(self._pool) as connection, connection.transaction():
                await hasten(connection, execution_id)


async def _await_end(look: Callable[[], Awaitable[Sequence[RunResult]]], deadline: float) -> Sequence[RunResult]:
    """Look until all runs have ended, or time is over: somebody else drives them."""
    pause = _FIRST_LOOK_SECONDS
    while True:
        found = await look()
        left = deadline - time.monotonic()
        if left <= 0 or (found and not any(each.is_open for each in found)):
            return found
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _SELDOMEST_LOOK_SECONDS)
