"""SQL of mirrors: what is declared, what is stale, what was written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import hold
from mainstay.mirrors.records import records_after, records_by_id
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.mirrors.fields import MirroredRecord
    from mainstay.mirrors.rules import Mirror

FOLLOWED = timedelta(days=1)
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be written next. ``stale`` is each record's id and which change of it made it so.

    ``loaded_to`` is set for a page of the first load, and ``is_last`` when nothing comes after it.
    """

    records: tuple[Contact | MirroredRecord, ...]
    gone: tuple[UUID, ...]
    digests: dict[UUID, bytes]
    stale: tuple[tuple[UUID, int], ...] = ()
    loaded_to: UUID | None = None
    is_last: bool = False

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Those that are contacts."""
        return tuple(each for each in self.records if isinstance(each, Contact))

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to do."""
        return not self.records and not self.gone and not self.is_last


async def declare(connection: Connection, workspace_id: UUID, mirrors: Sequence[Mirror], followed: str = "") -> None:
    """Let a workspace's mirrors be these. One of another layout than before is written anew.

    ``followed`` is the system of record: where it has been a mirror, what changes is noted for it a while longer, as
    processes that know it as one still write.
    """
    await connection.execute(
        """
        UPDATE mirrors SET is_declared = name = $3,
               followed_until = CASE WHEN name = $3 THEN coalesce(followed_until, now() + $4::interval) END
        WHERE workspace_id = $1 AND is_declared AND name <> ALL($2)
        """,
        workspace_id,
        [each.name for each in mirrors],
        followed,
        FOLLOWED,
    )
    names, layouts = [each.name for each in mirrors], [each.layout for each in mirrors]
    # What was noted for one that was followed is all there is to write.
    await connection.execute(
        """
        UPDATE mirrors SET followed_until = NULL
        FROM unnest($2::text[], $3::text[]) AS t (name, layout)
        WHERE workspace_id = $1 AND mirrors.name = t.name AND mirrors.layout = t.layout AND followed_until IS NOT NULL
        """,
        workspace_id,
        names,
        layouts,
    )
    await connection.execute(
        """
        INSERT INTO mirrors AS known (workspace_id, name, layout, record_type, shows_contacts)
        SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[]) AS t
        ON CONFLICT (workspace_id, name) DO UPDATE SET
            layout = excluded.layout, record_type = excluded.record_type, shows_contacts = excluded.shows_contacts,
            is_declared = true, followed_until = NULL,
            loaded = 0, to_load = NULL, loaded_to = NULL, loaded_at = NULL, began_in = NULL
        WHERE NOT known.is_declared OR known.layout <> excluded.layout
        """,
        workspace_id,
        names,
        layouts,
        [each.record for each in mirrors],
        [each.shows_contacts for each in mirrors],
    )
    await connection.execute(
        "DELETE FROM contacts_stale_in_mirror WHERE workspace_id = $1 AND mirror = ANY($2)",
        workspace_id,
        [each.name for each in mirrors if not each.shows_contacts],
    )


async def begin(connection: Connection, workspace_id: UUID) -> None:
    """Let mirrors whose declaration is committed begin: whoever writes from here on notes what it makes stale.

    In a transaction after that of :func:`declare`: who writes before that one commits does not see the mirror, may have
    begun after it, and has an id before that of this one.
    """
    await connection.execute(
        """
        UPDATE mirrors SET began_in = pg_current_xact_id()
        WHERE workspace_id = $1 AND is_declared AND began_in IS NULL
        """,
        workspace_id,
    )


async def count_to_load(connection: Connection, workspace_id: UUID, name: str) -> None:
    """Note how many records a load is of, for people to see; once a load, as they are counted one by one."""
    await connection.execute(
        """
        UPDATE mirrors SET to_load = CASE record_type
            WHEN 'contact' THEN (SELECT count(*) FROM contacts
                                 WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL)
            ELSE (SELECT count(*) FROM records WHERE workspace_id = $1 AND type = record_type AND gone_at IS NULL) END
        WHERE workspace_id = $1 AND name = $2 AND to_load IS NULL
        """,
        workspace_id,
        name,
    )


async def end_following(connection: Connection, workspace_id: UUID) -> None:
    """Let what has become the system of record be no mirror any more, once all is written that was noted."""
    await connection.execute(
        """
        UPDATE mirrors SET is_declared = false, followed_until = NULL
        WHERE workspace_id = $1 AND followed_until <= now()
          AND NOT EXISTS (SELECT FROM stale_in_mirror AS s WHERE s.workspace_id = $1 AND s.mirror = mirrors.name)
        """,
        workspace_id,
    )


