"""Whose deliveries come faster than they are worked off: what is more of them goes to the lane that may take its time.

So one workspace's flood, wherever it comes from, delays another's fresh lead by what one look lets through at most.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection

FLOOD = 300
"""So many deliveries of one workspace may wait in the lane of leads: about a second's work of one worker."""

_LOOK_EVERY = 50
_LOOK_SECONDS = 0.25


@dataclass(slots=True)
class _Seen:
    since_look: int = 0
    is_flooded: bool = False
    looked_at: float = 0.0


class Floods:
    """Knows which workspaces are flooded, for a moment each; asks once for every 50 deliveries, or 4 times a second."""

    def __init__(self) -> None:
        self._seen: dict[UUID, _Seen] = {}

    async def look(self, connection: Connection, arrived: Mapping[UUID, int]) -> set[UUID]:
        """Return which of these workspaces are flooded; ``arrived`` is how many deliveries each has now."""
        flooded = set()
        for workspace_id, count in arrived.items():
            seen = self._seen.setdefault(workspace_id, _Seen())
            seen.since_look += count
            is_old = time.monotonic() - seen.looked_at > _LOOK_SECONDS
            if seen.since_look >= _LOOK_EVERY or (seen.is_flooded and is_old):
                seen.is_flooded = await _waiting(connection, workspace_id) + count > FLOOD
                seen.since_look, seen.looked_at = 0, time.monotonic()
            if seen.is_flooded:
                flooded.add(workspace_id)
        return flooded


async def _waiting(connection: Connection, workspace_id: UUID) -> int:
    """Count a workspace's queued runs in the lane of leads, as far as it matters."""
    found: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'queued' AND lane = 'lead'
                              LIMIT $2) AS capped
        """,
        workspace_id,
        FLOOD + 1,
    )
    return found
