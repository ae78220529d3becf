"""What deleting old runs, their steps and their deliveries costs, beside what making them costs.

    python bench/retention.py [--runs 200000]

Half of a history is past its time. Figures: rows a second, and CPU of the database and of this process for each lead (a
delivery, three runs, four steps). The limit: a lead takes 3.5 ms of CPU to process (bench/turns.py); to delete it must
take less than a tenth of that. Exits with 1 beyond it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from history import DAYS, History, load
from stand import tell

from mainstay.cli.session import migrate_all
from mainstay.db import acquire, open_pool
from mainstay.db.embedded import EmbeddedServer
from mainstay.model import new_id
from mainstay.retention import Forgetting, Retention

LEAD_MS = 3.5
MOST_SHARE = 0.1


class Keeps:
    """A workspace that keeps what has ended for half of the history."""

    def __init__(self, age: timedelta) -> None:
        self.retention = Retention(runs=age, deliveries=age)


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


async def measure(dsn: str, postmaster: int, history: History) -> bool:
    """Delete and print; tells whether it is within the limit."""
    pool = await open_pool(dsn)
    try:
        async with acquire(pool) as connection:
            before = await connection.fetchval("SELECT count(*) FROM deliveries")
        forgetting = Forgetting(pool, {history.workspace: Keeps(timedelta(days=DAYS / 2))}, lambda: datetime.now(UTC))
        servers, own = psutil.Process(postmaster).children(), psutil.Process()
        cpu, used, began = _cpu(servers), _cpu([own]), time.perf_counter()
        gone = await forgetting.look(seconds=3600)
        until = _cpu(servers)
        seconds, cpu, used = time.perf_counter() - began, until - cpu, _cpu([own]) - used
        async with acquire(pool) as connection:
            leads = before - await connection.fetchval("SELECT count(*) FROM deliveries")
            # What deleting leaves to be done: the indexes' entries go only now.
            for table in ("runs", "attempts", "deliveries"):
                await connection.execute(f"VACUUM {table}")
        vacuumed = _cpu(servers) - until
    finally:
        await pool.close()
    each = (cpu + vacuumed + used) * 1000 / leads
    tell("rows of runs and deliveries deleted", gone)
    tell("a second, by the clock", gone / seconds)
    tell("CPU of the database, a lead", cpu * 1000 / leads, "ms")
    tell("CPU of the vacuum after it, a lead", vacuumed * 1000 / leads, "ms")
    tell("CPU of the worker, a lead", used * 1000 / leads, "ms")
    tell("share of what a lead takes to process", each / LEAD_MS * 100, "%")
    tell("a day of 33,000 leads is deleted in", 33_000 * seconds / leads, "s")
    return each <= LEAD_MS * MOST_SHARE


def main() -> int:
    """Load, delete, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        server = EmbeddedServer(Path(name))
        dsn = server.start()
        try:
            migrate_all(dsn)
            history = History(new_id(), arguments.runs, arguments.runs // 10, int(time.time() * 1000))
            load(dsn, history)
            print(
                f"{arguments.runs:,} runs, half of them old (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
            )
            postmaster = int((server.home / "data" / "postmaster.pid").read_text().splitlines()[0])
            return 0 if asyncio.run(measure(dsn, postmaster, history)) else 1
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
