"""The demo's processes: simulated vendors, server and workers; and the play on them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mainstay.cli.demo.leads import make_leads
from mainstay.cli.demo.project import write_project
from mainstay.cli.demo.sending import send_leads, sign
from mainstay.cli.demo.verdict import Verdict, count_open_runs, judge
from mainstay.cli.errors import CommandError
from mainstay.cli.reading import database
from mainstay.cli.session import load_project
from mainstay.db import Pool, acquire, open_pool
from mainstay.sandbox.process import SandboxProcess

OUTAGE_SECONDS = 4.0
_START_SECONDS = 60.0
_END_SECONDS = 120.0
_STOP_SECONDS = 30.0
_VENDORS = ("gohighlevel", "slack", "meta")


class Stage:
    """Everything that runs during the demo; leaving the block stops it all."""

    def __init__(self, folder: Path, console: Console, *, port: int) -> None:
        self._folder = folder
        self._console = console
        self._port = port
        self._vendors = SandboxProcess()
        self._url = self._sign_in = ""
        self._killed = 0

    def __enter__(self) -> Self:
        self._say("Starting PostgreSQL, the server, two workers and the simulated vendors")
        with ExitStack() as opened:
            opened.enter_context(self._vendors)
            vendors = {vendor: self._vendors.url(vendor) for vendor in _VENDORS}
            self._secrets = write_project(self._folder, vendors).secrets
            self._dsn = opened.enter_context(database(load_project((self._folder / "stack.toml",)).program))
            self._server = opened.enter_context(self._run_server())
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @contextmanager
    def _run_server(self) -> Iterator[subprocess.Popen[str]]:
        log = self._folder / "server.log"
        with log.open("w", encoding="utf-8") as errors:
            server = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mainstay",
                    "up",
                    "--port",
                    str(self._port),
                    "--workers",
                    "2",
                    "--until-stdin-closes",
                ],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            for line in server.stdout or ():
                if line.startswith("Mainstay runs at "):
                    self._url = line.split()[-1]
                if line.startswith("Sign in"):
                    self._sign_in = line.split()[-1]
                    break
            else:
                raise CommandError(f"the server did not start; {log} says why")
            yield server
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    async def play(self, count: int, per_second: float) -> Verdict:
        """Send the leads, break things, wait until all is quiet, and judge."""
        leads = make_leads(count, max(1, count * 2 // 3))
        self._vendors.sandbox.seed(
            "meta",
            "leads",
            [request.seed for lead in leads if (request := sign(lead, self._secrets)).seed is not None],
        )
        pool = await open_pool(self._dsn, size=2)
        try:
            await self._wait_for_workers(pool)
            with Progress(
                TextColumn("{task.description:<34}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=False,
            ) as progress:
                sending = progress.add_task("leads acknowledged", total=count)
                working = progress.add_task("leads done", total=count)
                started = time.perf_counter()
                trouble = asyncio.create_task(self._make_trouble(pool, count / per_second))
                tally = await send_leads(
                    self._url,
                    leads,
                    self._secrets,
                    per_second=per_second,
                    on_sent=lambda done: progress.update(sending, completed=done),
                )
                await self._wait_until_quiet(pool, progress, working, count, trouble)
                seconds = time.perf_counter() - started
            crm = self._vendors.sandbox.state("gohighlevel")["contacts"]
            messages = [str(message.get("text", "")) for message in self._vendors.sandbox.messages("slack")]
            return await judge(
                pool,
                leads,
                tally,
                list(crm.values()) if isinstance(crm, dict) else crm,
                messages,
                seconds=seconds,
                outage_seconds=OUTAGE_SECONDS,
                workers_killed=self._killed,
            )
        finally:
            await pool.close()

    async def _wait_for_workers(self, pool: Pool) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            async with acquire(pool) as connection:
                if await connection.fetchval("SELECT count(*) FROM workers") >= 2:
                    return
            await asyncio.sleep(0.05)
        raise CommandError(f"the workers did not start; {self._folder / 'server.log'} says why")

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
        self._console.print(
            f"Dashboard: [bold]{self._url}[/]   sign in, once: [link]{self._sign_in}[/]", soft_wrap=True
        )
        self._console.print("Ctrl-C ends the demo.", style="dim")
        try:
            self._server.wait()
        except KeyboardInterrupt:
            self._console.print("Stopping", style="dim")

    def _say(self, text: str) -> None:
        self._console.print(f"  {text}")
