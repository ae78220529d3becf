"""Sends each workspace's review once a week: a run of its own, whose input holds the review as it was made.

So a retry sends the same letter, whatever has happened since. That there is one a week is held by a row for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.engine.operations import call_operation, find_operation
from mainstay.insight.weekly import weekly_review
from mainstay.insight.weeks import Week, week_due
from mainstay.kit.roles import EmailMessage
from mainstay.model import new_id
from mainstay.runs import Claimed, begin_run
from mainstay.watch.routes import Alerts, Route
from mainstay.weekly.letter import letter_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.engine.history import Clock
    from mainstay.kit import Http

WEEKLY_REVIEW = "weekly-review.v1"


class Stack(Protocol):
    """What a workspace declares, as far as its letters go."""

    @property
    def name(self) -> str: ...

    @property
    def timezone(self) -> ZoneInfo: ...

    @property
    def alerts(self) -> Alerts: ...


class Served(Protocol):
    """A workspace that this process serves."""

    @property
    def stack(self) -> Stack:
        """What it declares."""
        ...


class Office(Protocol):
    """What the composition root knows of a workspace's letters."""

    @property
    def workspaces(self) -> Mapping[UUID, Served]:
        """The workspaces that this process serves."""
        ...

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...

    def page_url(self, workspace_id: UUID, path: str) -> str:
        """Return the address of a workspace's page."""
        ...


class WeeklyReviews:
    """Begins the run of each week's letter, and sends it."""

    def __init__(self, pool: Pool, office: Office, clock: Clock) -> None:
        self._pool = pool
        self._office = office
        self._clock = clock
        self._begun: dict[UUID, Week] = {}

    async def begin_due(self) -> None:
        """Begin the letters whose moment has come; of two processes that try at once, one does."""
        now = self._clock()
        for workspace_id, served in self._office.workspaces.items():
            moment = served.stack.alerts.review
            if not moment or not _routes(served.stack):
                continue
            week, due = week_due(moment, now, served.stack.timezone)
            if self._begun.get(workspace_id) == week:
                continue
            await self._begin(workspace_id, served.stack, week, due, now)
            self._begun[workspace_id] = week

    async def _begin(self, workspace_id: UUID, stack: Stack, week: Week, due: datetime, now: datetime) -> None:
        async def work(connection: Connection) -> None:
            run_id = new_id()
            # Who came later than the moment has nothing to look back on.
            is_first = await connection.fetchval(
                """
                INSERT INTO weekly_reviews (workspace_id, week, run_id)
                SELECT id, $2, $3 FROM workspaces WHERE id = $1 AND created_at < $4
                ON CONFLICT DO NOTHING RETURNING true
                """,
                workspace_id,
                week.name,
                run_id,
                due,
            )
            if is_first:
                review = await weekly_review(connection, workspace_id, week, stack.timezone, now)
                data = {"week": week.name, "review": review.to_json()}
                await begin_run(connection, workspace_id, WEEKLY_REVIEW, data, run_id=run_id)

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Send one letter to every e-mail route, each as a step of its own."""
        workspace_id = steps.run.workspace_id
        stack = self._office.workspaces[workspace_id].stack
        root = self._office.page_url(workspace_id, "").rstrip("/")
        letter = letter_of(steps.run.input["review"], stack.name, root)
        for route in _routes(stack):
            message = EmailMessage(route.target, letter.subject, letter.text, letter.html)
            await self._send(steps, route, message)
        return ()

    async def _send(self, steps: StepRunner, route: Route, message: EmailMessage) -> None:
        def made(http: Http) -> Any:
            return self._office.vendor(steps.run.workspace_id, route.connection, route.role, http)

        async def call(http: Http) -> Any:
            return await call_operation(made(http), "send", message)

        async def find(http: Http) -> Any:
            return await find_operation(made(http), "send", message)

        await steps.step("email.send", call, connection=route.connection, find=find)


def _routes(stack: Stack) -> list[Route]:
    return [each for each in stack.alerts if each.role == "email"]
