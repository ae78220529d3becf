"""SQL of drift: what a comparison found, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from mainstay.db import hold, transact
from mainstay.mirrors.store import make_stale
from mainstay.model import new_id

if TYPE_CHECKING:
    from datetime import datetime

    from mainstay.db import Connection, Pool

Kind = Literal["changed", "missing", "unknown", "double", "refused"]
"""A row says something else than we wrote; is gone; has a key of no contact; has the key of another row; or the vendor
does not take the contact."""
State = Literal["open", "reverted", "taken over", "left", "gone", "undone"]
"""It waits for a person; was written again as it was; was taken over by the contact; may stay; came right by itself;
was taken over, and the contact is again what it was."""
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Drifted:
    """A drift as it is kept."""

    id: UUID
    mirror: str
    kind: Kind
    record_id: UUID | None
    fields: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A place where a mirror is not what we wrote. ``fields`` is column to ``{"ours", "theirs"}``.

    ``is_proposed``: it is a proposal to the system of record, for a person's review.
    """

    kind: Kind
    key: str
    record_id: UUID | None = None
    fields: Mapping[str, Mapping[str, str]] | None = None
    is_proposed: bool = False


async def due(connection: Connection, workspace_id: UUID, names: Sequence[str], every: Sequence[Any]) -> list[str]:
    """Return the mirrors that are to be compared now, and are not being compared."""
    rows = await hold(
        connection,
        """
        SELECT name FROM mirrors JOIN unnest($2::text[], $3::interval[]) AS t (name, every) USING (name)
        WHERE workspace_id = $1 AND is_declared AND loaded_at IS NOT NULL
          AND coalesce(compared_at, loaded_at) <= now() - every
          AND NOT EXISTS (SELECT FROM runs WHERE runs.id = mirrors.compare_run_id
                          AND runs.state IN ('queued', 'running', 'waiting', 'failed') AND runs.handled_at IS NULL)
        FOR NO KEY UPDATE OF mirrors SKIP LOCKED
        """,
        workspace_id,
        names,
        every,
    )
    return [row["name"] for row in rows]


async def begin(connection: Connection, workspace_id: UUID, name: str, run_id: UUID) -> None:
    """Let a run begin the next comparison of a mirror."""
    await connection.execute(
        "UPDATE mirrors SET compare_run_id = $3, comparison = comparison + 1 WHERE workspace_id = $1 AND name = $2",
        workspace_id,
        name,
        run_id,
    )


async def comparison_of(connection: Connection, workspace_id: UUID, name: str, run_id: UUID) -> int | None:
    """Return which comparison a run makes; None when a later run has taken its place."""
    number: int | None = await connection.fetchval(
        "SELECT comparison FROM mirrors WHERE workspace_id = $1 AND name = $2 AND compare_run_id = $3",
        workspace_id,
        name,
        run_id,
    )
    return number


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a comparison, read from ``began_at`` on by the database's clock."""

    comparison: int
    number: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contact stands in a mirror whose row is not simply what we wrote.

    ``is_known``: we wrote it, or are about to; ``is_moving``: it is about to be written, or was since the page was
    read; ``is_elsewhere``: another page has it, too.
    """

    is_known: bool
    is_moving: bool
    is_elsewhere: bool


async def is_loaded(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Tell whether all contacts are in a mirror."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM mirrors WHERE workspace_id = $1 AND name = $2 AND loaded_at IS NOT NULL)",
        workspace_id,
        name,
    )
    return found


async def is_written(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Tell whether a mirror has any row of ours."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM mirrored WHERE workspace_id = $1 AND mirror = $2)", workspace_id, name
    )
    return found


async def odd(
    connection: Connection, workspace_id: UUID, name: str, page: Page, digests: Mapping[UUID, bytes]
) -> dict[UUID, Standing]:
    """Return how those contacts of a page stand that are not as we wrote them; ``digests`` are of the page's rows."""
    # One by one: joined, the planner reads the whole of a mirror for each page, or where it has no statistics of a new
    # one yet, the whole of the page for each row.
    rows = await connection.fetch(
        """
        SELECT asked.id, m.digest IS NOT NULL OR s.record_id IS NOT NULL AS is_known,
               s.record_id IS NOT NULL OR coalesce(m.written_at >= $6, false) AS is_moving,
               coalesce(m.seen_in = $5 AND m.seen_page NOT IN (-1, $7), false) AS is_elsewhere
        FROM unnest($3::uuid[], $4::bytea[]) AS asked (id, digest)
        LEFT JOIN LATERAL (SELECT * FROM mirrored WHERE workspace_id = $1 AND mirror = $2 AND record_id = asked.id
                           LIMIT 1) AS m ON true
        LEFT JOIN LATERAL (SELECT * FROM stale_in_mirror
                           WHERE workspace_id = $1 AND mirror = $2 AND record_id = asked.id LIMIT 1) AS s ON true
        WHERE m.digest IS DISTINCT FROM asked.digest OR m.seen_in = $5 AND m.seen_page NOT IN (-1, $7)
        """,
        workspace_id,
        name,
        list(digests),
        list(digests.values()),
        page.comparison,
        page.began_at,
        page.number,
    )
    return {row["id"]: Standing(row["is_known"], row["is_moving"], row["is_elsewhere"]) for row in rows}


