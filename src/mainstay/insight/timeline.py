"""Everything that happened to a contact, by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.insight.contacts import group_of
from mainstay.insight.deliveries import DeliveryRow, deliveries_by_id
from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page
from mainstay.insight.records import RecordRow, records_of
from mainstay.insight.runs import RunRow, runs_of_contacts

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A write about the contact; ``rule`` says how it was matched to the contact.

    ``home_id`` is the contact of the group that it was said of. A merge or its undoing names the other contact in
    ``other_id`` and ``other_name``, and what brought the merge about in ``merge_rule``.
    """

    id: UUID
    version: int
    rule: str
    source: str
    kind: str
    delivery_id: UUID | None
    run_id: UUID | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: str
    at: datetime
    home_id: UUID
    merge_id: UUID | None = None
    merge_rule: str = ""
    other_id: UUID | None = None
    other_name: str = ""


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
    """One line of the timeline: ``kind`` says what ``item`` is: change, event, run, record or delivery.

    A record is listed when it was first heard of, as it stands now: how it came to stand so is its own story.
    """

    id: UUID
    kind: str
    at: datetime
    item: ContactChange | ContactEvent | RunRow | RecordRow | DeliveryRow


async def timeline(
    connection: Connection, workspace_id: UUID, contact_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[Entry]:
    """Return what happened to a contact and to all that was merged into it, the newest first.

    Events that the changes tell already, with the fields, are left out: ``contact.created`` and ``.updated``,
    ``.merged`` and ``.unmerged``.

    Every id begins with its time, so one key orders all kinds. A delivery is listed with the page that holds
    its first change or run of this contact.
    """
    group = await group_of(connection, contact_id)
    changes = await connection.fetch(_CHANGES, group, workspace_id, before, size + 1)
    events = await connection.fetch(_EVENTS, group, workspace_id, before, size + 1)
    runs = await runs_of_contacts(connection, workspace_id, group, before=before, size=size)
    records = await records_of(connection, workspace_id, group, before=before, size=size + 1)
    entries = [
        *(_entry("change", ContactChange(**dict(row))) for row in changes),
        *(_entry("event", ContactEvent(**dict(row))) for row in events),
        *(Entry(run.id, "run", run.created_at, run) for run in runs.items),
        *(Entry(record.id, "record", record.created_at, record) for record in records),
    ]
    entries.sort(key=lambda entry: entry.id, reverse=True)
    is_more = len(entries) > size or runs.before is not None
    shown = entries[:size]
    known = {entry.item.delivery_id for entry in shown if not isinstance(entry.item, DeliveryRow | RecordRow)} - {None}
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


# Of each contact of the group by its own index, so that a long story costs no more than a page of it.
_CHANGES = f"""
    SELECT changes.id, changes.version, changes.rule, changes.source, changes.kind, changes.delivery_id, changes.run_id,
           changes.before, changes.after, changes.note, changes.at, changes.home_id, changes.merge_id,
           coalesce(merges.rule, '') AS merge_rule, contacts.id AS other_id, coalesce({NAME}, '') AS other_name
    FROM (
        SELECT found.* FROM unnest($1::uuid[]) AS members (id) CROSS JOIN LATERAL (
            SELECT * FROM changes WHERE home_id = members.id AND workspace_id = $2
              AND changes.id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            ORDER BY changes.id DESC LIMIT $4
        ) AS found ORDER BY found.id DESC LIMIT $4
    ) AS changes
    LEFT JOIN merges ON merges.id = changes.merge_id
    LEFT JOIN contacts
      ON contacts.id = CASE changes.home_id WHEN merges.merged_id THEN merges.survivor_id ELSE merges.merged_id END
    ORDER BY changes.id DESC
"""  # noqa: S608 - parts from this file
_EVENTS = """
    SELECT found.* FROM unnest($1::uuid[]) AS members (id) CROSS JOIN LATERAL (
        SELECT id, type, source, delivery_id, data, at FROM events
        WHERE contact_id = members.id AND workspace_id = $2
          AND type NOT IN ('contact.created', 'contact.updated', 'contact.merged', 'contact.unmerged')
          AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
        ORDER BY id DESC LIMIT $4
    ) AS found ORDER BY found.id DESC LIMIT $4
"""