async def is_declared(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Tell whether the stack that was declared last has a mirror."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM mirrors WHERE workspace_id = $1 AND name = $2 AND is_declared)", workspace_id, name
    )
    return found


async def due(connection: Connection, workspace_id: UUID, mirrors: Sequence[Mirror]) -> list[str]:
    """Return the mirrors for which a run is to begin: something is to be written, and none is under way."""
    rows = await hold(
        connection,
        """
        SELECT name FROM mirrors JOIN unnest($2::text[], $3::interval[]) AS t (name, every) USING (name)
        WHERE workspace_id = $1 AND is_declared
          AND (loaded_at IS NULL AND began_in < pg_snapshot_xmin(pg_current_snapshot())
               OR loaded_at IS NOT NULL AND (written_at IS NULL OR written_at <= now() - every)
               AND (EXISTS (SELECT FROM stale_in_mirror AS s WHERE s.workspace_id = $1 AND s.mirror = mirrors.name)
                    OR EXISTS (SELECT FROM contacts_stale_in_mirror AS s
                               WHERE s.workspace_id = $1 AND s.mirror = mirrors.name)))
          AND NOT EXISTS (SELECT FROM runs WHERE runs.id = mirrors.run_id
                          AND runs.state IN ('queued', 'running', 'waiting', 'failed') AND runs.handled_at IS NULL)
        FOR NO KEY UPDATE OF mirrors SKIP LOCKED
        """,
        workspace_id,
        [each.name for each in mirrors],
        [each.every for each in mirrors],
    )
    return [row["name"] for row in rows]


async def own(connection: Connection, workspace_id: UUID, name: str, run_id: UUID) -> None:
    """Let a run be the one that writes a mirror."""
    await connection.execute(
        "UPDATE mirrors SET run_id = $3 WHERE workspace_id = $1 AND name = $2", workspace_id, name, run_id
    )


async def next_batch(connection: Connection, workspace_id: UUID, mirror: Mirror, size: int) -> Batch:
    """Return what is to be written next, ``size`` rows at the most: what is stale first, then the first load."""
    stale: Sequence[Any] = ()
    is_more = True
    while not stale and is_more:
        is_more = mirror.shows_contacts and await spread(connection, workspace_id, mirror.name)
        stale = await connection.fetch(
            """
            SELECT record_id, change FROM stale_in_mirror WHERE workspace_id = $1 AND mirror = $2
            ORDER BY record_id LIMIT $3
            """,
            workspace_id,
            mirror.name,
            size,
        )
    if stale:
        return await _changed(connection, workspace_id, mirror, [(row["record_id"], row["change"]) for row in stale])
    known = await connection.fetchrow(
        "SELECT loaded_to, loaded_at FROM mirrors WHERE workspace_id = $1 AND name = $2", workspace_id, mirror.name
    )
    if known is None or known["loaded_at"] is not None:
        return Batch((), (), {})
    return await _page(connection, workspace_id, mirror, known["loaded_to"] or UUID(int=0), size)


