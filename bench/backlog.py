"""A long queue and many waiting runs, with one worker and a PostgreSQL of its own.

    python bench/backlog.py [queued] [waiting] [--many 1000000] [--waiting 100000]

queued   how fast one worker takes runs from a queue of 1,000 and of --many, and what its heartbeat's queries cost then
waiting  --waiting runs that sleep, wait for events and wait for retries: memory, start, CPU and a fresh run's latency

Runs are written as the product leaves them: each its own queue entry, the sleeping ones delayed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time

from stand import Stand, Worker, enqueue, percentile, tell, workspace_of

from mainstay.db import Connection, Pool, open_pool

WORKFLOWS = """\
from mainstay import Context, workflow

async def light() -> int:
    return 1

@workflow("one.v1")
async def one(ctx: Context, subject: int) -> None:
    await ctx.step("first", light)
"""
# A third each: asleep for days, waiting for an event, waiting for its next try.
_SEED = """
INSERT INTO contacts (id, workspace_id, email, created_at, updated_at)
SELECT md5('c' || n)::uuid, $1, 'p' || n || '@example.com', now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, contact_id, created_at, started_at, wake_at,
                  waiting_for, key)
SELECT md5('w' || n)::uuid, $1, 'wait.v1', 'waiting', '{"subject": 1}',
       '01910000-' || left(md5('w' || n), 4) || '-7000-8000-' || lpad(n::text, 12, '0'), md5('c' || n)::uuid,
       now() - interval '1 hour', now() - interval '1 hour',
       CASE WHEN n % 3 <> 1 THEN now() + interval '1 day' END, 'a reply', md5('c' || n)::uuid::text
FROM generate_series(1, $2::integer) AS n;
INSERT INTO attempts (workspace_id, run_id, step, number, name, state, started_at)
SELECT $1, md5('w' || n)::uuid, 1, 1, 'wait', 'waiting', now() - interval '1 hour'
FROM generate_series(1, $2::integer) AS n;
INSERT INTO waits (workspace_id, run_id, step, event_type, contact_id)
SELECT $1, md5('w' || n)::uuid, 1, 'message.received', md5('c' || n)::uuid
FROM generate_series(1, $2::integer) AS n WHERE n % 3 = 1;
INSERT INTO dbos.workflow_status (workflow_uuid, status, name, queue_name, application_version, inputs, created_at,
                                  updated_at, priority, recovery_attempts, delay_until_epoch_ms)
SELECT execution_id, 'DELAYED', 'mainstay.execution.v1', 'executions', '1', '[]', 0, 0, 0, 0,
       (extract(epoch FROM wake_at) * 1000)::bigint FROM runs WHERE state = 'waiting' AND wake_at IS NOT NULL
       AND workspace_id = $1 AND $2::integer > 0
