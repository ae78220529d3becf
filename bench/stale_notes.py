"""What the triggers that note stale copies cost: single writes and bulk imports, without them, and with.

    python bench/stale_notes.py [--rounds 6] [--writes 4000] [--rows 20000]

On one server, in turn: the triggers switched off, on with no mirror declared, on with one. Single writes go by eight
callers with shared commits, as in the product; an import is of new people. Told is the CPU of PostgreSQL and the time,
each as the median of the rounds, and beside it by how much it is above that without triggers. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from uuid import UUID

import uvloop
from identity import HEADER, Cpu, grouped, import_lines, people
from mirrored import server

from mainstay.db import Pool, acquire, open_pool
from mainstay.model import new_id

WAYS = ("no triggers", "no mirror", "one mirror")


async def _switch(pool: Pool, workspace_id: UUID, way: str) -> None:
    able = "DISABLE" if way == "no triggers" else "ENABLE"
    async with acquire(pool) as connection:
        for trigger in ("contacts_made_stale", "contacts_changed_stale"):
            await connection.execute(f"ALTER TABLE contacts {able} TRIGGER {trigger}")
        await connection.execute("DELETE FROM mirrors")
        await connection.execute("TRUNCATE stale_in_mirror")
        if way == "one mirror":
            await connection.execute(
                "INSERT INTO mirrors (workspace_id, name, layout) VALUES ($1, 'copy', '')", workspace_id
            )
        await connection.execute("CHECKPOINT")


async def _measure(dsn: str, postmaster: int, arguments: argparse.Namespace) -> None:
    pool, cpu, workspace_id = await open_pool(dsn, size=2), Cpu(postmaster), new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace_id)
    spent: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.rounds):
            # Whoever comes later finds a larger book.
            for way in WAYS if number % 2 else WAYS[::-1]:
                await _switch(pool, workspace_id, way)
                before = cpu.look()[-1]
                rate, _ = await grouped(pool, workspace_id, 8, arguments.writes)
                spent["single write"][way].append(((cpu.look()[-1] - before) / arguments.writes * 1e6, 1e6 / rate))
                file = Path(name) / f"{new_id()}.csv"
                with file.open("w", newline="") as opened:
                    writer = csv.writer(opened)
                    writer.writerow(HEADER)
                    writer.writerows(people(arguments.rows, new_id().int))
                done = await import_lines(pool, workspace_id, file, cpu)
                each = (done["cpu_us_a_line"]["postgresql"], 1e6 / done["per_second"])
                spent["line of an import"][way].append(each)
    await pool.close()
    for what, ways in spent.items():
        print(f"{what} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
        bare = [statistics.median(column) for column in zip(*ways["no triggers"], strict=True)]
        for way in WAYS:
            mid = [statistics.median(column) for column in zip(*ways[way], strict=True)]
            more = [f"{now / then - 1:+.1%}" for now, then in zip(mid, bare, strict=True)]
            print(f"  {way:<12} CPU {mid[0]:8.1f} us {more[0]:>7}   wall {mid[1]:8.1f} us {more[1]:>7}")
    print(json.dumps(spent))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--writes", type=int, default=4000)
    parser.add_argument("--rows", type=int, default=20_000)
    with server() as (dsn, postmaster):
        uvloop.run(_measure(dsn, postmaster, parser.parse_args()))


if __name__ == "__main__":
    main()
