"""Undoing a revert in a CRM: its record gets back what somebody had made of it, under the claim of pushes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import transact
from mainstay.errors import FencedError, PermanentError, TransientError
from mainstay.mirrors.fields import OPT_OUT
from mainstay.mirrors.records import records_by_id
from mainstay.model import Contact
from mainstay.model.record import CUSTOM
from mainstay.records import Done, Want, copies_of, pushed, want
from mainstay.runs import hold

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.kit import Http
    from mainstay.mirrors.drifts import Drifted
    from mainstay.mirrors.rules import Mirror
    from mainstay.mirrors.writing import Tables
    from mainstay.model import Run


async def give_back(
    pool: Pool, tables: Tables, run: Run, mirror: Mirror, http: Http, found: Sequence[Drifted]
) -> list[UUID]:
    """Write what stood there before a revert, or delete again what was gone; returns the drifts that are so again.

    Raises:
        TransientError: another push of one of them is under way.
        PermanentError: our contact or its record is gone.
    """
    back = []
    for drift in found:
        if drift.record_id is None:
            continue
        contact, external_id = await transact(pool, partial(_claim, run=run, mirror=mirror, record_id=drift.record_id))
        if drift.kind == "missing":
            crm: Any = tables.crm(run.workspace_id, mirror.connection, http)
            if not hasattr(crm, "delete_contact"):
                raise PermanentError("its connector deletes no contacts: delete it there")
            await crm.delete_contact(external_id)
        else:
            theirs = as_it_stood(mirror, contact, drift)
            done = await tables.crm(run.workspace_id, mirror.connection, http).push_contact(theirs, external_id)
            external_id = done.external_id
        noted = Done(Want(run.workspace_id, contact.id, contact.version, mirror.connection), external_id)
        await transact(pool, partial(_note, run=run, done=noted))
        back.append(drift.id)
    return back


def as_it_stood(mirror: Mirror, contact: Contact, drift: Drifted) -> Contact:
    """Return a contact with what its record said: pushed, that is as it stood before the revert."""
    values: dict[str, Any] = {}
    custom = dict(contact.custom)
    for title, said in drift.fields.items():
        name = mirror.columns.get(title, "")
        if name == OPT_OUT:
            values[name] = bool(said["theirs"])
        elif name.startswith(CUSTOM):
            custom[name.removeprefix(CUSTOM)] = said["theirs"]
        elif name and name not in mirror.unwritable:
            values[name] = said["theirs"]
    return replace(contact, **values, custom=custom)


async def _claim(connection: Connection, run: Run, mirror: Mirror, record_id: UUID) -> tuple[Contact, str]:
    found = await records_by_id(connection, run.workspace_id, mirror.record, [record_id])
    known = await copies_of(connection, run.workspace_id, mirror.connection, [record_id])
    if not found or not isinstance(found[0], Contact) or record_id not in known:
        raise PermanentError("the contact, or its record there, is gone since")
    wanted = Want(run.workspace_id, record_id, known[record_id][1], mirror.connection)
    (pushing,) = await want(connection, [wanted], by=run.id)
    if pushing.run_id is None:
        raise TransientError("its newest state is just being pushed there")
    return found[0], known[record_id][0]


async def _note(connection: Connection, run: Run, done: Done) -> None:
    if run.fence not in await hold(connection, [run]):
        message = f"run {run.id} is driven by another worker now"
        raise FencedError(message)
    await pushed(connection, [done])
