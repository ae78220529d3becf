"""Queue entries that are over: the ledger tells what happened, so they are only in the way."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.db import Connection


async def forget_entries(connection: Connection, before: datetime, most: int) -> int:
    """Delete at most so many entries that ended and were made before a moment; returns how many."""
    status: str = await connection.execute(
        """
        DELETE FROM dbos.workflow_status WHERE workflow_uuid IN (
            SELECT workflow_uuid FROM dbos.workflow_status
            WHERE created_at < $1 AND status IN ('SUCCESS', 'ERROR', 'CANCELLED') ORDER BY created_at LIMIT $2
        )
        """,
        int(before.timestamp() * 1000),
        most,
    )
    return int(status.rpartition(" ")[2])
