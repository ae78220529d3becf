"""A run's parent and children: the run that began it, and those that it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import COUNT_LIMIT
from mainstay.insight.merges import NAME
from mainstay.insight.runs import RunRow, run_of

if TYPE_CHECKING:
    from mainstay.db import Connection

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Family:
    """Whom a run belongs to. Of many children the first fifty are shown, those that need a person before the others.

    ``counts`` are the children by state, counted up to a thousand; ``is_more`` says that there are more.
    """

    parent: RunRow | None = None
    children: tuple[RunRow, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    is_more: bool = False


async def family_of(connection: Connection, workspace_id: UUID, run_id: UUID) -> Family:
    """Return the parent and the children of a run."""
    parents = await connection.fetch(
        f"""
        SELECT runs.*, {NAME} AS contact_name FROM runs LEFT JOIN contacts ON contacts.id = runs.contact_id
        WHERE runs.workspace_id = $1 AND runs.id = (SELECT parent_id FROM runs WHERE id = $2 AND workspace_id = $1)
        """,  # noqa: S608 - a part from this package
        workspace_id,
        run_id,
    )
    counted = await connection.fetch(
        """
        SELECT state, count(*) AS count FROM (
            SELECT state FROM runs WHERE parent_id = $1 AND workspace_id = $2 LIMIT $3
        ) AS capped GROUP BY state
        """,
        run_id,
        workspace_id,
        COUNT_LIMIT + 1,
    )
    counts = {row["state"]: row["count"] for row in counted}
    children = await connection.fetch(
        f"""
        SELECT runs.*, {NAME} AS contact_name FROM (
            SELECT * FROM (SELECT * FROM runs WHERE parent_id = $1 AND workspace_id = $2
                           ORDER BY parent_step, place LIMIT $3) AS first
            ORDER BY state <> 'failed', parent_step, place LIMIT {_SHOWN}
        ) AS runs LEFT JOIN contacts ON contacts.id = runs.contact_id
        ORDER BY runs.state <> 'failed', runs.parent_step, runs.place
        """,  # noqa: S608 - parts from this package
        run_id,
        workspace_id,
        COUNT_LIMIT,
    )
    return Family(
        run_of(parents[0]) if parents else None,
        tuple(run_of(row) for row in children),
        counts,
        is_more=sum(counts.values()) > COUNT_LIMIT,
    )
