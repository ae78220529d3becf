"""What the engine itself costs, with real worker processes and a PostgreSQL of its own.

    python bench/engine.py [steps] [latency] [rest] [takeover] [drain] [--runs 30]

steps     a workflow of 40 light steps in sequence, one worker; beside it the same as steps of DBOS itself
latency   from the enqueueing commit to the first step's start, at ten runs a second
rest      CPU and connections of 1 and 8 workers that have nothing to do
takeover  from a worker's SIGKILL, or SIGSTOP, until another goes on with its run
drain     SIGTERM with a run under way

Nothing is asserted. Wall times mean something only where little else runs; the load is printed beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from uuid import UUID

from stand import Stand, enqueue, percentile, tell, workspace_of

from mainstay.db import Connection, Pool, open_pool
from mainstay.db.migrate import sqlalchemy_url

STEPS = 40
WORKFLOWS = f"""\
import asyncio
from mainstay import Context, workflow

async def light() -> int:
    return 1

async def slow() -> int:
    await asyncio.sleep(3)
    return 1

@workflow("forty.v1")
async def forty(ctx: Context, subject: int) -> None:
    for number in range({STEPS}):
        await ctx.step(f"step {{number}}", light)

@workflow("one.v1")
async def one(ctx: Context, subject: int) -> None:
    await ctx.step("first", light)

async def long() -> int:
    await asyncio.sleep(60)
    return 1

@workflow("long.v1")
async def long_one(ctx: Context, subject: int) -> None:
    await ctx.step("long", long)

@workflow("slow.v1")
async def slow_one(ctx: Context, subject: int) -> None:
    await ctx.step("first", light)
    await ctx.step("slow", slow)
    await ctx.step("last", light)
