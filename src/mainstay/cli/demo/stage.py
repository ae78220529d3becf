"""The demo's processes: simulated vendors, server and workers; and the play on them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mainstay.cli.demo.leads import make_leads
from mainstay.cli.demo.project import DemoProject, write_project
from mainstay.cli.demo.sending import send_leads, sign
from mainstay.cli.demo.verdict import Verdict, count_open_runs, judge
from mainstay.cli.session import database, load_project
from mainstay.db import Pool, acquire, open_pool
from mainstay.sandbox.process import SandboxProcess

OUTAGE_SECONDS = 4.0
_START_SECONDS = 60.0
_END_SECONDS = 120.0
_VENDORS = ("gohighlevel", "slack", "meta")


class Stage:
    """Everything that runs during the demo; leaving the block stops it all."""

    def __init__(self, folder: Path, console: Console, *, port: int) -> None:
        self._folder = folder
        self._console = console
        self._port = port
        self._vendors = SandboxProcess()
        self._server: subprocess.Popen[str] | None = None
        self._project: DemoProject | None = None
        self._url = self._sign_in = ""
        self._killed = 0

    def __enter__(self) -> Self:
        self._say("Starting PostgreSQL, the server, two workers and the simulated vendors")
        self._vendors.start()
        self._project = write_project(self._folder, {vendor: self._vendors.url(vendor) for vendor in _VENDORS})
        self._database = database(load_project((self._folder / "stack.toml",)))
        self._dsn = self._database.__enter__()
        self._start_server()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(30)
            except subprocess.TimeoutExpired:
                self._server.kill()
        self._database.__exit__(kind, error, trace)
        self._vendors.stop()

    def _start_server(self) -> None:
        log = (self._folder / "server.log").open("w")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "mainstay", "up", "--port", str(self._port), "--workers", "2"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._server.stdout is not None
        for line in self._server.stdout:
            if line.startswith("Mainstay runs at "):
                self._url = line.split()[-1]
            if line.startswith("Sign in"):
                self._sign_in = line.split()[-1]
                return
        message = f"the server did not start; see {log.name}"
        raise RuntimeError(message)

    async def play(self, count: int, per_second: float) -> Verdict:
        """Send the leads, break things, wait until all is quiet, and judge."""
        assert self._project is not None
        leads = make_leads(count, max(1, count * 2 // 3))
        self._vendors.sandbox.seed("meta", "leads", [
            request.seed for lead in leads if (request := sign(lead, self._project.secrets)).seed is not None
        ])
        pool = await open_pool(self._dsn, size=2)
        try:
            await self._wait_for_workers(pool)
            with Progress(
                TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                console=self._console, transient=False,
            ) as progress:
                sending = progress.add_task("leads acknowledged", total=count)
                working = progress.add_task("leads done", total=count)
                started = time.perf_counter()
                trouble = asyncio.create_task(self._make_trouble(pool, count / per_second))
                tally = await send_leads(
                    self._url, leads, self._project.secrets, per_second=per_second,
                    on_sent=lambda done: progress.update(sending, completed=done),
                )
                await self._wait_until_quiet(pool, progress, working, count, trouble)
                seconds = time.perf_counter() - started
            crm = self._vendors.sandbox.state("gohighlevel")["contacts"]
            messages = [str(message.get("text", "")) for message in self._vendors.sandbox.messages("slack")]
            return await judge(
                pool, leads, tally, list(crm.values()) if isinstance(crm, dict) else crm, messages,
                seconds=seconds, outage_seconds=OUTAGE_SECONDS, workers_killed=self._killed,
            )
        finally:
            await pool.close()

    async def _wait_for_workers(self, pool: Pool) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            async with acquire(pool) as connection:
                if await connection.fetchval("SELECT count(*) FROM workers") >= 2:  # noqa: PLR2004
                    return
            await asyncio.sleep(0.05)
        message = f"the workers did not start; see {self._folder / 'server.log'}"
        raise RuntimeError(message)

    async def _make_trouble(self, pool: Pool, seconds: float) -> None:
        """A third of the way the CRM goes away for some seconds; while it is away, a worker is killed."""
        await asyncio.sleep(seconds / 3)
        self._vendors.sandbox.set_fault("gohighlevel", "status", status=503)
        self._say(f"[yellow]The CRM is down[/] for {OUTAGE_SECONDS:g} s: every call answers 503")
        await asyncio.sleep(OUTAGE_SECONDS / 2)
        async with acquire(pool) as connection:
            pid = await connection.fetchval("SELECT pid FROM workers ORDER BY started_at LIMIT 1")
        os.kill(pid, signal.SIGKILL)
        self._killed += 1
        self._say(f"[yellow]Worker {pid} is killed[/] with SIGKILL; another takes over what it held")
        await asyncio.sleep(OUTAGE_SECONDS / 2)
        self._vendors.sandbox.clear("gohighlevel")
        self._say("[green]The CRM is back[/]")

    async def _wait_until_quiet(
        self, pool: Pool, progress: Progress, task: TaskID, count: int, trouble: asyncio.Task[None]
    ) -> None:
        deadline = time.monotonic() + _END_SECONDS
        while time.monotonic() < deadline:
            left = await count_open_runs(pool)
            progress.update(task, completed=max(0, count - left))
            if left == 0 and trouble.done():
                await trouble
                return
            await asyncio.sleep(0.1)

    def stay(self) -> None:
        """Keep the dashboard up until Ctrl-C."""
        self._console.print(f"Dashboard: [bold]{self._url}[/]   sign in, once: [link]{self._sign_in}[/]", soft_wrap=True)
        self._console.print("Ctrl-C ends the demo.", style="dim")
        assert self._server is not None
        try:
            self._server.wait()
        except KeyboardInterrupt:
            self._console.print("Stopping", style="dim")

    def _say(self, text: str) -> None:
        self._console.print(f"  {text}")
