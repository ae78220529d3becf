"""What the benches of the engine stand on: a PostgreSQL, workspaces, and worker processes as they run at home."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psutil

from mainstay.cli.session import migrate_all
from mainstay.db import Connection
from mainstay.db.embedded import EmbeddedServer
from mainstay.model import Lane, new_id
from mainstay.runs import NewRun, add_runs

STACK = """\
[workspace]
name     = "{slug}"
slug     = "{slug}"
timezone = "UTC"
region   = "US"
{more}
"""


class Stand:
    """A folder with stacks, one for each workspace, on a PostgreSQL of its own."""

    def __init__(self, stacks: dict[str, tuple[str, str]]) -> None:
        """``stacks`` has for each slug the rest of its stack.toml, and its workflows."""
        self._stacks = stacks
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="mainstay-bench-")
        self.folder = Path(self._folder.name)
        for slug, (more, workflows) in self._stacks.items():
            (self.folder / slug / "workflows").mkdir(parents=True)
            (self.folder / slug / "stack.toml").write_text(STACK.format(slug=slug, more=more))
            (self.folder / slug / "workflows" / "bench.py").write_text(workflows)
        self._server = EmbeddedServer(self.folder / "data")
        self.dsn = self._server.start()
        migrate_all(self.dsn)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()
        self._server.stop()
        self._folder.cleanup()

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of Mainstay on this stand."""
        stacks = [text for slug in self._stacks for text in ("--stack", str(self.folder / slug / "stack.toml"))]
        return subprocess.Popen(
            [sys.executable, "-m", "mainstay", *arguments, *stacks],
            env={**os.environ, "DATABASE_URL": self.dsn, "SLACK_TOKEN": "xoxb-bench-token-1234"},
            stdout=subprocess.PIPE,
            stderr=(self.folder / "log").open("a"),
            text=True,
        )

    def worker(self, *options: str) -> Worker:
        """Start a worker, and return once it takes runs."""
        worker = Worker(self.command("worker", *options))
        self._workers.append(worker)
        return worker

    @contextmanager
    def working(self, count: int = 1) -> Iterator[list[Worker]]:
        """Have some workers for a while."""
        workers = [self.worker() for _ in range(count)]
        try:
            yield workers
        finally:
            for worker in workers:
                worker.stop()

    def database_cpu(self) -> float:
        """Return the CPU seconds so far of this stand's PostgreSQL, all its processes."""
        total = 0.0
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error):
                if process.info["name"] == "postgres" and process.cwd().startswith(str(self.folder)):
                    times = process.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
        return total


class Worker:
    """A worker process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        started = time.perf_counter()
        self.pid = process.pid
        self._process = process
        if not any("is ready" in line for line in process.stdout or ()):
            raise RuntimeError("a worker did not start")
        self.start_seconds = time.perf_counter() - started

    def cpu(self) -> float:
        """Return its CPU seconds so far."""
        return sum(psutil.Process(self.pid).cpu_times()[:2])

    def memory(self) -> float:
        """Return its memory in MB, what it shares counted in proportion."""
        return float(psutil.Process(self.pid).memory_full_info().pss / 1e6)

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> float:
        """Let it leave by itself; returns the seconds that took."""
        started = time.perf_counter()
        self._process.terminate()
        self._process.wait()
        return time.perf_counter() - started


async def workspace_of(connection: Connection, slug: str) -> UUID:
    """Return a workspace's id; it is there once a process has started with its stack."""
    found: UUID = await connection.fetchval("SELECT id FROM workspaces WHERE slug = $1", slug)
    return found


async def enqueue(
    connection: Connection, workspace: UUID, workflow: str, count: int = 1, *, lane: Lane = Lane.LEAD, together: int = 1
) -> Sequence[UUID]:
    """Put runs on the queue, ``together`` of them in each queue entry, in one transaction."""
    entries = [str(new_id()) for _ in range(-(-count // together))]
    data: Any = {"subject": 1}
    runs = [
        NewRun(new_id(), workspace, workflow, data, entries[place // together], lane=lane) for place in range(count)
    ]
    async with connection.transaction():
        await add_runs(connection, runs)
        await connection.execute(
            "SELECT enqueue_execution(e, NULL, $2) FROM unnest($1::text[]) AS t (e)", entries, lane
        )
    return [run.id for run in runs]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def tell(name: str, value: Any, unit: str = "") -> None:
    """Print a figure."""
    shown = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    print(f"  {name:<58} {shown} {unit}", flush=True)
