"""What a turn costs a run: runs made and ended in the ledger, with a key and without, on the same PostgreSQL.

    python bench/turns.py [--runs 4000]

The limit is the same number of runs that take no turns. Ten runs go into one transaction, as a worker's commits hold
them; rounds of the kinds alternate, so that whatever else the machine does strikes all alike. CPU is that of this
process and of its PostgreSQL connection's process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from mainstay.db import Connection, open_pool
from mainstay.db.embedded import EmbeddedServer
from mainstay.db.migrate import migrate
from mainstay.engine.dbos_engine import migrate_engine
from mainstay.model import Overlap, Run, RunState, new_id
from mainstay.runs import NewRun, Progress, Settlement, Turn, add_runs, settle

AT_ONCE = 10
ROUND = 200


async def one_round(connection: Connection, workspace: object, kind: str) -> None:
    """Make and end the runs of one round."""
    for _ in range(ROUND // AT_ONCE):
        claim = new_id()
        runs = [
            NewRun(
                run_id := new_id(),
                workspace,  # type: ignore[arg-type]
                "speed_to_lead.v1",
                {"contact": {"email": "sarah@example.com"}},
                "execution",
                turn=None if kind == "no turns" else Turn(str(run_id), Overlap(kind)),
            )
            for _ in range(AT_ONCE)
        ]
        async with connection.transaction():
            await add_runs(connection, runs, claims={run.id: claim for run in runs})
        news = [
            Progress(
                Run(run.id, run.workspace_id, run.workflow, run.input, "execution", claim),
                (),
                Settlement(RunState.DONE),
            )
            for run in runs
        ]
        async with connection.transaction():
            await settle(connection, news)


async def measure(dsn: str, runs: int) -> dict[str, dict[str, float]]:
    """Return for each kind what a run cost, in microseconds."""
    kinds = ("no turns", "queue", "skip", "replace")
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    pool = await open_pool(dsn, size=1)
    async with pool.acquire() as connection:
        workspace = new_id()
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace)
        own, server = psutil.Process(), psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
        for kind in kinds:
            await one_round(connection, workspace, kind)
        for _ in range(runs // ROUND):
            for kind in kinds:
                before = (sum(own.cpu_times()[:2]), sum(server.cpu_times()[:2]), time.perf_counter())
                await one_round(connection, workspace, kind)
                after = (sum(own.cpu_times()[:2]), sum(server.cpu_times()[:2]), time.perf_counter())
                for name, one, other in zip(("worker", "database", "wall"), before, after, strict=True):
                    spent[kind][name] += (other - one) * 1e6 / runs
    await pool.close()
    return spent


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=4000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder))
        dsn = server.start()
        try:
            migrate(dsn)
            migrate_engine(dsn)
            spent = asyncio.run(measure(dsn, arguments.runs))
        finally:
            server.stop()
    limit = spent["no turns"]
    print(f"{'':10}{'worker µs':>12}{'database µs':>14}{'wall µs':>10}{'CPU, ratio to no turns':>26}")
    for kind, cost in spent.items():
        ratio = (cost["worker"] + cost["database"]) / (limit["worker"] + limit["database"])
        print(f"{kind:10}{cost['worker']:12.0f}{cost['database']:14.0f}{cost['wall']:10.0f}{ratio:26.2f}")


if __name__ == "__main__":
    main()
