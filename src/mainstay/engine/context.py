"""What a workflow's code sees: roles, time and events. It hides which engine carries it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.engine.awaiting import Awaiting, Calendar
from mainstay.engine.calls import (
    AccountingCalls,
    BillingCalls,
    ChatCalls,
    CRMCalls,
    EmailCalls,
    LayerCalls,
    RecordCalls,
    SMSCalls,
    TableCalls,
    TaskCalls,
    VoiceCalls,
)
from mainstay.engine.calls.copies import NO_COPIES, Copies
from mainstay.engine.calls.effects import effect_of
from mainstay.engine.calls.records import Book
from mainstay.engine.operations import call_operation, find_operation
from mainstay.model import Contact, Retry

if TYPE_CHECKING:
    from datetime import datetime

    from mainstay.engine.steps import StepRunner
    from mainstay.kit import Http
    from mainstay.model import Effect, Run
    from mainstay.model.retry import OnUnsure


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A role as one workspace has it: the connection behind it, and how to make the vendor's object for one attempt.

    ``copies`` are what of it workflows may not write.
    """

    role: str
    connection: str
    make: Callable[[Http], Any]
    copies: Copies = NO_COPIES


class Surroundings(Calendar, Protocol):
    """What the composition root gives a Context."""

    @property
    def book(self) -> Book:
        """Our own book of records."""
        ...

    def role(self, workspace_id: UUID, role: str, run: Run | None = None) -> RoleBinding:
        """Return the binding of a role, or raise a WorkflowError that names the missing line of stack.toml.

        ``run`` is the one that calls, for the record.
        """
        ...

    async def external_id(self, steps: StepRunner, contact_id: UUID, connection: str, *, step: int, name: str) -> str:
        """Return the contact's id in a system; while its push is under way, park the run before ``step``."""
        ...


class Context(Awaiting):
    """Handed to every workflow. Each role call is a durable step: kept, retried, within limits, on the run's page."""

    _surroundings: Surroundings

    def __init__(self, steps: StepRunner, surroundings: Surroundings, *, retry: Sequence[Retry] = ()) -> None:
        self._steps = steps
        self._surroundings = surroundings
        self._retry = tuple(retry)
        self.crm = CRMCalls(self._call_about)
        self.chat = ChatCalls(self._call)
        self.email = EmailCalls(self._call)
        self.sms = SMSCalls(self._call)
        self.tasks = TaskCalls(self._call)
        self.billing = BillingCalls(self._call)
        self.accounting = AccountingCalls(self._call)
        self.table = TableCalls(self._call)
        self.voice = VoiceCalls(self._call)
        self.layer = LayerCalls(self._call)
        self.records = RecordCalls(steps.run, lambda: surroundings.book, self._keep)

    @property
    def run_id(self) -> UUID:
        """Id of this run."""
        return self._steps.run.id

    @property
    def input(self) -> Mapping[str, Any]:
        """What the caller gave along that started this run by the API; empty for a run that an event started."""
        given: Mapping[str, Any] = self._steps.run.input.get("input") or {}
        return given

    @property
    def event(self) -> Mapping[str, Any]:
        """What the event says that began this run: an amount paid, a text received; empty where none did.

        It is empty, too, for ``contact.submitted``, ``created`` and ``updated``: of them the contact says it all.
        """
        said: Mapping[str, Any] = self._steps.run.input.get("event") or {}
        return said

    def with_options(self, *, retry: Retry | None = None, on_unsure: OnUnsure | None = None) -> Context:
        """Return a Context of the same run whose calls have options of their own.

        ``await ctx.with_options(retry=Retry(give_up="10m"), on_unsure="ask").email.send(...)``. What is not said here
        stays as the workflow, the role, the connection and the stack say it; see :class:`mainstay.Retry`.
        """
        said = filter(None, (Retry(on_unsure=on_unsure) if on_unsure else None, retry))
        return Context(self._steps, self._surroundings, retry=(*said, *self._retry))

    async def step(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run a piece of your own work once: its JSON-able result is kept and given again when the run goes on.

        Raises:
            WorkflowError: ``function`` raised; the message names what and where. The failure is kept like a result.
        """

        async def call(_http: Http) -> Any:
            return await function()

        return await self._steps.step(name, call, retry=self._retry)

    async def _keep(self, name: str, work: Callable[[str], Awaitable[Any]]) -> Any:
        """Do work of our own once for the key that it is given, however often it is begun."""

        async def call(http: Http) -> Any:
            return await work(http.idempotency_key)

        return await self._steps.step(name, call, retry=self._retry)

    async def _call(
        self,
        role: str,
        operation: str,
        *arguments: Any,
        contact: Contact | None = None,
        about: Sequence[str] = (),
        prepare: Callable[[int], Awaitable[None]] | None = None,
    ) -> Any:
        """Call with ``about``, which ``prepare`` may fill, and ``arguments``; ``contact`` is whom it was given."""
        run = self._steps.run
        binding = self._surroundings.role(run.workspace_id, role, run)

        async def call(http: Http) -> Any:
            binding.copies.require_writable(role, operation, arguments, binding.connection)
            return await call_operation(binding.make(http), operation, *about, *arguments)

        async def find(http: Http) -> Any:
            return await find_operation(binding.make(http), operation, *about, *arguments)

        def effect(result: Any, at: datetime) -> Effect | None:
            return effect_of(role, operation, arguments, result, at, run=run, contact=contact)

        return await self._steps.step(
            f"{role}.{operation}",
            call,
            connection=binding.connection,
            find=find,
            retry=self._retry,
            prepare=prepare,
            effect=effect,
        )

    async def _call_about(self, contact: Contact, operation: str, *arguments: Any) -> None:
        binding = self._surroundings.role(self._steps.run.workspace_id, "crm", self._steps.run)
        about: list[str] = []

        async def prepare(step: int) -> None:
            about[:] = [
                await self._surroundings.external_id(
                    self._steps, contact.id, binding.connection, step=step, name=f"crm.{operation}"
                )
            ]

        await self._call("crm", operation, *arguments, about=about, prepare=prepare)
