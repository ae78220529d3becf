"""What a person looks at beside a run: what ran before it, and what else has the same cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.contacts import group_of
from mainstay.insight.paging import Page
from mainstay.insight.runs import RunFilter, RunRow, list_runs, runs_of_contacts

if TYPE_CHECKING:
    from mainstay.db import Connection

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Around:
    """Runs beside one, each list newest first and short.

    Attributes:
        before: what ran before it about the same person, whoever that was merged with.
        same_cause: others of its incident; ``is_more`` says that there are further ones.
    """

    before: tuple[RunRow, ...]
    same_cause: tuple[RunRow, ...]
    is_more: bool


async def runs_around(connection: Connection, workspace_id: UUID, run: RunRow) -> Around:
    """Return what ran before a run, and what else has its cause."""
    before: Page[RunRow] = Page(())
    if run.contact_id is not None:
        group = await group_of(connection, run.contact_id)
        before = await runs_of_contacts(connection, workspace_id, group, before=run.id, size=_SHOWN)
    alike: Page[RunRow] = Page(())
    if run.incident_id is not None:
        wanted = RunFilter(incident_id=run.incident_id)
        alike = await list_runs(connection, workspace_id, wanted, size=_SHOWN + 1)
    others = tuple(each for each in alike.items if each.id != run.id)
    return Around(before.items, others[:_SHOWN], alike.before is not None or len(others) > _SHOWN)
