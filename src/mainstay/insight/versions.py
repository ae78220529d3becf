"""Workflows by name: which have open runs, how many and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mainstay.db import Connection

_NAMED = 3


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """The runs of one workflow that have not ended: how many, since when, and the oldest of them (three at most)."""

    workflow: str
    number: int
    since: datetime
    oldest: tuple[UUID, ...]


async def open_runs(connection: Connection, workspace_id: UUID, *, besides: Collection[str] = ()) -> Sequence[OpenRuns]:
    """Return what is open of each workflow, ``besides`` left out, by name. Reads the open runs alone."""
    rows = await connection.fetch(
        f"""
        SELECT workflow, count(*) AS number, min(created_at) AS since, (array_agg(id ORDER BY id))[1:{_NAMED}] AS oldest
        FROM runs WHERE workspace_id = $1 AND state IN ('queued', 'running', 'waiting') AND workflow <> ALL($2)
        GROUP BY workflow ORDER BY workflow
        """,  # noqa: S608 - a number of ours
        workspace_id,
        list(besides),
    )
    return [OpenRuns(row["workflow"], row["number"], row["since"], tuple(row["oldest"])) for row in rows]
