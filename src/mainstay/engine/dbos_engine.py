"""DBOS: queue, delays, recovery. The only file that imports it.

One DBOS workflow drives one execution, a handful of runs; it has no DBOS steps, because the ledger is the checkpoint.
A run that must wait leaves its execution, so that it holds no slot and no memory.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import psutil
from dbos import DBOS, DBOSConfig, WorkflowStatus

from mainstay.db import acquire
from mainstay.db import pool as db_pool
from mainstay.db.migrate import sqlalchemy_url
from mainstay.engine.orphans import Orphans
from mainstay.errors import DatabaseUnavailableError
from mainstay.model import new_id
from mainstay.runs import SUSPECTS, count_deaths, recheck_children, recheck_waits

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine.driver import Driver

log = logging.getLogger(__name__)

QUEUE = "executions"
BACKFILL = "backfill"
_QUEUES = (QUEUE, BACKFILL, SUSPECTS)
EXECUTION = "mainstay.execution.v1"
APP_VERSION = "1"
POLL_SECONDS = 0.05
_BACKFILL_POLL_SECONDS = 0.2
_MOST_POLLS = 10.0
HEARTBEAT_SECONDS = 2.0
DEAD_AFTER_SECONDS = 12.0
_TAKE_OVER_LOCK = 0x74616B65


def _config(dsn: str, executor_id: str, *, migrate: bool, pool_size: int = 4) -> DBOSConfig:
    return {
        "name": "mainstay",
        "system_database_url": sqlalchemy_url(dsn),
        "dbos_system_schema": "dbos",
        "application_version": APP_VERSION,
        "executor_id": executor_id,
        "run_migrations": migrate,
        "log_level": "WARNING",
        "sys_db_pool_size": pool_size,
        # A ping before each use would double the round trips; DBOS retries on a connection that has died.
        "db_engine_kwargs": {"pool_pre_ping": False},
        # What a paused process was just taking from the queue is locked, and skipped by the others, for as long.
        "sys_db_idle_transaction_timeout_sec": db_pool.IDLE_IN_TRANSACTION_SECONDS,
        "max_executor_threads": 4,
        "use_listen_notify": False,
    }


def migrate_engine(dsn: str) -> None:
    """Bring DBOS's own tables (schema ``dbos``) to its version."""
    _quiet()
    DBOS(config=_config(dsn, "migration", migrate=True))
    try:
        DBOS.launch()
        _register_queues()
    finally:
        DBOS.destroy(destroy_registry=True)


def _register_queues(workers: int = 1) -> None:
    """Say how the queues are served by so many workers.

    One looks every 50 ms; of many each looks more seldom, as one of them looks often enough: so a fresh lead waits no
    longer, and PostgreSQL is not asked 20 times a second by each.
    """
    pause = POLL_SECONDS * min(max(1.0, workers / 2), _MOST_POLLS)
    DBOS.register_queue(QUEUE, worker_concurrency=32, polling_interval_sec=pause)
    # Slots of its own, and few: what may take its time must not stand in the way of a fresh lead.
    DBOS.register_queue(BACKFILL, worker_concurrency=4, polling_interval_sec=max(_BACKFILL_POLL_SECONDS, pause))
    # One at a time of all workers' together: what kills its worker must not take another suspect with it.
    DBOS.register_queue(SUSPECTS, global_concurrency=1, polling_interval_sec=max(_BACKFILL_POLL_SECONDS, pause))


def _quiet() -> None:
    logging.getLogger("dbos").setLevel(logging.WARNING)


