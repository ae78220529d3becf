"""A mark of how a workspace stands: another one says that its pages are not as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection


async def mark_of(connection: Connection, workspace_id: UUID) -> str:
    """Return a short text that changes with whatever arrives, begins, ends or breaks; a few look-ups by index.

    A run that only goes from one step to the next, or waits, is not seen by it.
    """
    found: str = await connection.fetchval(_MARK, workspace_id)
    return found


_MARK = """
    SELECT left(md5(concat_ws('|',
        (SELECT id FROM runs WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1),
        (SELECT id FROM deliveries WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1),
        (SELECT id FROM quarantine WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1),
        (SELECT sum(count) FROM tallies
         WHERE workspace_id = $1 AND hour >= date_trunc('hour', now()) - interval '1 hour'),
        (SELECT string_agg(concat(id, occurrences, acknowledged_at), ',' ORDER BY id) FROM incidents
         WHERE workspace_id = $1 AND state = 'open'),
        (SELECT max(finished_at) FROM runs WHERE workspace_id = $1 AND state = 'failed' AND handled_at IS NULL),
        (SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'failed' AND handled_at IS NULL
                               LIMIT 100) AS capped),
        (SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'queued' LIMIT 100) AS capped),
        (SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'running' LIMIT 100) AS capped),
        (SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = $1 AND state = 'waiting' LIMIT 100) AS capped)
    )), 12)
"""
