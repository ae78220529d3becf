"""SQL of pushes. A push is owned by a run, which is durable, so at most one push of a record is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.records.crosswalk import Adopted, adopt, drop_id, keep_beside

if TYPE_CHECKING:
    from mainstay.db import Connection

PUSH = "push.v1"
CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Want:
    """A system should know this version of a record."""

    workspace_id: UUID
    record_id: UUID
    version: int
    connection: str


@dataclass(frozen=True, slots=True)
class Pushing:
    """Where a wanted record stands. ``run_id`` is set when a new run has to push it."""

    want: Want
    run_id: UUID | None
    external_id: str


async def want(connection: Connection, wants: Sequence[Want], *, by: UUID | None = None) -> list[Pushing]:
    """Note that these versions are to be pushed: each by a new run, or all by the run ``by``.

    A push already under way will find the newer version when it ends, and go on; so rapid edits become one call.
    """
    newest: dict[tuple[UUID, UUID, str], Want] = {}
    for item in wants:
        key = (item.workspace_id, item.record_id, item.connection)
        if key not in newest or newest[key].version < item.version:
            newest[key] = item
    ordered = [newest[key] for key in sorted(newest, key=str)]
    proposed = [by or new_id() for _ in ordered]
    rows = await connection.fetch(
        """
        INSERT INTO crosswalk AS known (workspace_id, record_type, record_id, connection, wanted_version, push_run_id,
                                        updated_at)
        SELECT w, 'contact', r, c, v, p, now()
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::uuid[]) AS t (w, r, c, v, p)
        ON CONFLICT (workspace_id, record_type, record_id, connection) DO UPDATE SET
            wanted_version = greatest(known.wanted_version, excluded.wanted_version),
            updated_at = now(),
            push_run_id = CASE
                WHEN EXISTS (SELECT FROM runs WHERE runs.id = known.push_run_id
                             AND runs.state IN ('queued', 'running', 'waiting')) THEN known.push_run_id
                ELSE excluded.push_run_id END
        RETURNING workspace_id, record_id, connection, push_run_id, external_id
        """,
        [item.workspace_id for item in ordered],
        [item.record_id for item in ordered],
        [item.connection for item in ordered],
        [item.version for item in ordered],
        proposed,
    )
    ours = set(proposed)
    return [
        Pushing(
            newest[row["workspace_id"], row["record_id"], row["connection"]],
            row["push_run_id"] if row["push_run_id"] in ours else None,
            row["external_id"] or "",
        )
        for row in rows
    ]


async def copies_of(
    connection: Connection, workspace_id: UUID, system: str, record_ids: Sequence[UUID]
) -> dict[UUID, tuple[str, int]]:
    """Return of those contacts that a system has their ids there, and which versions it holds."""
    # One by one: the planner may read whole tables for a page of ids.
    rows = await connection.fetch(
        """
        SELECT asked.id, c.external_id, c.pushed_version FROM unnest($3::uuid[]) AS asked (id)
        JOIN LATERAL (SELECT external_id, pushed_version FROM crosswalk
                      WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = asked.id AND connection = $2
                      LIMIT 1) AS c ON c.external_id IS NOT NULL
        """,
        workspace_id,
        system,
        record_ids,
    )
    return {row["id"]: (row["external_id"], row["pushed_version"]) for row in rows}


async def raise_wanted(connection: Connection, workspace_id: UUID, to: str, versions: Mapping[UUID, int]) -> None:
    """Note that records which a system has are behind (record to version), without a push: the next one brings it."""
    await connection.execute(
        """
        UPDATE crosswalk SET wanted_version = greatest(wanted_version, version), updated_at = now()
        FROM unnest($3::uuid[], $4::integer[]) AS t (id, version)
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = t.id AND connection = $2
        """,
        workspace_id,
        to,
        list(versions),
        list(versions.values()),
    )


async def start_push(
    connection: Connection, workspace_id: UUID, record_id: UUID, to: str, run_id: UUID
) -> tuple[bool, str]:
    """Make ``run_id`` the owner of a push, unless another run that still lives is; returns (is owner, external id)."""
    row = await connection.fetchrow(
        """
        UPDATE crosswalk SET push_run_id = $4, error = ''
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 AND connection = $3
          AND NOT EXISTS (SELECT FROM runs WHERE runs.id = crosswalk.push_run_id AND runs.id <> $4
                          AND runs.state IN ('queued', 'running', 'waiting'))
        RETURNING external_id
        """,
        workspace_id,
        record_id,
        to,
        run_id,
    )
    return (False, "") if row is None else (True, row["external_id"] or "")


@dataclass(frozen=True, slots=True)
class Done:
    """A push that succeeded: what was pushed, its id there, and whether that made the record there."""

    want: Want
    external_id: str
    is_new: bool = False


async def pushed(connection: Connection, done: Sequence[Done]) -> list[bool | PermanentError]:
    """Note pushes that succeeded, each of another record.

    Each result is whether a newer version is wanted by now, so that the run must push again; or an error where that
    system says this is the record it also has for another contact of ours, and nothing is noted.
    """
    others, known = await _held(connection, done)
    ids = Counter((each.want.workspace_id, each.want.connection, each.external_id) for each in done)
    plain = [
        each
        for each in done
        if ids[each.want.workspace_id, each.want.connection, each.external_id] == 1
        and _place(each) not in others
        and _place(each) in known
        and known[_place(each)] in {None, each.external_id}
    ]
    rows = await connection.fetch(
        """
        UPDATE crosswalk SET external_id = done.external_id, pushed_version = greatest(pushed_version, done.version),
               error = '', updated_at = now(),
               is_ours = CASE WHEN crosswalk.external_id = done.external_id THEN is_ours ELSE done.is_new END,
               home_id = CASE WHEN crosswalk.external_id = done.external_id THEN home_id END,
               push_run_id = CASE WHEN wanted_version > done.version THEN push_run_id END
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::boolean[])
             AS done (workspace_id, record_id, connection, version, external_id, is_new)
        WHERE crosswalk.workspace_id = done.workspace_id AND crosswalk.record_type = 'contact'
          AND crosswalk.record_id = done.record_id AND crosswalk.connection = done.connection
        RETURNING crosswalk.workspace_id, crosswalk.record_id, crosswalk.connection,
                  wanted_version > done.version AS is_behind
        """,
        *_columns(plain),
        [each.want.version for each in plain],
        [each.external_id for each in plain],
        [each.is_new for each in plain],
    )
    behind = {(row["workspace_id"], row["record_id"], row["connection"]): row["is_behind"] for row in rows}
    results: list[bool | PermanentError] = []
    for each in done:
        if _place(each) in behind:
            results.append(behind[_place(each)])
            continue
        try:
            results.append(await _pushed_in_doubt(connection, each.want, each.external_id, is_new=each.is_new))
        except PermanentError as error:
            results.append(error)
    return results


_Place = tuple[UUID, UUID, str]


def _place(done: Done) -> _Place:
    return done.want.workspace_id, done.want.record_id, done.want.connection


def _columns(done: Sequence[Done]) -> tuple[list[UUID], list[UUID], list[str]]:
    places = [_place(each) for each in done]
    return [place[0] for place in places], [place[1] for place in places], [place[2] for place in places]


async def _held(connection: Connection, done: Sequence[Done]) -> tuple[set[_Place], dict[_Place, str | None]]:
    """Hold the rows of these pushes; returns whose id leads to another contact, and the id that each row has."""
    external_ids = [each.external_id for each in done]
    rows = await connection.fetch(
        """
        SELECT done.workspace_id, done.record_id, done.connection
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
             AS done (workspace_id, record_id, connection, external_id)
        -- Each by its index: joined, the planner reads the whole crosswalk for a mirror's batch.
        WHERE EXISTS (SELECT FROM crosswalk AS c WHERE c.workspace_id = done.workspace_id AND c.record_type = 'contact'
                      AND c.connection = done.connection AND c.external_id = done.external_id
                      AND c.record_id <> done.record_id OFFSET 0)
           OR EXISTS (SELECT FROM crosswalk_beside AS c
                      WHERE c.workspace_id = done.workspace_id AND c.record_type = 'contact'
                      AND c.connection = done.connection AND c.external_id = done.external_id
                      AND c.record_id <> done.record_id OFFSET 0)
        """,
        *_columns(done),
        external_ids,
    )
    others = {(row["workspace_id"], row["record_id"], row["connection"]) for row in rows}
    rows = await connection.fetch(
        """
        SELECT workspace_id, record_id, connection, external_id
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS done (workspace_id, record_id, connection)
        JOIN crosswalk USING (workspace_id, record_id, connection) WHERE record_type = 'contact'
        ORDER BY workspace_id, record_id, connection FOR UPDATE OF crosswalk
        """,
        *_columns(done),
    )
    return others, {(row["workspace_id"], row["record_id"], row["connection"]): row["external_id"] for row in rows}


async def _pushed_in_doubt(connection: Connection, item: Want, external_id: str, *, is_new: bool) -> bool:
    """Note one push of which the crosswalk says something else than what was answered.

    Raises:
        PermanentError: that system says this is the record it also has for another contact of ours.
    """
    place = (item.workspace_id, item.record_id, item.connection)
    other = await connection.fetchrow(
        """
        SELECT home_id, surviving(record_id) AS contact_id, surviving(record_id) = surviving($4) AS is_merged
        FROM record_ids
        WHERE workspace_id = $1 AND connection = $2 AND record_type = 'contact' AND external_id = $3 AND record_id <> $4
        """,
        item.workspace_id,
        item.connection,
        external_id,
        item.record_id,
    )
    if other is not None and not other["is_merged"]:
        message = (
            f"{item.connection} has one record ({external_id}) for two contacts of ours: this one and "
            f"{other['contact_id']}. If they are one person, merge them; if not, give each an own record there, then "
            "retry"
        )
        raise PermanentError(message)
    known = await connection.fetchrow(
        """
        SELECT external_id, coalesce(home_id, record_id) AS home_id, is_ours FROM crosswalk
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 AND connection = $3 FOR UPDATE
        """,
        *place,
    )
    if known is None:
        # Merged meanwhile: what led there leads to the survivor already; a record that is new there must not be lost.
        if other is None:
            await adopt(connection, Adopted(item.workspace_id, item.record_id, item.connection, external_id, is_new))
        return False
    home_id = item.record_id
    if known["external_id"] != external_id:
        if other is not None:
            home_id = other["home_id"]
            await drop_id(connection, item.workspace_id, item.connection, external_id)
        if known["external_id"]:
            old = Adopted(item.workspace_id, known["home_id"], item.connection, known["external_id"], known["is_ours"])
            await keep_beside(connection, old)
    else:
        home_id = known["home_id"]
    is_behind: bool = await connection.fetchval(
        """
        UPDATE crosswalk SET external_id = $5, pushed_version = greatest(pushed_version, $4), error = '',
               updated_at = now(), is_ours = CASE WHEN external_id = $5 THEN is_ours ELSE $6 END,
               home_id = nullif($7, record_id), push_run_id = CASE WHEN wanted_version > $4 THEN push_run_id END
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 AND connection = $3
        RETURNING wanted_version > $4
        """,
        *place,
        item.version,
        external_id,
        is_new,
        home_id,
    )
    return is_behind


async def push_failed(connection: Connection, run_id: UUID, record_id: UUID, reason: str) -> None:
    """Note that a push has stopped: the record is kept here, is not there, and says so."""
    await connection.execute(
        """
        UPDATE crosswalk SET push_run_id = NULL, error = $3, updated_at = now()
        WHERE record_id = $2 AND push_run_id = $1
        """,
        run_id,
        record_id,
        storable(reason),
    )


async def external_id_of(connection: Connection, workspace_id: UUID, record_id: UUID, system: str) -> str:
    """Return a contact's id in a system, or of what it was merged into; empty when it has none there yet."""
    found = await connection.fetchval(
        """
        SELECT external_id FROM crosswalk
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = surviving($2) AND connection = $3
        """,
        workspace_id,
        record_id,
        system,
    )
    return found or ""


async def is_wanted(connection: Connection, workspace_id: UUID, record_id: UUID, system: str) -> bool:
    """Tell whether a contact is, or was ever, to be pushed to a system."""
    return bool(
        await connection.fetchval(
            """
            SELECT TRUE FROM crosswalk
            WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = surviving($2) AND connection = $3
            """,
            workspace_id,
            record_id,
            system,
        )
    )
