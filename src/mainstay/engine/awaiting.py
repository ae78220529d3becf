"""What a Context can wait for: a time, an event, other runs, a person's word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.engine.definition import Workflow
from mainstay.engine.joining import Told
from mainstay.engine.subject import input_of
from mainstay.errors import ChildFailedError, WorkflowError
from mainstay.model import Contact, Run
from mainstay.model.duration import read_duration

if TYPE_CHECKING:
    from mainstay.engine.steps import StepRunner
    from mainstay.runs import NewRun


def duration(value: str | float | timedelta) -> timedelta:
    """Read ``"10m"``, ``"1h 30m"``, seconds, or a timedelta."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    try:
        return read_duration(value)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer. It is true when it is a yes.

    Attributes:
        approved: whether it is a yes.
        by: who answered; empty when nobody did.
        note: what they said besides.
        expired: nobody answered in time.
    """

    approved: bool
    by: str = ""
    note: str = ""
    expired: bool = False

    def __bool__(self) -> bool:
        """Tell whether it is a yes."""
        return self.approved


class Questions(Protocol):
    """How questions reach people."""

    def tell(self, run: Run, approval_id: UUID, question: str, contact: Contact | None) -> Sequence[NewRun]:
        """Return the runs that tell people of a question."""
        ...

    async def close(self, run: Run, step: int, now: datetime) -> Mapping[str, Any]:
        """Close the question of a step whose time is over; returns what stands, as an answer is recorded."""
        ...


class BusinessHours(Protocol):
    """When a business is open."""

    def is_open(self, moment: datetime) -> bool:
        """Tell whether it is open at a moment."""
        ...

    def next_open(self, moment: datetime) -> datetime:
        """Return the first time from ``moment`` on at which it is open."""
        ...


class Calendar(Protocol):
    """What the composition root knows of a workspace's time, workflows and people."""

    def hours(self, workspace_id: UUID) -> BusinessHours | None:
        """Return the workspace's business hours; None for always open."""
        ...

    def timezone(self, workspace_id: UUID) -> ZoneInfo:
        """Return the zone of the workspace's clock."""
        ...

    def workflows(self, workspace_id: UUID) -> Mapping[str, Workflow]:
        """Return a workspace's workflows by name."""
        ...

    @property
    def approvals(self) -> Questions:
        """How questions reach people."""
        ...


Matching = Mapping[str, Any] | Callable[[Mapping[str, Any]], bool]
Child = Callable[..., Awaitable[Any]] | str


