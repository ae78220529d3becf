"""SQL that takes a deleted contact out of what was kept on the way: deliveries, events, runs and their attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.runs import children_ended

if TYPE_CHECKING:
    from mainstay.db import Connection


async def erase_traces(
    connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID], delivery_ids: Sequence[UUID]
) -> None:
    """Empty what still speaks of these contacts; that something happened, and when, stays. Open runs are cancelled."""
    await connection.execute(
        """
        UPDATE deliveries SET body = '', headers = '{}', url = '', reason = 'the contact was deleted'
        WHERE workspace_id = $1 AND id = ANY($2)
        """,
        workspace_id,
        delivery_ids,
    )
    await connection.execute(
        "UPDATE events SET data = '{}' WHERE workspace_id = $1 AND contact_id = ANY($2)", workspace_id, contact_ids
    )
    await connection.execute(
        "UPDATE drifts SET fields = '{}' WHERE workspace_id = $1 AND record_id = ANY($2)", workspace_id, contact_ids
    )
    runs = await connection.fetch(
        """
        UPDATE runs SET input = '{}', error = '', result = NULL,
               state = CASE WHEN state IN ('queued', 'running', 'waiting') THEN 'cancelled' ELSE state END,
               claim = CASE WHEN state IN ('queued', 'running', 'waiting') THEN NULL ELSE claim END,
               finished_at = coalesce(finished_at, now())
        WHERE workspace_id = $1 AND (contact_id = ANY($2) OR delivery_id = ANY($3)) RETURNING id
        """,
        workspace_id,
        contact_ids,
        delivery_ids,
    )
    ids = [row["id"] for row in runs]
    # Behind the runs: one that was recording what it left elsewhere has done so by now, or will not.
    await connection.execute(
        """
        WITH gone AS (DELETE FROM records WHERE workspace_id = $1 AND contact_id = ANY($2) RETURNING id),
             changed AS (DELETE FROM record_changes USING gone WHERE record_id = gone.id),
             drifted AS (UPDATE drifts SET fields = '{}' FROM gone WHERE drifts.record_id = gone.id)
        DELETE FROM crosswalk USING gone WHERE workspace_id = $1 AND record_id = gone.id
        """,
        workspace_id,
        contact_ids,
    )
    await connection.execute(
        "UPDATE attempts SET exchanges = '[]', result = NULL, error = '' WHERE run_id = ANY($1)", ids
    )
    await connection.execute("UPDATE hand_retries SET input_before = '{}' WHERE run_id = ANY($1)", ids)
    await connection.execute(
        "UPDATE approvals SET question = '', note = '' WHERE run_id = ANY($1) OR contact_id = ANY($2)", ids, contact_ids
    )
    # The key goes on standing for its write; what the answer told in words does not.
    await connection.execute(
        """
        UPDATE idempotency_keys SET answer = jsonb_set(answer, '{note}', '""')
        WHERE workspace_id = $1 AND answer ->> 'contact_id' = ANY($2::uuid[]::text[])
        """,
        workspace_id,
        contact_ids,
    )
    await connection.execute("DELETE FROM waits WHERE run_id = ANY($1)", ids)
    await children_ended(connection, ids)


async def erase_late(connection: Connection, runs: Mapping[UUID, UUID]) -> None:
    """Empty inbound runs, and the deliveries of each, that came to be processed after their person was deleted.

    What else the delivery began, for others whom it named, goes on.
    """
    if not runs:
        return
    await connection.execute(
        "UPDATE deliveries SET body = '', headers = '{}', url = '' WHERE id = ANY($1)", sorted(runs.values(), key=str)
    )
    await connection.execute("UPDATE runs SET input = '{}' WHERE id = ANY($1)", list(runs))
    await connection.execute(
        "UPDATE attempts SET exchanges = '[]', result = NULL, error = '' WHERE run_id = ANY($1)", list(runs)
    )
