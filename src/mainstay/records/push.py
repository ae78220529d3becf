"""The push of one contact to one system: state-based, so that order does not matter and edits collapse."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import GroupCommit, Write, acquire
from mainstay.errors import FencedError, PermanentError
from mainstay.model import RunState
from mainstay.records.deleting import delete_late
from mainstay.records.store import PUSH, Done, Want, external_id_of, is_wanted, pushed, start_push, want
from mainstay.runs import Claimed, Progress, Settlement, begin_run, hold, settle, wake

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import CRM, Http
    from mainstay.model import Contact, Run

PUSHED = "contact.pushed"
LoadContact = Callable[["Connection", UUID, UUID], Awaitable["Contact | None"]]
_LOCAL_WAIT_SECONDS = 10.0
_REMEMBERED = 1000


class Systems(Protocol):
    """How to reach a connection as a CRM."""

    def crm(self, workspace_id: UUID, connection: str, http: Http) -> CRM:
        """Return the connection's CRM for one attempt."""
        ...

    def deleting(self, workspace_id: UUID) -> Collection[str]:
        """Return the connections in which a contact is deleted that is deleted here."""
        ...


@dataclass(frozen=True, slots=True)
class Success:
    """A push that the vendor has taken. ``deleting`` is where a contact is deleted that is deleted here."""

    steps: StepRunner
    want: Want
    external_id: str
    is_new: bool
    deleting: Collection[str] = ()


class Pusher:
    """Runs pushes. ``program`` is what the engine calls for each push run."""

    def __init__(self, pool: Pool, commit: GroupCommit, systems: Systems, load_contact: LoadContact) -> None:
        self._pool = pool
        self._load_contact = load_contact
        self._commit = commit
        self._systems = systems
        self._succeed: Write[Success, bool] = Write("note pushes", 30, _succeed)
        self._under_way: dict[UUID, asyncio.Event] = {}
        self._pushed: OrderedDict[tuple[UUID, str], str] = OrderedDict()

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Push until the system holds the newest version."""
        run = steps.run
        contact_id, connection = UUID(run.input["contact_id"]), run.input["connection"]
        is_known, external_id = True, str(run.input["external_id"])
        if steps.is_resumed or run.input.get("reload"):
            async with acquire(self._pool) as session:
                is_known, external_id = await start_push(session, run.workspace_id, contact_id, connection, run.id)
        if not is_known:
            return ()
        done = self._under_way.setdefault(contact_id, asyncio.Event())
        try:
            is_behind = True
            while is_behind:
                contact = await self._newest(steps, contact_id)
                if contact.id != contact_id:
                    # It was merged meanwhile: what it was merged into has a push of its own.
                    return ()
                is_behind, external_id = await self._push(steps, contact, connection, external_id)
        finally:
            done.set()
            self._under_way.pop(contact_id, None)
        steps.is_settled = True
        return ()

    async def _newest(self, steps: StepRunner, contact_id: UUID) -> Contact:
        contact: Contact | None
        contact, steps.known = steps.known, None
        if contact is None:
            async with acquire(self._pool) as session:
                contact = await self._load_contact(session, steps.run.workspace_id, contact_id)
        if contact is None:
            message = f"the contact {contact_id} is gone"
            raise PermanentError(message)
        return contact

    async def _push(self, steps: StepRunner, contact: Contact, connection: str, external_id: str) -> tuple[bool, str]:
        run, contact_id = steps.run, contact.id
        version = contact.version

        async def call(http: Http) -> Any:
            crm = self._systems.crm(run.workspace_id, connection, http)
            return {**asdict(await crm.push_contact(contact, external_id)), "version": version}

        result = await steps.step("crm.push_contact", call, connection=connection)
        wanted = Want(run.workspace_id, contact_id, result["version"], connection)
        try:
            is_behind = await self._commit(
                self._succeed,
                Success(
                    steps,
                    wanted,
                    result["external_id"],
                    result["created"],
                    self._systems.deleting(run.workspace_id),
                ),
            )
        except PermanentError as error:
            raise steps.retract(error) from None
        steps.take_unwritten()
        self._pushed[contact_id, connection] = result["external_id"]
        if len(self._pushed) > _REMEMBERED:
            self._pushed.popitem(last=False)
        return is_behind, result["external_id"]

    async def external_id(self, steps: StepRunner, contact_id: UUID, connection: str, *, step: int, name: str) -> str:
        """Return the contact's id in a system; while its push is under way, wait for it, durably if it takes long."""
        run = steps.run
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCAL_WAIT_SECONDS
        while (local := self._under_way.get(contact_id)) is not None and loop.time() < deadline:
            with suppress(TimeoutError):
                await asyncio.wait_for(local.wait(), deadline - loop.time())
        if recent := self._pushed.get((contact_id, connection)):
            return recent
        async with acquire(self._pool) as session:
            found = await external_id_of(session, run.workspace_id, contact_id, connection)
        if found:
            return found

        async def recheck(session: Connection) -> None:
            found = await external_id_of(session, run.workspace_id, contact_id, connection)
            if found:
                means = await session.fetchval("SELECT surviving($1)", contact_id)
                await wake(session, [(run.workspace_id, PUSHED, means, {"external_id": found})], only=run.id)
            elif not await is_wanted(session, run.workspace_id, contact_id, connection):
                await self._begin(session, run, contact_id, connection)

        steps.rechecks.append(recheck)
        return steps.park(step, name, PUSHED, contact_id)

    async def _begin(self, session: Connection, run: Run, contact_id: UUID, connection: str) -> None:
        """Begin the push that nothing has asked for: of a contact older than the stack's choice of this system, say."""
        contact = await self._load_contact(session, run.workspace_id, contact_id)
        if contact is None:
            return
        (pushing,) = await want(session, [Want(run.workspace_id, contact.id, contact.version, connection)])
        if pushing.run_id is None:
            return
        data = {
            "contact_id": str(contact.id),
            "connection": connection,
            "version": contact.version,
            "external_id": pushing.external_id,
        }
        await begin_run(
            session,
            run.workspace_id,
            PUSH,
            data,
            lane=run.lane,
            run_id=pushing.run_id,
            contact_id=contact.id,
        )


async def _succeed(connection: Connection, items: Sequence[Success]) -> list[bool | Exception]:
    """Note successes; a run that is not behind ends in the same transaction."""
    held = await hold(connection, [item.steps.run for item in items])
    mine = [item for item in items if item.steps.run.fence in held]
    for item in items:
        if item.steps.run.fence not in held:
            await delete_late(connection, [Done(item.want, item.external_id, item.is_new)], item.deleting)
    outcomes = await pushed(connection, [Done(item.want, item.external_id, item.is_new) for item in mine])
    news: list[Progress] = []
    ended: list[Success] = []
    for item, is_behind in zip(mine, outcomes, strict=True):
        if isinstance(is_behind, PermanentError):
            continue
        news.append(Progress(item.steps.run, item.steps.unwritten, None if is_behind else Settlement(RunState.DONE)))
        if not is_behind:
            ended.append(item)
    await settle(connection, news, held=held)
    await wake(
        connection,
        [(item.want.workspace_id, PUSHED, item.want.record_id, {"external_id": item.external_id}) for item in ended],
    )
    result_of = {item.steps.run.fence: outcome for item, outcome in zip(mine, outcomes, strict=True)}
    return [
        result_of.get(item.steps.run.fence, FencedError(f"run {item.steps.run.id} is driven by another worker now"))
        for item in items
    ]
