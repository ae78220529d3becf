"""Everything that happened to a contact, over HTTP, in one order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from mainstay.insight import ContactChange, ContactEvent, DeliveryRow, RunRow, timeline
from mainstay.web.api.contacts import Cursor, Limit, read_cursor
from mainstay.web.api.desk import Ask, Asking

if TYPE_CHECKING:
    from mainstay.insight import Entry

router = APIRouter(prefix="/contacts", tags=["contacts"])


class EntryShape(BaseModel):
    """One thing that happened. ``kind``: change, event, run, record or delivery; ``facts`` are its own, by name."""

    id: UUID
    kind: str
    at: datetime
    what: Annotated[str, Field(description="It in a few words.")]
    facts: dict[str, Any]


class StoryPage(BaseModel):
    """A page of a contact's story, the newest first. ``next`` is the cursor of the next page; null on the last."""

    contact_id: UUID
    story: list[EntryShape]
    next: str | None = None


@router.get("/{contact_id}/story")
async def contact_story(ask: Ask, contact_id: UUID, cursor: Cursor = "", limit: Limit = 50) -> StoryPage:
    """Tell what happened to a contact: deliveries, changes, events, runs and records, the newest first."""
    before = read_cursor(cursor)
    contact = await ask.meant(contact_id)
    async with ask.reading() as connection:
        page = await timeline(connection, ask.workspace_id, contact.id, before=before, size=limit)
    return StoryPage(
        contact_id=contact.id,
        story=[_entry(ask, each) for each in page.items],
        next=str(page.before) if page.before else None,
    )


def _entry(ask: Asking, entry: Entry) -> EntryShape:
    what, facts = _told(ask, entry)
    return EntryShape(id=entry.id, kind=entry.kind, at=entry.at, what=what, facts=facts)


def _told(ask: Asking, entry: Entry) -> tuple[str, dict[str, Any]]:
    mask = ask.mask
    facts: dict[str, Any]
    match entry.item:
        case ContactChange() as change:
            what = f"{change.rule} by {change.source}" if change.source else change.rule
            facts = {
                "source": change.source,
                "kind": change.kind,
                "before": mask.values(change.before),
                "after": mask.values(change.after),
                "note": mask.text(change.note),
                "delivery_id": change.delivery_id,
                "run_id": change.run_id,
                "merge_id": change.merge_id,
                "other_id": change.other_id,
            }
        case ContactEvent() as event:
            what = f"{event.type} from {event.source}" if event.source else event.type
            facts = {"type": event.type, "source": event.source, "data": mask.values(event.data)}
        case RunRow() as run:
            what = f"{run.workflow}: {run.state}"
            facts = {
                "workflow": run.workflow,
                "state": run.state,
                "error": mask.text(run.error),
                "page": ask.page(f"runs/{run.id}"),
            }
        case DeliveryRow() as delivery:
            what = f"delivery from {delivery.source}: {delivery.state}"
            facts = {
                "source": delivery.source,
                "state": delivery.state,
                "verified": delivery.verified,
                "reason": mask.text(delivery.reason),
            }
        case record:
            what = f"{record.type} {record.values.get('status', '')}".strip()
            facts = {"type": record.type, "values": mask.values(record.values), "gone_at": record.gone_at}
    return what, facts