async def note(
    connection: Connection, workspace_id: UUID, name: str, page: Page, seen: Collection[UUID], found: Sequence[Found]
) -> None:
    """Note a page: which contacts it has, and what is wrong with it."""
    await connection.execute(
        """
        UPDATE mirrored SET seen_in = $3, seen_page = $4
        WHERE workspace_id = $1 AND mirror = $2 AND record_id = ANY($5)
        """,
        workspace_id,
        name,
        page.comparison,
        page.number,
        list(seen),
    )
    await _open(connection, workspace_id, name, page.comparison, found)


async def _open(connection: Connection, workspace_id: UUID, name: str, comparison: int, found: Sequence[Found]) -> None:
    await connection.execute(
        """
        INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, is_proposed, found_in)
        SELECT id, $1, $2, key, record_id, kind, 'open', fields, is_proposed, $3
        FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::jsonb[], $9::boolean[])
             AS t (id, key, record_id, kind, fields, is_proposed)
        ON CONFLICT (workspace_id, mirror, key, kind) WHERE state IN ('open', 'left') DO UPDATE SET
            found_in = excluded.found_in, fields = excluded.fields, is_proposed = excluded.is_proposed,
            state = CASE WHEN drifts.fields = excluded.fields THEN drifts.state ELSE 'open' END
        """,
        workspace_id,
        name,
        comparison,
        [new_id() for _ in found],
        [each.key for each in found],
        [each.record_id for each in found],
        [each.kind for each in found],
        [dict(each.fields or {}) for each in found],
        [each.is_proposed for each in found],
    )


async def note_refused(
    connection: Connection, workspace_id: UUID, name: str, found: Sequence[Found], *, taken: Collection[UUID]
) -> None:
    """Note whom a vendor does not take, and that it has ``taken`` others, or has nobody to take any more."""
    await connection.execute(
        """
        UPDATE drifts SET state = 'gone', decided_at = now()
        WHERE workspace_id = $1 AND mirror = $2 AND kind = 'refused' AND state IN ('open', 'left') AND key = ANY($3)
        """,
        workspace_id,
        name,
        [str(each) for each in taken],
    )
    if found:
        await _open(connection, workspace_id, name, 0, found)