"""


async def _ended(connection: Connection, run_id: UUID, *, state: str = "done", pause: float = 0.01) -> None:
    while await connection.fetchval("SELECT state FROM runs WHERE id = $1", run_id) != state:
        await asyncio.sleep(pause)


async def _took(connection: Connection, run_id: UUID) -> float:
    found: float = await connection.fetchval(
        "SELECT extract(epoch FROM finished_at - created_at)::float8 FROM runs WHERE id = $1", run_id
    )
    return found


async def steps(stand: Stand, pool: Pool, runs: int) -> None:
    """See the module."""
    with stand.working() as (worker,):
        async with pool.acquire() as connection:
            workspace = await workspace_of(connection, "bench")
            for _ in range(3):
                await _ended(connection, (await enqueue(connection, workspace, "forty.v1"))[0])
            before, database = worker.cpu(), stand.database_cpu()
            times = []
            for _ in range(runs):
                (run_id,) = await enqueue(connection, workspace, "forty.v1")
                await _ended(connection, run_id, pause=0.05)
                times.append(await _took(connection, run_id))
            cpu, database = worker.cpu() - before, stand.database_cpu() - database
    tell(f"{STEPS} steps, enqueue to end, median", median(times), "s")
    tell(f"{STEPS} steps, the quickest", min(times), "s")
    tell("CPU of the worker per step", cpu * 1000 / runs / STEPS, "ms")
    tell("CPU of PostgreSQL per step (its whole server)", database * 1000 / runs / STEPS, "ms")
    database = stand.database_cpu()
    bare = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("bare_dbos.py")), sqlalchemy_url(stand.dsn), str(runs)],
        stdout=subprocess.PIPE,
        check=True,
    )
    said = json.loads(bare.stdout)
    tell(f"{STEPS} steps of bare DBOS, median", median(said["seconds"]), "s")
    tell("CPU of bare DBOS per step", said["cpu_ms_per_step"], "ms")
    tell("CPU of PostgreSQL per step of bare DBOS", (stand.database_cpu() - database) * 1000 / (runs + 3) / STEPS, "ms")


async def latency(stand: Stand, pool: Pool, runs: int) -> None:
    """See the module."""
    with stand.working():
        async with pool.acquire() as connection:
            workspace = await workspace_of(connection, "bench")
            for _ in range(runs * 5):
                await enqueue(connection, workspace, "one.v1")
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)
            rows = await connection.fetch(
                """
                SELECT extract(epoch FROM attempts.started_at - runs.created_at)::float8 * 1000 AS ms
                FROM runs JOIN attempts ON attempts.run_id = runs.id AND step = 1 WHERE workflow = 'one.v1'
                ORDER BY runs.id OFFSET 5
                """
            )
    times = [row["ms"] for row in rows]
    tell("enqueue to first step, p50", percentile(times, 0.5), "ms")
    tell("enqueue to first step, p99", percentile(times, 0.99), "ms")


async def rest(stand: Stand, pool: Pool, _runs: int) -> None:
    """See the module."""
    for count in (1, 8):
        with stand.working(count) as workers:
            await asyncio.sleep(6)
            before, database = sum(worker.cpu() for worker in workers), stand.database_cpu()
            started = time.perf_counter()
            await asyncio.sleep(10)
            seconds = time.perf_counter() - started
            own = (sum(worker.cpu() for worker in workers) - before) / seconds / count
            async with pool.acquire() as connection:
                held = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                )
            tell(f"{count} at rest: CPU of each worker", own * 100, "% of a core")
            tell(
                f"{count} at rest: CPU of PostgreSQL", (stand.database_cpu() - database) / seconds * 100, "% of a core"
            )
            tell(f"{count} at rest: connections of each worker", (held - 1) / count, "")
            tell(f"{count} at rest: memory of each worker", sum(w.memory() for w in workers) / count, "MB")


async def takeover(stand: Stand, pool: Pool, _runs: int) -> None:
    """See the module."""
    for name, number in (("SIGKILL", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)):
        async with pool.acquire() as connection:
            victim = stand.worker()
            workspace = await workspace_of(connection, "bench")
            (run_id,) = await enqueue(connection, workspace, "long.v1")
            await _ended(connection, run_id, state="running")
            await asyncio.sleep(0.5)
            survivor = stand.worker()
            claim = await connection.fetchval("SELECT claim FROM runs WHERE id = $1", run_id)
            victim.send(number)
            started = time.perf_counter()
            while await connection.fetchval("SELECT claim FROM runs WHERE id = $1", run_id) == claim:
                await asyncio.sleep(0.02)
            tell(f"{name} until another worker has the run", time.perf_counter() - started, "s")
            victim.kill()
            survivor.kill()
            await connection.execute("DELETE FROM runs")
            await connection.execute("DELETE FROM dbos.workflow_status")


async def drain(stand: Stand, pool: Pool, _runs: int) -> None:
    """See the module."""
    async with pool.acquire() as connection:
        worker = stand.worker()
        workspace = await workspace_of(connection, "bench")
        (run_id,) = await enqueue(connection, workspace, "slow.v1")
        await _ended(connection, run_id, state="running")
        await asyncio.sleep(0.5)
        tell("SIGTERM until the worker is gone, a step of 3 s under way", worker.stop(), "s")
        state = await connection.fetchval("SELECT state FROM runs WHERE id = $1", run_id)
        tell("its run is then", state)


PARTS: dict[str, Callable[[Stand, Pool, int], Awaitable[None]]] = {
    "steps": steps,
    "latency": latency,
    "rest": rest,
    "takeover": takeover,
    "drain": drain,
}


async def measure(stand: Stand, parts: list[str], runs: int) -> None:
    """Measure some parts."""
    pool = await open_pool(stand.dsn, size=1)
    for part in parts:
        print(f"{part} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)
        await PARTS[part](stand, pool, runs)
    await pool.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    with Stand({"bench": ("", WORKFLOWS)}) as stand:
        asyncio.run(measure(stand, arguments.parts, arguments.runs))


if __name__ == "__main__":
    main()
