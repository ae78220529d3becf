"""What is written to a mirror in a CRM: one push for each contact, under the same claim as those to a system of record.

So of a mirror's run and a push, which may be of two processes with two stacks, one alone makes a contact there. Which
version a system holds is what its crosswalk says; a contact that it has already costs no call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.errors import FencedError, PermanentError, TransientError, VendorError
from mainstay.mirrors import drifts, store
from mainstay.mirrors.drifts import Found
from mainstay.records import Done, Want, copies_of, push_failed, pushed, want
from mainstay.records.deleting import delete_late
from mainstay.records.push import PUSHED
from mainstay.runs import hold, wake

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.kit import CRM, Http
    from mainstay.mirrors.rules import Mirror
    from mainstay.mirrors.store import Batch
    from mainstay.model import Contact, Run

BATCH = 50
_AT_ONCE = 4
EXCHANGES_KEPT = 10
"""Of so many calls the step that makes hundreds keeps what was said; else a backfill would be kept twice."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one contact's push: its id there, or the error."""

    contact: Contact
    external_id: str = ""
    is_new: bool = False
    error: VendorError | None = None


async def write_people(
    pool: Pool, run: Run, mirror: Mirror, crm: CRM, http: Http, deleting: Collection[str]
) -> dict[str, Any]:
    """Push a batch of what is stale, else a page of the load; what a vendor refuses is a drift, and holds up nobody.

    Raises:
        VendorError: nothing of it could be written.
    """
    async with acquire(pool) as connection:
        batch = await store.next_batch(connection, run.workspace_id, mirror, BATCH)
    claimed = await transact(pool, lambda connection: _claim(connection, run, mirror, batch))
    tried = await _push_all(crm, claimed)
    del http.exchanges[:-EXCHANGES_KEPT]
    await transact(pool, lambda connection: _note(connection, run, mirror, batch, tried, deleting))
    broken = [each.error for each in tried if each.error is not None and not _is_refused(each)]
    is_any_done = len(broken) < len(tried)
    # Who goes on after some calls came through need not begin to lose patience.
    if broken and not (is_any_done and isinstance(broken[0], TransientError)):
        raise broken[0]
    return {
        "written": sum(each.error is None for each in tried),
        "refused": sum(map(_is_refused, tried)),
        "removed": len(batch.gone),
        "is_more": not batch.is_empty,
    }


async def _claim(connection: Connection, run: Run, mirror: Mirror, batch: Batch) -> list[tuple[Contact, str]]:
    """Return the contacts that this run is to push, with their ids there; another's push brings the others."""
    ids = [contact.id for contact in batch.contacts]
    known = await copies_of(connection, run.workspace_id, mirror.connection, ids)
    behind = {contact.id: contact for contact in batch.contacts if _is_behind(contact, known.get(contact.id), batch)}
    wants = [Want(run.workspace_id, each.id, each.version, mirror.connection) for each in behind.values()]
    return [
        (behind[pushing.want.record_id], pushing.external_id)
        for pushing in (await want(connection, wants, by=run.id) if wants else ())
        if pushing.run_id is not None
    ]


def _is_behind(contact: Contact, known: tuple[str, int] | None, batch: Batch) -> bool:
    # What was reverted is stale, and nothing is known of what stands there.
    is_reverted = bool(batch.stale) and contact.id not in batch.digests
    return known is None or known[1] < contact.version or is_reverted


async def _push_all(crm: CRM, claimed: Sequence[tuple[Contact, str]]) -> list[Tried]:
    """Push each contact, in batches where the CRM takes them."""
    push_many = getattr(crm, "push_contacts", None)
    if push_many is None:
        slots = asyncio.Semaphore(_AT_ONCE)
        return list(await asyncio.gather(*(_push(crm, slots, contact, there) for contact, there in claimed)))
    try:
        outcomes = await push_many(claimed)
    except VendorError as error:
        return [Tried(contact, error=error) for contact, _ in claimed]
    return [
        Tried(contact, error=outcome)
        if isinstance(outcome, VendorError)
        else Tried(contact, outcome.external_id, outcome.created)
        for (contact, _), outcome in zip(claimed, outcomes, strict=True)
    ]


async def _push(crm: CRM, slots: asyncio.Semaphore, contact: Contact, external_id: str) -> Tried:
    async with slots:
        try:
            done = await crm.push_contact(contact, external_id)
        except VendorError as error:
            return Tried(contact, error=error)
    return Tried(contact, done.external_id, done.created)


def _is_refused(tried: Tried) -> bool:
    return isinstance(tried.error, PermanentError)


async def _note(
    connection: Connection, run: Run, mirror: Mirror, batch: Batch, tried: Sequence[Tried], deleting: Collection[str]
) -> None:
    if run.fence not in await hold(connection, [run]):
        message = f"run {run.id} is driven by another worker now"
        raise FencedError(message)
    workspace_id = run.workspace_id
    known = {
        each.contact.id: Done(
            Want(workspace_id, each.contact.id, each.contact.version, mirror.connection), each.external_id, each.is_new
        )
        for each in tried
        if each.error is None
    }
    # Whom somebody deleted meanwhile is made stale by it: the next batch has them as gone.
    deleted = await delete_late(connection, list(known.values()), deleting) if known else set()
    taken = [each for each in tried if each.error is None and each.contact.id not in deleted]
    done = [known[each.contact.id] for each in taken]
    refused = {each.contact.id: str(each.error) for each in tried if _is_refused(each)}
    for each, outcome in zip(taken, await pushed(connection, done) if done else (), strict=True):
        if isinstance(outcome, PermanentError):
            refused[each.contact.id] = str(outcome)
    open_ids = {each.contact.id for each in tried if each.error is not None} - refused.keys() | deleted
    written = [each for each in batch.contacts if each.id not in refused and each.id not in open_ids]
    digests = {contact.id: mirror.digest(mirror.row(contact)) for contact in written}
    await store.note_written(connection, workspace_id, mirror.name, _without(batch, open_ids), digests)
    for record_id, reason in sorted(refused.items()):
        await push_failed(connection, run.id, record_id, reason)
    found = [
        Found("refused", str(record_id), record_id, {"": {"ours": reason, "theirs": ""}})
        for record_id, reason in refused.items()
    ]
    await drifts.note_refused(connection, workspace_id, mirror.name, found, taken=[*digests, *batch.gone])
    await wake(
        connection,
        [
            (workspace_id, PUSHED, each.contact.id, {"external_id": each.external_id})
            for each in taken
            if each.contact.id not in refused
        ],
    )


def _without(batch: Batch, open_ids: set[UUID]) -> Batch:
    """Return what of a batch is dealt with: a page of a load is, or comes again as a whole."""
    if not open_ids:
        return batch
    return replace(
        batch,
        stale=tuple(each for each in batch.stale if each[0] not in open_ids),
        loaded_to=None,
        is_last=False,
    )
