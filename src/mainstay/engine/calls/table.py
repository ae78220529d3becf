"""``ctx.table``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainstay.engine.calls.role_call import RoleCall
from mainstay.kit.roles import Row, Written


@dataclass(frozen=True, slots=True)
class TableCalls:
    """``ctx.table``."""

    _call: RoleCall

    async def upsert(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows, each over the one with the same value in column ``key``, else below the last."""
        written = await self._call("table", "upsert_rows", table, key, tuple(dict(row) for row in rows))
        return Written(**written) if written else Written()

    async def remove(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Remove the rows with these values in column ``key``."""
        written = await self._call("table", "remove_rows", table, key, tuple(values))
        return Written(**written) if written else Written()
