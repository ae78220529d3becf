"""Rows whose turn it is, held until the commit by one of those who ask at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstay.db.pool import Connection, Row


async def hold(connection: Connection, query: str, *values: Any) -> list[Row]:
    """Return the rows that a query locks (``FOR ... SKIP LOCKED``) and finds again once they are locked.

    What such a query says of other rows (that no run is under way, say) is judged as they stood when it began. Somebody
    who held the row then and has committed since would not be seen, and two would begin. Nobody else changes what is
    locked, so the second look is the true one.
    """
    held = await connection.fetch(query, *values)
    return [row for row in await connection.fetch(query, *values) if row in held] if held else []
