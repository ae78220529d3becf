"""The limit of bench/engine.py: the same steps as steps of DBOS itself. Prints JSON, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time

from dbos import DBOS

STEPS = 40


@DBOS.step()
async def light() -> int:
    """Do nothing."""
    return 1


@DBOS.workflow()
async def forty() -> None:
    """Do nothing, forty times."""
    for _ in range(STEPS):
        await light()


async def _play(runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        await forty()
        times.append(time.perf_counter() - started)
    return times


def main() -> None:
    """Run, and print the seconds of each run and the CPU time of a step."""
    dsn, runs = sys.argv[1], int(sys.argv[2])
    logging.disable(logging.WARNING)
    DBOS(
        config={
            "name": "bare",
            "system_database_url": dsn,
            "dbos_system_schema": "bare",
            "use_listen_notify": False,
            "db_engine_kwargs": {"pool_pre_ping": False},
        }
    )
    DBOS.launch()
    asyncio.run(_play(3))
    before = time.process_time()
    times = asyncio.run(_play(runs))
    print(json.dumps({"seconds": times, "cpu_ms_per_step": (time.process_time() - before) * 1000 / runs / STEPS}))
    DBOS.destroy()


if __name__ == "__main__":
    main()
