"""SQL of cancelling: a run that is cancelled ends where it stands; whoever drives it can record nothing more of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.db.tallies import add_tallies
from mainstay.runs.children import children_ended
from mainstay.runs.turns import OPEN, Line, begin_next

if TYPE_CHECKING:
    from mainstay.db import Connection


async def cancel(connection: Connection, workspace_id: UUID, run_ids: Collection[UUID], *, reason: str) -> set[UUID]:
    """Cancel those of these runs that have not ended, and all that they began; returns what was cancelled.

    Inside the caller's transaction. What waited behind them begins. ``reason`` is what their pages will say.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE tree AS (
            SELECT id FROM runs WHERE id = ANY($1) AND workspace_id = $2
            UNION SELECT runs.id FROM runs JOIN tree ON runs.parent_id = tree.id
        ) SELECT id FROM tree
        """,
        list(run_ids),
        workspace_id,
    )
    return await _cancel(connection, [row["id"] for row in rows], reason, is_next=True)


async def cancel_lines(connection: Connection, lines: Collection[Line], *, reason: str) -> None:
    """Cancel whatever is in these lines: another takes its place, in the caller's transaction."""
    ordered = sorted(lines)
    rows = await connection.fetch(
        f"""
        WITH RECURSIVE tree AS (
            SELECT runs.id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS line (workspace_id, workflow, key)
            JOIN runs ON runs.workspace_id = line.workspace_id AND runs.workflow = line.workflow
                 AND runs.key = line.key AND runs.key <> '' AND runs.{OPEN}
            UNION SELECT runs.id FROM runs JOIN tree ON runs.parent_id = tree.id
        ) SELECT id FROM tree
        """,  # noqa: S608 - parts from this package
        [line.workspace_id for line in ordered],
        [line.workflow for line in ordered],
        [line.key for line in ordered],
    )
    await _cancel(connection, [row["id"] for row in rows], reason, is_next=False)


async def _cancel(connection: Connection, run_ids: Sequence[UUID], reason: str, *, is_next: bool) -> set[UUID]:
    if not run_ids:
        return set()
    await connection.execute("SELECT FROM runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", run_ids)
    rows = await connection.fetch(
        f"""
        UPDATE runs SET state = 'cancelled', claim = NULL, finished_at = now(), wake_at = NULL, waiting_for = '',
               held_at = '', error = $2
        WHERE id = ANY($1) AND {OPEN} RETURNING id, workspace_id, workflow, key, is_behind, parent_id
        """,  # noqa: S608 - parts from this package
        run_ids,
        storable(reason[:2000]),
    )
    await connection.execute("DELETE FROM waits WHERE run_id = ANY($1)", run_ids)
    await add_tallies(connection, Counter((row["workspace_id"], f"run {row['workflow']}", "cancelled") for row in rows))
    await children_ended(connection, [row["id"] for row in rows if row["parent_id"] is not None])
    if is_next:
        had_turn = [row for row in rows if row["key"] and not row["is_behind"]]
        for line in sorted({Line(row["workspace_id"], row["workflow"], row["key"]) for row in had_turn}):
            await begin_next(connection, line)
    return {row["id"] for row in rows}
