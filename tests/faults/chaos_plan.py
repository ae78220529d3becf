"""What may go wrong under ``make chaos``: each fault breaks something for a while, and mends what it broke."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil

from tests.faults.fleet import end_postgres

if TYPE_CHECKING:
    from tests.faults.chaos import Stage

Fault = Callable[["Stage", random.Random], Awaitable[str]]
VENDORS = ("gohighlevel", "slack", "postmark")
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < $1
"""
AT_VENDORS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": 2},
    {"kind": "timeout_before", "hold_ms": 500},
    {"kind": "timeout_after", "hold_ms": 500},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "reshaped"},
    {"kind": "drip", "hold_ms": 1500},
    {"kind": "latency", "latency_ms": 800},
)


async def kill_worker(stage: Stage, rng: random.Random) -> str:
    """SIGKILL; another starts."""
    worker = rng.choice(stage.workers)
    worker.process.send(signal.SIGKILL)
    return f"worker {worker.process.pid} killed"


async def deploy(stage: Stage, rng: random.Random) -> str:
    """SIGTERM to one worker, as a deploy sends it; another starts."""
    worker = rng.choice(stage.workers)
    worker.process.send(signal.SIGTERM)
    return f"worker {worker.process.pid} told to leave"


async def pause_worker(stage: Stage, rng: random.Random) -> str:
    """SIGSTOP, for longer than it takes to be counted as dead or not; then SIGCONT."""
    process, seconds = rng.choice(stage.workers).process, rng.choice((0.5, 3.0, stage.dead_after * 2))
    process.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    if process.code is None:
        process.send(signal.SIGCONT)
    return f"worker {process.pid} paused for {seconds:g} s"


async def kill_web(stage: Stage, _rng: random.Random) -> str:
    """SIGKILL; another starts."""
    stage.web.process.send(signal.SIGKILL)
    return f"web {stage.web.process.pid} killed"


async def pause_web(stage: Stage, rng: random.Random) -> str:
    """SIGSTOP, then SIGCONT."""
    process, seconds = stage.web.process, rng.uniform(0.2, 3)
    process.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    if process.code is None:
        process.send(signal.SIGCONT)
    return f"web {process.pid} paused for {seconds:.1f} s"


async def restart_postgres(stage: Stage, rng: random.Random) -> str:
    """Kill the server, or stop it at once; start it again after a while."""
    number, seconds = rng.choice((signal.SIGKILL, signal.SIGQUIT)), rng.uniform(0, 4)
    await end_postgres(stage.folder, number)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(stage.server.start)
    return f"PostgreSQL ended by {number.name}, away for {seconds:.1f} s"


async def restart_postgres_in_a_loop(stage: Stage, rng: random.Random) -> str:
    """Restart it several times, with hardly a second between."""
    times = rng.randint(2, 5)
    for _ in range(times):
        await end_postgres(stage.folder, signal.SIGQUIT)
        await asyncio.to_thread(stage.server.start)
        await asyncio.sleep(rng.uniform(0, 1.5))
    return f"PostgreSQL restarted {times} times"


async def hang_postgres(stage: Stage, rng: random.Random) -> str:
    """Stop all its processes, so that it is there and does not answer."""
    seconds = rng.uniform(0.5, stage.dead_after * 1.5)
    postmaster = psutil.Process(stage.postmaster())
    stopped = [postmaster, *postmaster.children()]
    for process in stopped:
        _send(process, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    for process in stopped:
        _send(process, signal.SIGCONT)
    return f"PostgreSQL hung for {seconds:.1f} s"


async def cut_connections(stage: Stage, rng: random.Random) -> str:
    """End some sessions at the server."""
    count = await stage.ask(CUT, rng.choice((0.3, 1.0)))
    return f"{count} database sessions ended"


async def read_only(stage: Stage, rng: random.Random) -> str:
    """Let the database take no write, as a standby does that was promoted too late."""
    seconds = rng.uniform(1, 4)
    await stage.forbid_writes()
    await cut_connections(stage, rng)
    await asyncio.sleep(seconds)
    await stage.allow_writes()
    await stage.ask(CUT, 1.0)
    return f"the database was read-only for {seconds:.1f} s"


async def exhaust_connections(stage: Stage, rng: random.Random) -> str:
    """Take every connection that the server has, and cut the others, so that nobody gets in."""
    seconds = rng.uniform(1, 4)
    taken: list[asyncpg.Connection] = []
    try:
        await cut_connections(stage, rng)
        while len(taken) < 400:
            try:
                taken.append(await asyncpg.connect(stage.dsn, timeout=5))
            except (asyncpg.PostgresError, OSError, TimeoutError):
                break
        await asyncio.sleep(seconds)
    finally:
        for connection in taken:
            connection.terminate()
    return f"all connections taken ({len(taken)}) for {seconds:.1f} s"


async def hold_locks(stage: Stage, rng: random.Random) -> str:
    """Keep a transaction open that holds rows everybody wants, and holds up the vacuum."""
    seconds = rng.uniform(1, 5)
    connection = await asyncpg.connect(stage.dsn)
    try:
        async with connection.transaction():
            rows = await connection.fetch(
                "SELECT id FROM runs WHERE state IN ('queued', 'running', 'waiting') LIMIT 20 FOR UPDATE SKIP LOCKED"
            )
            await connection.fetch("SELECT FROM crosswalk ORDER BY updated_at DESC LIMIT 20 FOR UPDATE SKIP LOCKED")
            await asyncio.sleep(seconds)
    finally:
        connection.terminate()
    return f"a transaction held {len(rows)} runs for {seconds:.1f} s"


async def trouble_a_vendor(stage: Stage, rng: random.Random) -> str:
    """Let one vendor do one thing wrong, always or now and then."""
    vendor, fault = rng.choice(VENDORS), rng.choice(AT_VENDORS)
    probability, seconds = rng.choice((0.3, 1.0)), rng.uniform(0.5, 6)
    number = await asyncio.to_thread(
        stage.sandbox.set_fault, vendor, probability=probability, seed=rng.randrange(1000), **fault
    )
    await asyncio.sleep(seconds)
    hits = await asyncio.to_thread(stage.sandbox.hits, number)
    await asyncio.to_thread(stage.sandbox.clear, None, number)
    return f"{vendor}: {fault}, at {probability:.0%}, for {seconds:.1f} s; {hits} calls met it"


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


FAULTS: dict[Fault, int] = {
    kill_worker: 5,
    deploy: 2,
    pause_worker: 3,
    kill_web: 3,
    pause_web: 1,
    restart_postgres: 2,
    restart_postgres_in_a_loop: 1,
    hang_postgres: 1,
    cut_connections: 2,
    read_only: 1,
    exhaust_connections: 1,
    hold_locks: 1,
    trouble_a_vendor: 8,
}
"""Each fault and how often it comes, by weight."""
