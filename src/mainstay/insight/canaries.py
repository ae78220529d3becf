"""Canaries as people look at them: which arrived, and where the others were lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection

_LATEST = 30


@dataclass(frozen=True, slots=True)
class Hop:
    """A part of the way that was passed, ``ms`` after it was sent."""

    name: str
    ms: int


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """One canary. ``state`` is ``flying``, ``arrived`` or ``lost``, at the ``hop`` that broke, by what ``error``."""

    id: UUID
    source: str
    state: str
    delivery_id: UUID | None
    sent_at: datetime
    ended_at: datetime | None
    hop: str
    error: str
    hops: tuple[Hop, ...]
    cleaned_at: datetime | None


async def list_canaries(connection: Connection, workspace_id: UUID, *, size: int = _LATEST) -> tuple[CanaryRow, ...]:
    """Return a workspace's canaries, the latest first."""
    rows = await connection.fetch(
        "SELECT * FROM canaries WHERE workspace_id = $1 ORDER BY id DESC LIMIT $2", workspace_id, size
    )
    names = [name for name in CanaryRow.__dataclass_fields__ if name != "hops"]
    return tuple(
        CanaryRow(
            **{name: row[name] for name in names}, hops=tuple(Hop(each["name"], each["ms"]) for each in row["hops"])
        )
        for row in rows
    )
