"""SQL of imports: which file is brought in, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.errors import ConflictError
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Import:
    """A file that is brought in as a whole.

    Attributes:
        as_of: when its values were said; ``records`` how many of its records are done; ``counts`` what became of them.
        finished_at: when it was done; None while it is not.
    """

    id: UUID
    workspace_id: UUID
    file: str
    source: str
    as_of: datetime
    records: int
    counts: Mapping[str, int]
    started_at: datetime
    finished_at: datetime | None = None


async def begin_import(
    connection: Connection, workspace_id: UUID, digest: bytes, file: str, source: str, as_of: datetime
) -> Import:
    """Return the import of a file, made now unless it was begun before. What is said ahead of our clock is said now."""
    await connection.execute(
        """
        INSERT INTO imports (id, workspace_id, digest, file, source, as_of, started_at)
        SELECT $1, $2, $3, $4, $5, least($6, now), now FROM clock_timestamp() AS now
        ON CONFLICT (workspace_id, digest) DO NOTHING
        """,
        new_id(),
        workspace_id,
        digest,
        file,
        source,
        as_of,
    )
    (row,) = await connection.fetch(
        """
        SELECT id, workspace_id, file, source, as_of, records, counts, started_at, finished_at
        FROM imports WHERE workspace_id = $1 AND digest = $2
        """,
        workspace_id,
        digest,
    )
    return Import(**dict(row))


async def advance(connection: Connection, item: Import, records: int, counts: Mapping[str, int]) -> None:
    """Note how far an import is, in the transaction that brings it there.

    Raises:
        ConflictError: another process brings in the same file.
    """
    moved = await connection.fetchval(
        "UPDATE imports SET records = $3, counts = $4, updated_at = now() WHERE id = $1 AND records = $2 RETURNING id",
        item.id,
        item.records,
        records,
        dict(counts),
    )
    if moved is None:
        raise ConflictError(f"{item.file} is being brought in by another process; wait for that")


async def finish(connection: Connection, import_id: UUID) -> None:
    """Note that a file is in."""
    await connection.execute(
        "UPDATE imports SET finished_at = clock_timestamp(), updated_at = now() WHERE id = $1 AND finished_at IS NULL",
        import_id,
    )
