"""How fast a mirror is compared with what was written to it, without drift and with one row in a hundred changed.

    python bench/drift.py [--rows 200000]

The table is in memory, which leaves Mainstay's own cost. Beside it: how long PostgreSQL takes to hand the same rows to
this process, in the same run. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio

from copied_book import Book, book, peak_memory, timed
from stand import Stand, tell

from mainstay.db import acquire


async def _read(each: Book) -> None:
    async with acquire(each.pool) as connection, connection.transaction():
        async for _ in connection.cursor("SELECT * FROM contacts", prefetch=20_000):
            pass


async def _run(stand: Stand, rows: int) -> None:
    async with book(stand) as each:
        await each.seed(rows)
        await each.declare()
        await each.write()
        limit, _, _ = await timed(lambda: _read(each), stand)
        tell("SELECT of the same rows", rows / limit, "rows/s")
        for name, every in (("nothing has drifted", 0), ("1 % has drifted", 100)):
            for place, (key, row) in enumerate(list(each.sink.rows.items())):
                if every and place % every == 0:
                    each.sink.rows[key] = {**row, "Company": "somebody's"}
            wall, cpu, server = await timed(each.compare, stand)
            said = f"rows/s; CPU {1e6 * cpu / rows:.1f} us a row here, {1e6 * server / rows:.1f} in PostgreSQL"
            tell(f"compared, {name}", rows / wall, said)
            tell("  times the SELECT", wall / limit)
            tell("  peak memory, the table's own rows included", peak_memory(), "MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    asked = parser.parse_args()
    with Stand({}) as made:
        asyncio.run(_run(made, asked.rows))