"""
_QUEUED = """
WITH runs AS (
    INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
    SELECT uuid, $1, 'one.v1', 'queued', '{"subject": 1}', uuid::text, now()
    FROM (SELECT uuidv7() AS uuid FROM generate_series(1, $2::integer)) AS t RETURNING execution_id
)
SELECT count(enqueue_execution(execution_id, NULL)) FROM runs
"""
_WINDOW = 900


async def _ended(connection: Connection) -> int:
    """Count the runs that have ended, by the tallies: counting a million rows would disturb what is measured."""
    found: int = await connection.fetchval(
        "SELECT coalesce(sum(count), 0)::bigint FROM tallies WHERE name = 'run one.v1'"
    )
    return found


async def _rate(stand: Stand, connection: Connection, worker: Worker) -> tuple[float, float, float]:
    """Return how many runs end in a second, and the ms of CPU of the worker and of PostgreSQL for each."""
    first = await _ended(connection)
    while (begun := await _ended(connection)) <= first:
        await asyncio.sleep(0.02)
    before, database, started = worker.cpu(), stand.database_cpu(), time.perf_counter()
    while (now := await _ended(connection)) < first + _WINDOW:
        await asyncio.sleep(0.02)
    runs = now - begun
    seconds = time.perf_counter() - started
    return runs / seconds, (worker.cpu() - before) / runs * 1000, (stand.database_cpu() - database) / runs * 1000


async def _write(connection: Connection, workspace: object, count: int) -> None:
    for first in range(0, count, 100_000):
        await connection.fetch(_QUEUED, workspace, min(100_000, count - first), timeout=600)


async def queued(stand: Stand, pool: Pool, many: int, _waiting: int) -> None:
    """See the module."""
    async with pool.acquire() as connection:
        worker = stand.worker()
        workspace = await workspace_of(connection, "bench")
        rounds = []
        for _ in range(4):
            await _write(connection, workspace, 1_000)
            rounds.append(await _rate(stand, connection, worker))
            await asyncio.sleep(2)
        _tell_rate("of 1,000 queued", rounds[1:])
        worker.stop()
        started = time.perf_counter()
        await _write(connection, workspace, many)
        tell(f"{many:,} written", time.perf_counter() - started, "s")
        await connection.execute("VACUUM ANALYZE runs")
        await connection.execute("VACUUM ANALYZE dbos.workflow_status")
        worker = stand.worker()
        rounds = [await _rate(stand, connection, worker) for _ in range(4)]
        _tell_rate(f"of {many:,} queued", rounds[1:])
        tell("memory of the worker", worker.memory(), "MB")
        worker.stop()
        await connection.execute("TRUNCATE runs, attempts, waits, dbos.workflow_status CASCADE")


def _tell_rate(title: str, rounds: list[tuple[float, float, float]]) -> None:
    rate, own, database = (sorted(values)[len(values) // 2] for values in zip(*rounds, strict=True))
    tell(f"{title}: taken and ended", rate, "a second")
    tell(f"{title}: CPU of the worker, of PostgreSQL", f"{own:.2f}, {database:.2f}", "ms a run")


async def _latency(connection: Connection, count: int) -> list[float]:
    workspace = await workspace_of(connection, "bench")
    ids = []
    for _ in range(count):
        ids += await enqueue(connection, workspace, "one.v1")
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    rows = await connection.fetch(
        """
        SELECT extract(epoch FROM attempts.started_at - runs.created_at)::float8 * 1000 AS ms
        FROM runs JOIN attempts ON attempts.run_id = runs.id AND step = 1 WHERE runs.id = ANY($1)
        """,
        ids,
    )
    return [row["ms"] for row in rows]


async def _tell_worker(stand: Stand, connection: Connection, worker: Worker, title: str) -> None:
    await asyncio.sleep(4)
    before, database, started = worker.cpu(), stand.database_cpu(), time.perf_counter()
    await asyncio.sleep(10)
    seconds = time.perf_counter() - started
    tell(f"{title}: start", worker.start_seconds, "s")
    tell(f"{title}: memory", worker.memory(), "MB")
    tell(f"{title}: CPU of the worker at rest", (worker.cpu() - before) / seconds * 100, "% of a core")
    tell(f"{title}: CPU of PostgreSQL", (stand.database_cpu() - database) / seconds * 100, "% of a core")
    times = await _latency(connection, 50)
    tell(f"{title}: a fresh run's first step, p50", percentile(times, 0.5), "ms")
    tell(f"{title}: a fresh run's first step, p99", percentile(times, 0.99), "ms")


async def waiting(stand: Stand, pool: Pool, _many: int, count: int) -> None:
    """See the module."""
    async with pool.acquire() as connection:
        worker = stand.worker()
        await _tell_worker(stand, connection, worker, "none waiting")
        worker.stop()
        workspace = await workspace_of(connection, "bench")
        async with connection.transaction():
            await connection.execute("SET LOCAL mainstay.writer = 'identity'")
            for statement in filter(str.strip, _SEED.split(";\n")):
                await connection.execute(statement, workspace, count, timeout=600)
        await connection.execute("VACUUM ANALYZE")
        worker = stand.worker()
        await _tell_worker(stand, connection, worker, f"{count:,} waiting")
        heir = stand.worker()
        worker.kill()
        started = time.perf_counter()
        while await connection.fetchval("SELECT count(*) FROM workers") > 1:
            await asyncio.sleep(0.02)
        tell(f"{count:,} waiting: SIGKILL until taken over", time.perf_counter() - started, "s")
        heir.stop()


async def measure(stand: Stand, parts: list[str], many: int, count: int) -> None:
    """Measure some parts."""
    pool = await open_pool(stand.dsn, size=1)
    for name, part in (("queued", queued), ("waiting", waiting)):
        if name in parts:
            print(f"{name} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)
            await part(stand, pool, many, count)
    await pool.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["queued", "waiting"])
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=100_000)
    arguments = parser.parse_args()
    with Stand({"bench": ("", WORKFLOWS)}) as stand:
        asyncio.run(measure(stand, arguments.parts, arguments.many, arguments.waiting))


if __name__ == "__main__":
    main()
