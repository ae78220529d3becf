"""Everything that happened to a contact, by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.insight.deliveries import DeliveryRow, deliveries_by_id
from mainstay.insight.paging import PAGE_SIZE, Page
from mainstay.insight.runs import RunFilter, RunRow, list_runs

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A change of the contact's fields; ``rule`` says how the write was matched to the contact."""

    id: UUID
    version: int
    rule: str
    source: str
    delivery_id: UUID | None
    run_id: UUID | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """Something that happened, ``noun.verb``."""

    id: UUID
    type: str
    source: str
    delivery_id: UUID | None
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: ``kind`` is ``change``, ``event``, ``run`` or ``delivery``, ``item`` of that kind."""

    id: UUID
    kind: str
    at: datetime
    item: ContactChange | ContactEvent | RunRow | DeliveryRow


async def timeline(
    connection: Connection, workspace_id: UUID, contact_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[Entry]:
    """Return what happened to a contact, the newest first.

    The events ``contact.created`` and ``contact.updated`` are left out: the changes tell the same, with the fields.

    Every id begins with its time, so one key orders all four kinds. A delivery is listed with the page that holds
    its first change or run of this contact.
    """
    changes = await connection.fetch(_CHANGES, contact_id, workspace_id, before, size + 1)
    events = await connection.fetch(_EVENTS, contact_id, workspace_id, before, size + 1)
    runs = await list_runs(connection, workspace_id, RunFilter(contact_id=contact_id), before=before, size=size)
    entries = [
        *(_entry("change", ContactChange(**dict(row))) for row in changes),
        *(_entry("event", ContactEvent(**dict(row))) for row in events),
        *(Entry(run.id, "run", run.created_at, run) for run in runs.items),
    ]
    entries.sort(key=lambda entry: entry.id, reverse=True)
    is_more = len(entries) > size or runs.before is not None
    shown = entries[:size]
    known = {entry.item.delivery_id for entry in shown if not isinstance(entry.item, DeliveryRow)} - {None}
    oldest = shown[-1].id if is_more else None
    deliveries = await deliveries_by_id(connection, workspace_id, [found for found in known if found])
    shown += [
        Entry(delivery.id, "delivery", delivery.received_at, delivery)
        for delivery in deliveries
        if before is None or delivery.id < before
    ]
    shown.sort(key=lambda entry: entry.id, reverse=True)
    return Page(tuple(shown), oldest)


def _entry(kind: str, item: ContactChange | ContactEvent) -> Entry:
    return Entry(item.id, kind, item.at, item)


_CHANGES = """
    SELECT id, version, rule, source, delivery_id, run_id, before, after, note, at FROM changes
    WHERE contact_id = $1 AND workspace_id = $2 AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
    ORDER BY id DESC LIMIT $4
"""
_EVENTS = """
    SELECT id, type, source, delivery_id, data, at FROM events
    WHERE contact_id = $1 AND workspace_id = $2 AND type NOT IN ('contact.created', 'contact.updated')
      AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
    ORDER BY id DESC LIMIT $4
"""
