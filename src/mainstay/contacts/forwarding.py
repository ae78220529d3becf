"""The run that sends what a person set by hand to the system that owns the field: once it is there, it stands here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.consequences import Cause, Consequences, Routing, Written
from mainstay.db import acquire, transact
from mainstay.errors import PermanentError
from mainstay.identity import ContactWrite, Dropped, Person, load_contact, person_from_json, person_to_json, resolve
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import CRM, Http
    from mainstay.model import Contact
    from mainstay.runs import Claimed

FORWARD = "forward.v1"
_STEP = "crm.push_contact"


class Owning(Protocol):
    """What the composition root knows of systems that own fields."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...

    def crm(self, workspace_id: UUID, connection: str, http: Http) -> CRM:
        """Return the connection's CRM for one attempt."""
        ...

    async def external_id(self, steps: StepRunner, contact_id: UUID, connection: str, *, step: int, name: str) -> str:
        """Return the contact's id in a system, or park the run until its push has made one."""
        ...


async def begin_forwarding(
    connection: Connection, workspace_id: UUID, contact_id: UUID, owner: str, person: Person, *, by: str
) -> UUID:
    """Let what a person set go to the connection that owns it; returns the run's id."""
    data = {"contact_id": str(contact_id), "connection": owner, "person": person_to_json(person), "by": by}
    return await begin_run(connection, workspace_id, FORWARD, data, contact_id=contact_id)


class Forwarder:
    """Sends values to their owner. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, systems: Owning) -> None:
        self._pool = pool
        self._systems = systems

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Write it there, then note that its owner says so."""
        run, owner = steps.run, str(steps.run.input["connection"])
        contact_id, person = UUID(run.input["contact_id"]), person_from_json(run.input["person"])
        there: list[str] = []

        async def prepare(step: int) -> None:
            there[:] = [await self._systems.external_id(steps, contact_id, owner, step=step, name=_STEP)]

        async def call(http: Http) -> Mapping[str, Any]:
            contact = _with(await self._contact(run.workspace_id, contact_id), person)
            pushed = await self._systems.crm(run.workspace_id, owner, http).push_contact(contact, there[0])
            return {"external_id": pushed.external_id}

        result = await steps.step(_STEP, call, connection=owner, prepare=prepare)
        said = replace(person, connection=owner, external_id=result["external_id"])
        routing, by = self._systems.routing(run.workspace_id), str(run.input["by"])
        write = ContactWrite(
            run.workspace_id,
            said,
            by,
            run_id=run.id,
            kind="crm",
            policy=routing.policy,
            contact_id=contact_id,
            key=f"forwarded {run.id}",
        )

        async def work(connection: Connection) -> None:
            (resolution,) = await resolve(connection, [write])
            if not isinstance(resolution, Dropped) and not resolution.is_repeated:
                consequences = Consequences()
                await consequences.of(connection, [Written(Cause(run.workspace_id, routing, by), said, resolution)])
                await consequences.store(connection)

        await transact(self._pool, work)
        return ()

    async def _contact(self, workspace_id: UUID, contact_id: UUID) -> Contact:
        async with acquire(self._pool) as connection:
            found = await load_contact(connection, workspace_id, contact_id)
        if found is None:
            message = f"the contact {contact_id} is gone"
            raise PermanentError(message)
        return found


def _with(contact: Contact, person: Person) -> Contact:
    said = {name: value for name in ("email", "phone", "first_name", "last_name", "company")
            if (value := getattr(person, name))}  # fmt: skip
    return replace(contact, **said, custom={**contact.custom, **(person.custom or {})})