async def spread(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Make the records stale whose contacts changed; tells whether there may be more.

    Not where a contact is written: that would wait for whoever writes its records, and they for it. Nor does this wait
    for who is writing one.
    """
    taken: int = await connection.fetchval(
        """
        WITH taken AS MATERIALIZED (
            DELETE FROM contacts_stale_in_mirror WHERE workspace_id = $1 AND mirror = $2 AND contact_id = ANY(ARRAY(
                SELECT contact_id FROM contacts_stale_in_mirror WHERE workspace_id = $1 AND mirror = $2
                ORDER BY contact_id LIMIT $3 FOR UPDATE SKIP LOCKED
            )) RETURNING contact_id
        ), noted AS (
            INSERT INTO stale_in_mirror (workspace_id, mirror, record_id)
            SELECT $1, $2, r.id FROM mirrors AS m
            CROSS JOIN (SELECT DISTINCT member FROM taken, contact_group(taken.contact_id) AS member) AS members
            JOIN LATERAL (SELECT id, type FROM records WHERE contact_id = members.member OFFSET 0) AS r
                ON r.type = m.record_type
            WHERE m.workspace_id = $1 AND m.name = $2 ORDER BY r.id
            ON CONFLICT (workspace_id, mirror, record_id) DO UPDATE SET change = nextval('mirror_changes')
        )
        SELECT count(*) FROM taken
        """,
        workspace_id,
        name,
        _AT_ONCE,
    )
    return taken == _AT_ONCE


async def _page(connection: Connection, workspace_id: UUID, mirror: Mirror, after: UUID, size: int) -> Batch:
    """Return a page of a load, and what is in the mirror between its ends and is no record any more.

    One may have gone while the stack did not have the mirror, so that nothing was noted.
    """
    records = await records_after(connection, workspace_id, mirror.record, after, size)
    last = records[-1].id if len(records) == size else UUID(int=2**128 - 1)
    written = await connection.fetch(
        """
        SELECT record_id, digest FROM mirrored
        WHERE workspace_id = $1 AND mirror = $2 AND record_id > $3 AND record_id <= $4
        ORDER BY record_id LIMIT $5
        """,
        workspace_id,
        mirror.name,
        after,
        last,
        2 * size,
    )
    is_last = len(records) < size
    if len(written) == 2 * size:
        # So many have gone that the page ends with the last of them.
        last, is_last = written[-1]["record_id"], False
        records = [record for record in records if record.id <= last]
    digests = {row["record_id"]: bytes(row["digest"]) for row in written}
    gone = tuple(digests.keys() - {record.id for record in records})
    return Batch(tuple(records), gone, digests, loaded_to=last, is_last=is_last)


async def _changed(
    connection: Connection, workspace_id: UUID, mirror: Mirror, stale: Sequence[tuple[UUID, int]]
) -> Batch:
    ids = [record_id for record_id, _ in stale]
    records = tuple(await records_by_id(connection, workspace_id, mirror.record, ids))
    there = {record.id for record in records}
    gone = tuple(each for each in ids if each not in there)
    return Batch(records, gone, await _digests(connection, workspace_id, mirror.name, ids), stale=tuple(stale))


async def _digests(connection: Connection, workspace_id: UUID, name: str, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    rows = await connection.fetch(
        "SELECT record_id, digest FROM mirrored WHERE workspace_id = $1 AND mirror = $2 AND record_id = ANY($3)",
        workspace_id,
        name,
        ids,
    )
    return {row["record_id"]: bytes(row["digest"]) for row in rows}


async def note_written(
    connection: Connection, workspace_id: UUID, name: str, batch: Batch, digests: dict[UUID, bytes]
) -> None:
    """Note that a batch stands in the mirror; ``digests`` are of the rows that were written.

    What changed meanwhile stays stale.
    """
    # A plan for lists of any length would look through them row by row.
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    await connection.execute(
        """
        INSERT INTO mirrored (workspace_id, mirror, record_id, digest, written_at, seen_in, seen_page)
        SELECT $1, $2, id, digest, now(), comparison, -1
        FROM unnest($3::uuid[], $4::bytea[]) AS t (id, digest)
        JOIN mirrors ON workspace_id = $1 AND name = $2
        ON CONFLICT (workspace_id, mirror, record_id) DO UPDATE SET
            digest = excluded.digest, written_at = excluded.written_at, seen_in = excluded.seen_in, seen_page = -1
        """,
        workspace_id,
        name,
        list(digests),
        list(digests.values()),
    )
    await connection.execute(
        "DELETE FROM mirrored WHERE workspace_id = $1 AND mirror = $2 AND record_id = ANY($3)",
        workspace_id,
        name,
        batch.gone,
    )
    await connection.execute(
        """
        DELETE FROM stale_in_mirror
        WHERE workspace_id = $1 AND mirror = $2 AND record_id = ANY($3) AND change = ANY($4)
        """,
        workspace_id,
        name,
        [record_id for record_id, _ in batch.stale],
        [change for _, change in batch.stale],
    )
    await connection.execute(
        """
        UPDATE mirrors SET written_at = now(), loaded_to = coalesce($3, loaded_to),
               loaded = loaded + CASE WHEN $3::uuid IS NULL THEN 0 ELSE $5 END,
               loaded_at = CASE WHEN $4 THEN now() ELSE loaded_at END
        WHERE workspace_id = $1 AND name = $2
        """,
        workspace_id,
        name,
        batch.loaded_to,
        batch.is_last,
        len(batch.records),
    )


async def make_stale(connection: Connection, workspace_id: UUID, name: str, ids: Collection[UUID]) -> None:
    """Have rows written again, whatever is known of them."""
    await connection.execute(
        "DELETE FROM mirrored WHERE workspace_id = $1 AND mirror = $2 AND record_id = ANY($3)",
        workspace_id,
        name,
        ids,
    )
    await connection.execute(
        """
        INSERT INTO stale_in_mirror (workspace_id, mirror, record_id)
        SELECT $1, $2, id FROM unnest($3::uuid[]) AS t (id) ORDER BY id
        ON CONFLICT (workspace_id, mirror, record_id) DO UPDATE SET change = nextval('mirror_changes')
        """,
        workspace_id,
        name,
        ids,
    )