class Worker:
    """One worker process: drives executions, shows that it lives, takes over the runs of those that don't."""

    def __init__(
        self,
        dsn: str,
        pool: Pool,
        driver: Driver,
        *,
        on_beat: Callable[[], Awaitable[None]] | None = None,
        pool_size: int = 4,
    ) -> None:
        """``pool_size`` is how many connections the queue may hold, besides those of ``pool``."""
        self._dsn = dsn
        self._pool_size = pool_size
        self._on_beat = on_beat
        self._pool = pool
        self._driver = driver
        self._orphans = Orphans(pool)
        self._tasks: list[asyncio.Task[None]] = []
        self._cut_off_at = -math.inf
        self._shown_alive_at = 0.0
        self._under_way: Counter[str] = Counter()
        self._missed: dict[str, float] = {}
        self._paced_for = 0
        self.id = str(new_id())

    async def start(self) -> None:
        """Register, and begin to take executions from the queue."""
        self._driver.in_doubt = self._is_in_doubt
        loop = asyncio.get_running_loop()
        _quiet()
        async with acquire(self._pool) as connection:
            await self._show_alive(connection)
        DBOS(config=_config(self._dsn, self.id, migrate=False, pool_size=self._pool_size))

        @DBOS.workflow(name=EXECUTION)
        async def execution(execution_id: str) -> None:
            # DBOS has an event loop of its own; the pool and the HTTP sessions belong to ours.
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._drive(execution_id), loop))

        await asyncio.to_thread(DBOS.launch)
        await self._pace()
        self._tasks = [asyncio.create_task(self._beat())]

    async def _pace(self) -> None:
        """Let the queues be looked at as often as the number of workers asks for."""
        async with acquire(self._pool) as connection:
            workers: int = await connection.fetchval("SELECT count(*) FROM workers")
        if workers != self._paced_for:
            await asyncio.to_thread(_register_queues, workers)
            self._paced_for = workers

    async def _drive(self, execution_id: str) -> None:
        self._under_way[execution_id] += 1
        try:
            await self._insist(execution_id)
        finally:
            self._under_way -= Counter([execution_id])

    async def _insist(self, execution_id: str) -> None:
        """Drive an execution; while the database is away, wait for it instead of failing."""
        pause = 0.2
        while True:
            try:
                return await self._driver.drive(execution_id)
            except* DatabaseUnavailableError:
                log.warning("PostgreSQL is away; execution %s goes on when it is back", execution_id)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not secrecy
            pause = min(pause * 2, 5.0)

    async def stop(self) -> None:
        """Take no more, finish what is under way, leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=20, destroy_registry=True)
        try:
            async with acquire(self._pool) as connection:
                await connection.execute("DELETE FROM workers WHERE id = $1", self.id)
        except DatabaseUnavailableError:
            log.warning("PostgreSQL is away; this worker's row will be removed by another")

    async def _show_alive(self, connection: Connection) -> None:
        """Be on the list of workers, also after the others took this one for dead: off it, nobody would miss it."""
        # By the wall clock, which goes on while a machine is suspended; that of before, as the answer may be late.
        now = time.time()
        await connection.execute(
            """
            INSERT INTO workers (id, host, pid, process_start, claimed_at)
            VALUES ($1, $2, $3, $4, now() - make_interval(secs => $5))
            ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), claimed_at = excluded.claimed_at
            """,
            self.id,
            socket.gethostname(),
            os.getpid(),
            psutil.Process().create_time(),
            time.monotonic() - claimed_at if (claimed_at := self._driver.claimed_at) is not None else None,
        )
        self._shown_alive_at = now

    def _is_in_doubt(self) -> bool:
        """Tell whether the others may have taken this worker for dead by now: it was paused, or cut off."""
        return time.time() - self._shown_alive_at > DEAD_AFTER_SECONDS / 2

    async def _beat(self) -> None:
        while True:
            try:
                await self._take_over(await self._beat_once())
                await self._pace()
                if self._on_beat is not None:
                    await self._on_beat()
            except DatabaseUnavailableError:
                self._cut_off_at = time.monotonic()
                log.warning("PostgreSQL is away; the heartbeat goes on when it is back")
            except Exception:
                # The watcher must outlive any one bad row: without it nobody's runs are ever taken over.
                log.exception("a heartbeat's round failed")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _beat_once(self) -> list[str]:
        """Show that we live; return the ids of workers that don't."""
        async with acquire(self._pool) as connection:
            await self._show_alive(connection)
            others = await connection.fetch(
                """
                SELECT id, host, pid, process_start,
                       greatest(heartbeat_at, pg_postmaster_start_time()) < now() - make_interval(secs => $2)
                           AS is_silent
                FROM workers WHERE id <> $1
                """,
                self.id,
                DEAD_AFTER_SECONDS,
            )
            unlisted = await connection.fetch(
                """
                SELECT DISTINCT executor_id AS id FROM dbos.workflow_status
                WHERE status = 'PENDING' AND name = $1 AND executor_id NOT IN (SELECT id FROM workers)
                  AND started_at_epoch_ms < (extract(epoch FROM now()) - $2) * 1000
                """,
                EXECUTION,
                DEAD_AFTER_SECONDS,
            )
        host = socket.gethostname()
        # Whoever was cut off from the database itself cannot tell who else was silent of their own accord.
        can_judge = time.monotonic() - self._cut_off_at > DEAD_AFTER_SECONDS
        return [
            row["id"]
            for row in others
            if (row["is_silent"] and can_judge)
            or (row["host"] == host and not _is_alive(row["pid"], row["process_start"]))
        ] + [row["id"] for row in unlisted]

    async def _take_over(self, dead: list[str]) -> None:
        if dead:
            async with acquire(self._pool) as connection, connection.transaction():
                # One at a time: between two survivors, the second would take runs back from whoever has them by then.
                if await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _TAKE_OVER_LOCK):
                    for worker_id in dead:
                        pending = await asyncio.to_thread(_pending, worker_id)
                        # Before anybody may take them: who does then waits for this transaction.
                        await count_deaths(connection, [entry.workflow_id for entry in pending])
                        await asyncio.to_thread(_resume, pending)
                        await connection.execute("DELETE FROM workers WHERE id = $1", worker_id)
                        log.warning("worker %s is dead; took over %d executions", worker_id[-8:], len(pending))
                    await recheck_waits(connection)
                    await recheck_children(connection)
        await self._resume_lost()
        await self._orphans.adopt()

    async def _resume_lost(self) -> None:
        """Enqueue again what the queue has given to this worker, and the answer was lost on the way."""
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT workflow_uuid AS id, queue_name FROM dbos.workflow_status
                WHERE status = 'PENDING' AND name = $1 AND executor_id = $2
                """,
                EXECUTION,
                self.id,
            )
        now = time.monotonic()
        # By how long this process has missed it: the entry's own time may be that of a worker which had it before.
        self._missed = {row["id"]: self._missed.get(row["id"], now) for row in rows if row["id"] not in self._under_way}
        for row in rows:
            if now - self._missed.get(row["id"], now) > DEAD_AFTER_SECONDS:
                del self._missed[row["id"]]
                log.warning("execution %s was given to this worker and never came; it is enqueued again", row["id"])
                queue = row["queue_name"] or QUEUE
                await asyncio.to_thread(DBOS.resume_workflows, [row["id"]], queue_name=queue)


def _pending(worker_id: str) -> list[WorkflowStatus]:
    return DBOS.list_workflows(status="PENDING", executor_id=worker_id, load_input=False, load_output=False)


def _resume(pending: list[WorkflowStatus]) -> None:
    for queue in _QUEUES:
        ids = [entry.workflow_id for entry in pending if (entry.queue_name or QUEUE) == queue]
        if ids:
            DBOS.resume_workflows(ids, queue_name=queue)


def _is_alive(pid: int, process_start: float) -> bool:
    try:
        process = psutil.Process(pid)
        # A zombie is dead: whoever started it has not looked yet.
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - process_start) < 1.0
    except psutil.NoSuchProcess:
        return False
