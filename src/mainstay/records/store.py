"""SQL of the crosswalk. A push is owned by a run, which is durable, so at most one push of a record is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.errors import PermanentError
from mainstay.model import new_id

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


async def want(connection: Connection, wants: Sequence[Want]) -> list[Pushing]:
    """Note that these versions are to be pushed.

    A push already under way will find the newer version when it ends, and go on; so rapid edits become one call.
    """
    newest: dict[tuple[UUID, UUID, str], Want] = {}
    for item in wants:
        key = (item.workspace_id, item.record_id, item.connection)
        if key not in newest or newest[key].version < item.version:
            newest[key] = item
    ordered = [newest[key] for key in sorted(newest, key=str)]
    proposed = [new_id() for _ in ordered]
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


async def pushed(connection: Connection, done: Sequence[tuple[Want, str]]) -> list[bool | PermanentError]:
    """Note pushes that succeeded: (what was pushed, its id there), each of another record.

    Each result is whether a newer version is wanted by now, so that the run must push again; or an error where that
    system says this is the record it also has for another contact of ours, and nothing is noted.
    """
    rows = await connection.fetch(
        """
        SELECT workspace_id, connection, external_id, crosswalk.record_id
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS done (workspace_id, connection, external_id)
        JOIN crosswalk USING (workspace_id, connection, external_id) WHERE record_type = 'contact'
        """,
        [item.workspace_id for item, _ in done],
        [item.connection for item, _ in done],
        [external_id for _, external_id in done],
    )
    owners = {(row["workspace_id"], row["connection"], row["external_id"]): row["record_id"] for row in rows}
    for item, external_id in done:
        owners.setdefault((item.workspace_id, item.connection, external_id), item.record_id)
    ours = [
        (item, external_id)
        for item, external_id in done
        if owners[item.workspace_id, item.connection, external_id] == item.record_id
    ]
    rows = await connection.fetch(
        """
        UPDATE crosswalk SET external_id = done.external_id, pushed_version = greatest(pushed_version, done.version),
               error = '', updated_at = now(),
               push_run_id = CASE WHEN wanted_version > done.version THEN push_run_id END
        FROM (SELECT workspace_id, record_id, connection, done.version, done.external_id
              FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::text[])
                   AS done (workspace_id, record_id, connection, version, external_id)
              JOIN crosswalk USING (workspace_id, record_id, connection) WHERE record_type = 'contact'
              ORDER BY workspace_id, record_id, connection FOR NO KEY UPDATE OF crosswalk) AS done
        WHERE crosswalk.workspace_id = done.workspace_id AND crosswalk.record_type = 'contact'
          AND crosswalk.record_id = done.record_id AND crosswalk.connection = done.connection
        RETURNING crosswalk.workspace_id, crosswalk.record_id, crosswalk.connection,
                  wanted_version > done.version AS is_behind
        """,
        [item.workspace_id for item, _ in ours],
        [item.record_id for item, _ in ours],
        [item.connection for item, _ in ours],
        [item.version for item, _ in ours],
        [external_id for _, external_id in ours],
    )
    behind = {(row["workspace_id"], row["record_id"], row["connection"]): row["is_behind"] for row in rows}
    results: list[bool | PermanentError] = []
    for item, external_id in done:
        owner = owners[item.workspace_id, item.connection, external_id]
        if owner == item.record_id:
            results.append(behind.get((item.workspace_id, item.record_id, item.connection), False))
        else:
            results.append(_one_record_for_two(item.connection, external_id, owner))
    return results


def _one_record_for_two(connection: str, external_id: str, other: UUID) -> PermanentError:
    return PermanentError(
        f"{connection} has one record ({external_id}) for two contacts of ours: this one and {other}. "
        "If they are one person, merge them; if not, give each an own record there, then retry"
    )


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


async def link(connection: Connection, links: Sequence[tuple[Want, str]]) -> None:
    """Note that a system told us of its own record: (the version it holds, its id there)."""
    await connection.executemany(
        """
        INSERT INTO crosswalk AS known (workspace_id, record_type, record_id, connection, external_id, wanted_version,
                                        pushed_version, updated_at)
        VALUES ($1, 'contact', $2, $3, $5, $4, $4, now())
        ON CONFLICT (workspace_id, record_type, record_id, connection) DO UPDATE SET
            external_id = coalesce(known.external_id, excluded.external_id), updated_at = now()
        """,
        [
            (item.workspace_id, item.record_id, item.connection, item.version, external_id)
            for item, external_id in links
        ],
    )


async def external_id_of(connection: Connection, workspace_id: UUID, record_id: UUID, system: str) -> str:
    """Return a contact's id in a system; empty when it has none there yet."""
    found = await connection.fetchval(
        """
        SELECT external_id FROM crosswalk
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 AND connection = $3
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
            WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 AND connection = $3
            """,
            workspace_id,
            record_id,
            system,
        )
    )
