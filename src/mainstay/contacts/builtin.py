"""Mainstay's own store as a system of record, for the connector ``builtin``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import transact
from mainstay.identity import Person, annotate

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.model import Run


class BuiltinStore:
    """Mainstay's own contacts, for the ``builtin`` connector; one workspace's. ``run`` is whose word it is."""

    def __init__(self, pool: Pool, workspace_id: UUID, run: Run | None = None) -> None:
        self._pool = pool
        self._workspace_id = workspace_id
        self._run = run

    async def add_tag(self, contact_id: UUID, tag: str) -> None:
        """Add one tag, keeping the others; a tag that is there already changes nothing."""
        await self._annotate(contact_id, Person(tags=(tag,)))

    async def add_note(self, contact_id: UUID, text: str, *, key: str = "") -> None:
        """Add a note to the contact's timeline; of a repeated ``key`` only the first is kept."""
        await self._annotate(contact_id, Person(notes=(text,)), key=key)

    async def _annotate(self, contact_id: UUID, person: Person, *, key: str = "") -> None:
        run = self._run
        source, run_id = (run.workflow, run.id) if run else ("workflow", None)
        await transact(
            self._pool,
            lambda connection: annotate(
                connection, self._workspace_id, contact_id, person, source=source, key=key, run_id=run_id
            ),
        )
