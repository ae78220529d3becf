"""What becomes of runs beside being driven: cancelled by hand, begun where their turn was missed, failed when late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.runs import begin_missed, cancel, wake_overdue

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine.history import Clock
    from mainstay.engine.turns import Turns

_AT_ONCE = 200


class Declared(Protocol):
    """What is declared of a workspace's workflows."""

    @property
    def turns(self) -> Mapping[str, Turns]:
        """How the runs of each workflow take turns."""
        ...


class RunKeeper:
    """Cancels runs and keeps their turns and deadlines. ``own`` are Mainstay's own workflows, which nobody cancels."""

    def __init__(self, pool: Pool, declared: Callable[[UUID], Declared], *, own: Collection[str], clock: Clock) -> None:
        self._pool = pool
        self._declared = declared
        self._own = list(own)
        self._clock = clock
        self._page: UUID | None = None

    async def cancel(self, workspace_id: UUID, run_ids: Collection[UUID], *, by: str) -> set[UUID]:
        """Cancel those of these runs that have not ended, and what they began; returns what was cancelled.

        A call that is with its vendor comes to its end there; nothing follows it. Mainstay's own runs are left alone:
        what they do is owed to a lead that was accepted. ``by`` is who does it, for the record.
        """
        cancelled: set[UUID] = set()
        wanted = sorted(run_ids)
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]

            async def work(connection: Connection, some: list[UUID] = some) -> set[UUID]:
                rows = await connection.fetch(
                    "SELECT id FROM runs WHERE id = ANY($1) AND workflow <> ALL($2)", some, self._own
                )
                return await cancel(
                    connection, workspace_id, [row["id"] for row in rows], reason=f"cancelled by {by or 'hand'}"
                )

            cancelled |= await transact(self._pool, work)
        return cancelled

    async def cancel_open(
        self, workspace_id: UUID, *, by: str, workflow: str = "", contact_id: UUID | None = None
    ) -> set[UUID]:
        """Cancel all open runs of a workflow, of a contact (and what was merged into it), or of both at once.

        Raises:
            ValueError: neither is given.
        """
        if not workflow and contact_id is None:
            message = "say of which workflow or which contact the runs are to be cancelled"
            raise ValueError(message)
        cancelled: set[UUID] = set()
        while some := await self._open(workspace_id, workflow, contact_id):
            cancelled |= await self.cancel(workspace_id, some, by=by)
        return cancelled

    async def _open(self, workspace_id: UUID, workflow: str, contact_id: UUID | None) -> list[UUID]:
        about = "AND contact_id IN (SELECT contact_group(surviving($5)))" if contact_id is not None else ""
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                f"""
                SELECT id FROM runs
                WHERE workspace_id = $1 AND state IN ('queued', 'running', 'waiting') AND ($2 = '' OR workflow = $2)
                  AND workflow <> ALL($3) {about} LIMIT $4
                """,  # noqa: S608 - parts from this file
                workspace_id,
                workflow,
                self._own,
                _AT_ONCE,
                *([contact_id] if contact_id is not None else []),
            )
        return [row["id"] for row in rows]

    async def keep(self) -> None:
        """Begin what nobody else has begun, and let fail what waits past its deadline; once per heartbeat."""
        self._page = await begin_missed(self._pool, self._page)
        now = self._clock()
        await transact(self._pool, lambda connection: wake_overdue(connection, now))

    def deadline(self, workspace_id: UUID) -> Callable[[str], datetime | None]:
        """Return what gives the deadline of a workflow's run that begins anew now."""
        turns, now = self._declared(workspace_id).turns, self._clock()
        return lambda workflow: turns[workflow].deadline_at(now) if workflow in turns else None