async def note_missing(
    connection: Connection, workspace_id: UUID, name: str, comparison: int, after: UUID | None = None
) -> UUID | None:
    """Note what a comparison has not come across, of some contacts; returns the last of them, None at the end.

    In portions: a copy that somebody emptied would keep one transaction too long.
    """
    # OFFSET 0: else the planner may join each portion with all that is stale.
    last: UUID | None = await connection.fetchval(
        """
        WITH page AS MATERIALIZED (
            SELECT record_id, seen_in FROM mirrored
            WHERE workspace_id = $1 AND mirror = $2 AND record_id > $4 ORDER BY record_id LIMIT $5
        ), noted AS (
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, found_in)
            SELECT gen_random_uuid(), $1, $2, m.record_id::text, m.record_id, 'missing', 'open', $3
            FROM page AS m
            WHERE m.seen_in < $3
              AND NOT EXISTS (SELECT FROM stale_in_mirror AS s
                              WHERE s.workspace_id = $1 AND s.mirror = $2 AND s.record_id = m.record_id OFFSET 0)
            ON CONFLICT (workspace_id, mirror, key, kind) WHERE state IN ('open', 'left') DO UPDATE SET found_in = $3
        )
        SELECT record_id FROM page ORDER BY record_id DESC LIMIT 1
        """,
        workspace_id,
        name,
        comparison,
        after or UUID(int=0),
        _AT_ONCE,
    )
    return last


async def note_right(connection: Connection, workspace_id: UUID, name: str, comparison: int) -> bool:
    """Close some of what a comparison has not found again; False when none is left."""
    done: str = await connection.execute(
        """
        UPDATE drifts SET state = 'gone', decided_at = now()
        WHERE id = ANY(ARRAY(SELECT id FROM drifts WHERE workspace_id = $1 AND mirror = $2 AND state IN ('open', 'left')
                             AND found_in < $3 AND kind <> 'refused' ORDER BY key, kind LIMIT $4))
        """,
        workspace_id,
        name,
        comparison,
        _AT_ONCE,
    )
    return done != "UPDATE 0"


async def finish(connection: Connection, workspace_id: UUID, name: str) -> int:
    """End a comparison; returns how much is open and is no proposal."""
    await connection.execute(
        "UPDATE mirrors SET compared_at = now() WHERE workspace_id = $1 AND name = $2", workspace_id, name
    )
    left: int = await connection.fetchval(
        """
        SELECT count(*) FROM drifts WHERE workspace_id = $1 AND mirror = $2 AND state = 'open' AND NOT is_proposed
        """,
        workspace_id,
        name,
    )
    return left


async def revert(
    pool: Pool, workspace_id: UUID, name: str, ids: Collection[UUID] | None = None, *, by: str = ""
) -> int:
    """Have what drifted written again as it was (all that is open, or these), in portions; returns how many.

    What a mirror has double is left: to remove one of two rows takes a person.
    """
    chosen, count, more = None if ids is None else list(ids), 0, _AT_ONCE
    while more == _AT_ONCE:
        more = await transact(pool, lambda connection: revert_some(connection, workspace_id, name, chosen, by=by))
        count += more
    return count


async def revert_some(
    connection: Connection, workspace_id: UUID, name: str, ids: Sequence[UUID] | None, *, by: str
) -> int:
    """Have a portion of it written again; less than that, or none, at the end."""
    rows = await connection.fetch(
        """
        UPDATE drifts SET state = 'reverted', decided_at = now(), decided_by = $4
        WHERE id = ANY(ARRAY(SELECT id FROM drifts
                             WHERE workspace_id = $1 AND mirror = $2 AND state IN ('open', 'left') AND kind <> 'double'
                               AND record_id IS NOT NULL AND ($3::uuid[] IS NULL OR id = ANY($3))
                             ORDER BY key, kind LIMIT $5 FOR NO KEY UPDATE))
        RETURNING record_id
        """,
        workspace_id,
        name,
        ids,
        by,
        _AT_ONCE,
    )
    if rows:
        await make_stale(connection, workspace_id, name, sorted({row["record_id"] for row in rows}))
    return len(rows)
