"""Approvals: what runs ask people. The verbs behind the page, the API and the commands, and how people hear of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.runs import NewRun, close_ask, decide
from mainstay.watch.channels import Message, Vendors, pass_on
from mainstay.watch.routes import Route

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.engine.history import Clock
    from mainstay.model import Contact, Run
    from mainstay.runs import Decision

QUESTION = "question.v1"
"""The run that tells people of a question, over one route."""


class Reach(Vendors, Protocol):
    """What the composition root knows of a workspace's people."""

    def alert_routes(self, workspace_id: UUID) -> Sequence[Route]:
        """Return where a workspace's alerts go."""
        ...

    def page_url(self, workspace_id: UUID, path: str) -> str:
        """Return the address of a workspace's page."""
        ...


class Approvals:
    """The verbs for approvals."""

    def __init__(self, pool: Pool, reach: Reach, clock: Clock) -> None:
        self._pool = pool
        self._reach = reach
        self._clock = clock

    async def decide(
        self, workspace_id: UUID, approval_id: UUID, *, approved: bool, by: str, note: str = ""
    ) -> Decision:
        """Answer a question; of several who answer it, the first one's word stands.

        Raises:
            LookupError: there is no such question.
            PermanentError: it was answered before, its time is over, or its run has ended; says which.
        """

        async def work(connection: Connection) -> Decision | None:
            return await decide(
                connection, workspace_id, approval_id, approved=approved, by=by, note=note.strip(), now=self._clock()
            )

        decision = await transact(self._pool, work)
        if decision is None:
            message = f"there is no approval {approval_id}"
            raise LookupError(message)
        if not decision.is_new:
            raise PermanentError(_why_not(decision))
        return decision

    async def close(self, run: Run, step: int, now: datetime) -> Mapping[str, Any]:
        """Close the question of a run's step whose time is over; returns what stands."""

        async def work(connection: Connection) -> Decision | None:
            return await close_ask(connection, run.id, step, now)

        decision = await transact(self._pool, work)
        return decision.event if decision else {"approved": False, "by": "", "note": "", "expired": True}

    def tell(self, run: Run, approval_id: UUID, question: str, contact: Contact | None) -> Sequence[NewRun]:
        """Return the runs that tell people of a question, one for each route of the workspace's alerts."""
        data = {"approval_id": str(approval_id), "question": question, "about": contact.name if contact else ""}
        return [
            NewRun(
                new_id(),
                run.workspace_id,
                QUESTION,
                data | {"route": asdict(route)},
                str(new_id()),
                contact_id=contact.id if contact else run.contact_id,
            )
            for route in self._reach.alert_routes(run.workspace_id)
        ]

    async def program(self, steps: StepRunner) -> None:
        """Tell people of one question over one route."""
        run = steps.run
        route = Route(**run.input["route"])
        link = self._reach.page_url(run.workspace_id, f"reviews/approvals#{run.input['approval_id']}")
        about = f" ({run.input['about']})" if run.input["about"] else ""
        text = f"To decide: {run.input['question']}{about}\n{link}"

        subject = " ".join(f"To decide: {run.input['question']}".split())[:200]
        data = {"question": run.input["question"], "about": run.input["about"], "url": link}
        message = Message(subject, text, " ".join(text.split()), "question.asked", data)
        await pass_on(steps, self._reach, route, message)


def _why_not(decision: Decision) -> str:
    if decision.decided_by:
        return f"{decision.decided_by} has {decision.state} it already"
    if decision.state == "expired":
        return "its time is over, or its run has ended"
    return f"it was {decision.state} already"
