"""How fast a mirror is filled and kept: the first load, then one contact in a hundred changed.

    python bench/mirror.py [--rows 200000] [--sql]

Into a table in memory, which leaves Mainstay's own cost; with --sql also into a table of another database on the same
server. Beside each: how long PostgreSQL takes to copy the same columns out and into a bare table, in the same run. And
what the notes of what is stale cost a write where no mirror is declared, and where one is. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import io

from copied_book import TITLES, Book, MemoryTable, book, peak_memory, timed
from stand import Stand, tell

from mainstay.db import acquire

_COLUMNS = "id, first_name, last_name, email, phone, company, source, '', ''"


async def _copy(each: Book) -> None:
    """Copy the same cells into a bare table."""
    async with acquire(each.pool) as connection:
        await connection.execute("DROP TABLE IF EXISTS bare")
        await connection.execute(f"CREATE TABLE bare ({TITLES})")
        kept = io.BytesIO()
        await connection.copy_from_query(f"SELECT {_COLUMNS} FROM contacts ORDER BY id", output=kept)  # noqa: S608
        kept.seek(0)
        await connection.copy_to_table("bare", source=kept)


async def _fill(each: Book, stand: Stand, rows: int, name: str, limit: float) -> None:
    await each.declare()
    for what, count in (("first load", rows), ("1 % changed", rows // 100)):
        if count < rows:
            await each.change(100)
        wall, cpu, server = await timed(each.write, stand)
        said = f"rows/s; CPU {1e6 * cpu / count:.1f} us a row here, {1e6 * server / count:.1f} in PostgreSQL"
        tell(f"{name}: {what}", count / wall, said)
        if count == rows:
            tell("  times a COPY out and in", wall / limit)
    tell("  peak memory", peak_memory(), "MB")


async def _notes(each: Book, stand: Stand) -> None:
    """Time one statement that changes a hundredth of the book, seven times in turn: the best of each."""
    costs: dict[str, list[float]] = {"without the trigger": [], "no mirror": [], "one mirror": []}
    for _ in range(7):
        for name, found in costs.items():
            what = "DISABLE" if name == "without the trigger" else "ENABLE"
            async with acquire(each.pool) as connection:
                await connection.execute("TRUNCATE mirrors, stale_in_mirror")
                await connection.execute(f"ALTER TABLE contacts {what} TRIGGER contacts_changed_stale")
            if name == "one mirror":
                await each.declare()
            found.append((await timed(lambda: each.change(100), stand))[0])
    for name, found in costs.items():
        tell(f"a write of 1 % of the book in one statement, {name}", 1000 * min(found), "ms")


async def _run(stand: Stand, rows: int, *, with_sql: bool) -> None:
    async with book(stand) as each:
        await each.seed(rows // 4)
        await each.declare()
        await each.write()
        tell(f"peak memory at {rows // 4:,} rows", peak_memory(), "MB")
        each.sink = MemoryTable()
        async with acquire(each.pool) as connection, connection.transaction():
            await connection.execute("SET LOCAL mainstay.writer = 'identity'")
            await connection.execute("TRUNCATE contacts CASCADE")
        await each.seed(rows)
        limit, _, _ = await timed(lambda: _copy(each), stand)
        tell("COPY of the same cells out and in", rows / limit, "rows/s")
        await _fill(each, stand, rows, "in memory", limit)
        await _notes(each, stand)
        if with_sql:
            async with acquire(each.pool) as connection:
                await connection.execute("CREATE DATABASE reporting")
            each.use_sql(stand.dsn.replace("/mainstay", "/reporting", 1))
            await _fill(each, stand, rows, "SQL table", limit)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--sql", action="store_true")
    asked = parser.parse_args()
    with Stand({}) as made:
        asyncio.run(_run(made, asked.rows, with_sql=asked.sql))
