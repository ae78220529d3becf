"""SQL of learning: the decisions of a workspace, and what they taught."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.identity.suggestions.learning import Learned, learn

if TYPE_CHECKING:
    from mainstay.db import Connection

_MORE = 10
_MOST = 5000
# What rules and runs decide says nothing of how people do.
_DECIDED = """
    workspace_id = $1 AND state IN ('accepted', 'rejected') AND model_score IS NOT NULL
    AND decided_by NOT IN ('suggestion', 'bridge') AND decided_by NOT LIKE 'dedupe %'
"""


async def learned_of(connection: Connection, workspace_id: UUID) -> Learned:
    """Return what the workspace's decisions have taught so far."""
    row = await connection.fetchrow(
        "SELECT slope, intercept, decisions FROM learned_from_reviews WHERE workspace_id = $1", workspace_id
    )
    return Learned(row["slope"], row["intercept"], row["decisions"]) if row else Learned()


async def learn_from_reviews(connection: Connection, workspace_id: UUID) -> Learned | None:
    """Learn anew once ten more suggestions were decided, and give the open ones their new probability.

    An un-merge counts as a rejection. Returns None where there was no need.
    """
    before = await learned_of(connection, workspace_id)
    number = await connection.fetchval(
        f"SELECT count(*) FROM suggestions WHERE {_DECIDED}",  # noqa: S608 - no text of others
        workspace_id,
    )
    if abs(number - before.decisions) < _MORE:
        return None
    rows = await connection.fetch(
        f"SELECT model_score, state FROM suggestions WHERE {_DECIDED} ORDER BY decided_at DESC LIMIT {_MOST}",  # noqa: S608
        workspace_id,
    )
    found = learn([row["model_score"] for row in rows], [row["state"] == "accepted" for row in rows])
    learned = Learned(found.slope, found.intercept, number)
    await connection.execute(
        """
        INSERT INTO learned_from_reviews (workspace_id, slope, intercept, decisions, at) VALUES ($1, $2, $3, $4, now())
        ON CONFLICT (workspace_id) DO UPDATE
        SET slope = excluded.slope, intercept = excluded.intercept, decisions = excluded.decisions, at = excluded.at
        """,
        workspace_id,
        learned.slope,
        learned.intercept,
        learned.decisions,
    )
    # In the order in which merges take them too.
    await connection.execute(
        "SELECT FROM suggestions WHERE workspace_id = $1 AND state = 'open' ORDER BY id FOR UPDATE", workspace_id
    )
    await connection.execute(
        """
        UPDATE suggestions SET score = 1 / (1 + exp(-($2 + $3 * ln(kept / (1 - kept)))))
        FROM (SELECT id, least(greatest(model_score, 1e-6), 1 - 1e-6) AS kept FROM suggestions
              WHERE workspace_id = $1 AND state = 'open' AND model_score IS NOT NULL) AS open
        WHERE suggestions.id = open.id
        """,
        workspace_id,
        learned.intercept,
        learned.slope,
    )
    return learned
