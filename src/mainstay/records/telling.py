"""SQL of what pulls told of records before their webhooks did: so each event is told once, whoever brings it first.

Notes are taken under the lock of the record, which :func:`mainstay.records.keep` holds, so that a pull and a webhook
of one record that go on at once see each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection

KEPT = timedelta(days=7)
"""How long a webhook may be late: longer than vendors try."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a record, told by a connection: ``changed_at`` is when the record came to stand so."""

    workspace_id: UUID
    connection: str
    record_type: str
    record_id: UUID
    event: str
    changed_at: datetime


async def note_told(connection: Connection, told: Collection[Told]) -> None:
    """Keep what a pull told."""
    await connection.executemany(
        """
        INSERT INTO pulled_records (workspace_id, connection, record_type, record_id, event, changed_at, told_at)
        VALUES ($1, $2, $3, $4, $5, $6, now())
        ON CONFLICT (record_id, event) DO UPDATE SET changed_at = excluded.changed_at, told_at = excluded.told_at,
            is_answered = false, is_judged = false
        """,
        [
            (each.workspace_id, each.connection, each.record_type, each.record_id, each.event, each.changed_at)
            for each in told
        ],
    )


async def take_told(
    connection: Connection, brought: Sequence[tuple[str, UUID, str, bool]]
) -> frozenset[tuple[UUID, str]]:
    """Return which events (record, event) of webhooks were told by a pull already, and are told once with that.

    ``brought`` is of each event the connection whose word it is, the record, the event, and whether it was news of it:
    what is news was not told.
    """
    if not brought:
        return frozenset()
    rows = await connection.fetch(
        "SELECT connection, record_id, event FROM pulled_records WHERE record_id = ANY($1)",
        list({record_id for _, record_id, _, _ in brought}),
    )
    if not rows:
        return frozenset()
    known = {(row["connection"], row["record_id"], row["event"]) for row in rows}
    late = {
        (record_id, event)
        for name, record_id, event, is_news in brought
        if not is_news and (name, record_id, event) in known
    }
    if late:
        await connection.executemany("DELETE FROM pulled_records WHERE record_id = $1 AND event = $2", sorted(late))
    answered = {(record_id, name) for name, record_id, _, _ in brought}
    await connection.executemany(
        """
        UPDATE pulled_records SET is_answered = true WHERE record_id = $1 AND connection = $2 AND NOT is_answered
        """,
        sorted(answered),
    )
    return frozenset(late)


async def note_heard(connection: Connection, heard: Collection[tuple[UUID, str, str]]) -> None:
    """Note that webhooks of these connections tell of records of these types (workspace, connection, type)."""
    if not heard:
        return
    ordered = sorted(heard)
    # Looked at first: all but once there is nothing to write, and so no lock to take.
    rows = await connection.fetch(
        """
        SELECT workspace_id, connection, record_type FROM pulls
        JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS told (workspace_id, connection, record_type)
             USING (workspace_id, connection, record_type)
        WHERE heard_at IS NULL
        """,
        [workspace_id for workspace_id, _, _ in ordered],
        [name for _, name, _ in ordered],
        [record_type for _, _, record_type in ordered],
    )
    await connection.executemany(
        """
        UPDATE pulls SET heard_at = now()
        WHERE workspace_id = $1 AND connection = $2 AND record_type = $3 AND heard_at IS NULL
        """,
        sorted((row["workspace_id"], row["connection"], row["record_type"]) for row in rows),
    )


async def judge_told(
    connection: Connection, workspace_id: UUID, name: str, record_type: str, late: timedelta
) -> tuple[int, datetime | None]:
    """Take what no webhook has told by now although it should; returns of how many records, and since when.

    It should since one has told of a record of this type: some vendors have webhooks of others alone, and of those that
    there are people choose.
    """
    row = await connection.fetchrow(
        """
        WITH due AS (
            UPDATE pulled_records SET is_judged = true
            WHERE workspace_id = $1 AND connection = $2 AND record_type = $3 AND NOT is_judged AND NOT is_answered
              AND changed_at <= now() - $4::interval
            RETURNING record_id, changed_at
        )
        SELECT count(DISTINCT record_id) AS number, min(changed_at) AS since FROM due
        WHERE changed_at >= (SELECT heard_at FROM pulls
                             WHERE workspace_id = $1 AND connection = $2 AND record_type = $3)
        """,
        workspace_id,
        name,
        record_type,
        late,
    )
    await connection.execute(
        """
        DELETE FROM pulled_records
        WHERE workspace_id = $1 AND connection = $2 AND record_type = $3 AND told_at < now() - $4::interval
        """,
        workspace_id,
        name,
        record_type,
        KEPT,
    )
    return (row["number"], row["since"]) if row else (0, None)
