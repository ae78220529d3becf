"""Pages of big tables: by key, never by offset; ids as people type them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from mainstay.db import Connection

PAGE_SIZE = 50
# Above every character that can follow a prefix, in byte order.
_LAST = "\U0010ffff"
_HEX = re.compile(r"[0-9a-f]{1,8}")
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_SHORT_ID_TABLES = {
    "runs",
    "contacts",
    "deliveries",
    "incidents",
    "quarantine",
    "suggestions",
    "approvals",
    "bulk_retries",
    "drifts",
    "records",
}
_MOST_SAME = 10

Item = TypeVar("Item")
Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list. ``before`` asks for the next page; None when this is the last."""

    items: tuple[Item, ...]
    before: UUID | None = None


def page_of(rows: Sequence[Row], make: Callable[[Row], Item], size: int) -> Page[Item]:
    """Make a page of rows that were asked for with ``LIMIT size + 1``; each has its key in ``id``."""
    shown = rows[:size]
    return Page(tuple(make(row) for row in shown), shown[-1]["id"] if len(rows) > size else None)


def prefix_range(prefix: str) -> tuple[str, str]:
    """Return the bounds of everything that begins with ``prefix``, for the byte-wise operators ``~>=~`` and ``~<~``.

    ``LIKE`` with a parameter would lose the index once PostgreSQL plans the statement for any parameter.
    """
    return prefix, prefix + _LAST


def id_in(text: str) -> UUID | None:
    """Return the whole id that a text is, if it is one."""
    return UUID(text) if _UUID.fullmatch(text.strip().lower()) else None


def short_id_in(text: str) -> str:
    """Return the (beginning of a) short id that a text is, lower case; empty when it is none."""
    found = _HEX.fullmatch(text.strip().lower())
    return found[0] if found else ""


async def resolve_short_id(connection: Connection, table: str, workspace_id: UUID, text: str) -> tuple[UUID, ...]:
    """Return the ids that a person may mean by a whole id, a short id or its beginning: none, one, or up to ten.

    ``table`` is one of ``_SHORT_ID_TABLES``.
    """
    if table not in _SHORT_ID_TABLES:
        message = f"{table} has no short ids"
        raise ValueError(message)
    whole = id_in(text)
    if whole is not None:
        query = f"SELECT id FROM {table} WHERE workspace_id = $1 AND id = $2"  # noqa: S608 - one of these names
        rows = await connection.fetch(query, workspace_id, whole)
    elif short_id_in(text):
        query = f"""
            SELECT id FROM {table}
            WHERE workspace_id = $1 AND right(id::text, 8) ~>=~ $2 AND right(id::text, 8) ~<~ $3
            ORDER BY right(id::text, 8) USING ~<~ LIMIT {_MOST_SAME}
        """  # noqa: S608 - one of these names
        rows = await connection.fetch(query, workspace_id, *prefix_range(short_id_in(text)))
    else:
        return ()
    return tuple(row["id"] for row in rows)