class Awaiting:
    """The waits of a Context. None holds a worker, and all survive restarts."""

    _steps: StepRunner
    _surroundings: Calendar

    async def sleep(self, length: str | float | timedelta) -> None:
        """Sleep for ``"10m"``, seconds or a timedelta."""
        await self._steps.sleep(lambda now: now + duration(length))

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until a moment; one without a zone is by the workspace's clock. One that is past does not wait."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._surroundings.timezone(self._workspace_id))
        await self._steps.sleep(lambda _now: moment.astimezone(UTC))

    def now(self) -> datetime:
        """Return the time by the workspace's clock, as it was when the run first came here: safe to decide by."""
        at: str = self._steps.recall("now", lambda now: now.astimezone(UTC).isoformat())
        return self._local(at)

    def open_now(self) -> bool:
        """Tell whether the workspace is within its business hours, as it was when the run first came here."""
        hours = self._surroundings.hours(self._workspace_id)
        is_open: bool = self._steps.recall("open_now", lambda now: hours is None or hours.is_open(now))
        return is_open

    def next_open(self) -> datetime:
        """Return when the workspace is open next, now if it is: ``await ctx.sleep_until(ctx.next_open())``."""
        hours = self._surroundings.hours(self._workspace_id)
        at: str = self._steps.recall("next_open", lambda now: (hours.next_open(now) if hours else now).isoformat())
        return self._local(at)

    async def wait_for(
        self,
        event_type: str,
        *,
        contact: Contact | None = None,
        match: Matching | None = None,
        timeout: str | float | timedelta | None = None,
    ) -> Mapping[str, Any] | None:
        """Wait for the next event of a type, of ``contact`` if given; None when ``timeout`` passes first.

        ``match`` says what it must hold besides: values by key, ``{"status": "signed"}``, which the database looks for;
        or a function of the event, which runs each time one comes and must decide by it alone.
        """
        event: Mapping[str, Any] | None = await self._steps.wait_for(
            event_type,
            contact_id=contact.id if contact else None,
            timeout=duration(timeout) if timeout is not None else None,
            match=match,
        )
        return event

    async def run(self, workflow: Child, subject: Any = None, /, **arguments: Any) -> Any:
        """Run another workflow about a contact (or a value) and wait for it; returns what it returned.

        Raises:
            ChildFailedError: it failed or was cancelled.
        """
        declared = self._declared(workflow)
        given = [input_of(subject, arguments)]
        outcome = await self._steps.run_children(f"run {declared.name}", declared, given, at_most=1)
        return outcome["results"][0]

    async def start(self, workflow: Child, subject: Any = None, /, **arguments: Any) -> UUID:
        """Begin another workflow and do not wait for it; returns its run's id."""
        return UUID(await self._steps.begin_child(self._declared(workflow), *input_of(subject, arguments)))

    async def run_all(
        self,
        workflow: Child,
        subjects: Sequence[Any],
        /,
        *,
        at_most: int = 10,
        return_exceptions: bool = False,
        **arguments: Any,
    ) -> list[Any]:
        """Run another workflow about each of many, ``at_most`` of them at once; returns what they returned, in order.

        Raises:
            ChildFailedError: some failed or were cancelled, once all have ended; with ``return_exceptions`` it stands
                in the place of each of them instead.
        """
        if at_most < 1:
            raise WorkflowError(f"at_most={at_most} would let none begin; the least is 1")
        declared = self._declared(workflow)
        outcome = await self._steps.run_children(
            f"run_all {declared.name}",
            declared,
            [input_of(subject, arguments) for subject in subjects],
            at_most=at_most,
            collects=return_exceptions,
        )
        results = list(outcome["results"])
        for failed in outcome["failed"]:
            why = failed["error"] or f"it was {failed['state']}"
            results[failed["place"]] = ChildFailedError(f"{declared.name}: {why}", (failed["run_id"],))
        return results

    async def approval(
        self, question: str, *, contact: Contact | None = None, timeout: str | float | timedelta | None = None
    ) -> Approval:
        """Ask people for a yes or no, and wait: on the page Reviews, in a terminal, by the API.

        They are told where the workspace's alerts go. When ``timeout`` passes first, the answer is a no, ``expired``.
        """
        run = self._steps.run
        told = Told(
            tell=lambda approval_id: self._surroundings.approvals.tell(run, approval_id, question, contact),
            close=lambda step, now: self._surroundings.approvals.close(run, step, now),
        )
        limit = duration(timeout) if timeout is not None else None
        about = contact.id if contact else run.contact_id
        return Approval(**await self._steps.ask(question, contact_id=about, timeout=limit, told=told))

    @property
    def _workspace_id(self) -> UUID:
        return self._steps.run.workspace_id

    def _local(self, at: str) -> datetime:
        return datetime.fromisoformat(at).astimezone(self._surroundings.timezone(self._workspace_id))

    def _declared(self, workflow: Child) -> Workflow:
        known = workflow if isinstance(workflow, str) else getattr(workflow, "__mainstay_workflow__", None)
        if known is None:
            message = f"{getattr(workflow, '__name__', workflow)} is no workflow: write @workflow(...) above it"
            raise WorkflowError(message)
        name = known.name if isinstance(known, Workflow) else str(known)
        found = self._surroundings.workflows(self._workspace_id).get(name)
        if found is None:
            message = f'no workflow "{name}" is loaded: it must stand in a file of workflows/'
            raise WorkflowError(message)
        return found
