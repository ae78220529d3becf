"""Leads through the whole product, beside the limit: the same rows committed by a bare loop on the same PostgreSQL.

    python3 dev.py bench [--leads 3000] [--workers 1] [--json]

Everything that a lead touches runs as in production, in processes of its own: the server, its workers, PostgreSQL, and
the simulated CRM and chat, all on this machine beside the load. A lead is a JSON form post; it becomes a contact, a
record in the CRM, a message in the chat and a tag in the CRM. Nothing here is a test: no figure is asserted.

Rates and latencies mean something only where little else ran meanwhile (``machine_busy_with_others_percent``); CPU time
per lead does nearly always.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop
from bare import RUNS_PER_LEAD, leads_per_second, paced_commits

from mainstay.cli.reading import database
from mainstay.cli.session import load_project
from mainstay.db import Pool, acquire, open_pool
from mainstay.kit.http import open_session
from mainstay.sandbox.process import SandboxProcess

STACK = """\
[workspace]
name     = "Bench"
slug     = "bench"
timezone = "UTC"
region   = "US"
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}", base_url = "{slack}", rate = "100000 in 10s" }}
[connections.ghl]
connector = "gohighlevel"
token = "${{GHL_TOKEN}}"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "{ghl}"
rate = "100000 in 10s"
[records.contact]
system_of_record = "ghl"
[sources.website]
kind = "json"
"""
WORKFLOW = """\
from mainstay import Contact, Context, workflow

@workflow("speed_to_lead.v1", on="contact.created")
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.name}")
    await ctx.crm.add_tag(contact, "speed-to-lead")
"""
# One area code for each phase: nobody shares a number, as that would be another job.
_AREA = {"first": "312", "warm": "773", "paced": "630", "lead": "708"}
_DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times in ms where the name says so, memory in MB (proportional set size)."""

    machine: str
    workers: int
    cold_start_first_s: float
    cold_start_s: float
    ack_per_second: float
    paced_per_second: float
    paced_ack_p50_ms: float
    paced_ack_p99_ms: float
    paced_bare_p50_ms: float
    paced_bare_p99_ms: float
    paced_cpu_ms_per_lead_web: float
    paced_cpu_ms_per_lead_worker: float
    paced_cpu_ms_per_lead_database: float
    leads_per_second: float
    lead_p50_ms: float
    cpu_ms_per_lead_web: float
    cpu_ms_per_lead_worker: float
    cpu_ms_per_lead_database: float
    memory_web_mb: float
    memory_worker_mb: float
    lost: int
    duplicates: int
    bare_leads_per_second: dict[int, float]
    ratio_to_bare_at_32: float
    machine_busy_with_others_percent: float


class Product:
    """The server and its workers, as ``mainstay up`` runs them."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.workers = workers
        self.url = ""

    def start(self) -> float:
        """Start, and return the seconds until the first lead was acknowledged."""
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mainstay", "up", "--port", "0", "--workers", str(self.workers)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "server.log").open("a"),
            text=True,
        )
        for line in self.process.stdout or ():
            if line.startswith("Mainstay runs at "):
                self.url = line.split()[-1]
                break
        asyncio.run(self._first_lead())
        return time.perf_counter() - started

    async def _first_lead(self) -> None:
        async with open_session() as session:
            while True:
                try:
                    async with session.post(f"{self.url}/in/bench/website", json=_lead("first", 0)) as answer:
                        if answer.status in {200, 202}:
                            return
                except OSError:
                    await asyncio.sleep(0.005)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def processes(self) -> tuple[psutil.Process, list[psutil.Process]]:
        """Return the server and its workers."""
        web = psutil.Process(self.process.pid)
        workers = [child for child in web.children() if "worker" in child.cmdline()]
        if len(workers) != self.workers:
            raise RuntimeError(f"{len(workers)} workers run, not {self.workers}")
        return web, workers

    def memory(self) -> tuple[float, float]:
        """Return the MB of the server, and of all workers."""
        web, workers = self.processes()
        return web.memory_full_info().pss / 1e6, sum(worker.memory_full_info().pss for worker in workers) / 1e6


class Meter:
    """CPU time from now on: of the product's processes, of everything else of this benchmark, of the whole machine."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        web, workers = self._product.processes()
        machine = psutil.cpu_times()
        own = psutil.Process()
        vendors = [child for child in own.children() if child.pid != web.pid]
        return {
            "web": _cpu(web),
            "worker": sum(map(_cpu, workers)),
            "database": _database_cpu(self._product.folder),
            "bench": sum(map(_cpu, [own, *vendors])),
            "idle": machine.idle + machine.iowait,
            "machine": sum(machine[:8]),  # guest time is counted as user time already
        }

    def read(self) -> dict[str, float]:
        """Return the CPU seconds since the start by name; ``others`` is what is none of ours."""
        spent = {name: value - self._before[name] for name, value in self._read().items()}
        ours = sum(spent[name] for name in ("web", "worker", "database", "bench"))
        return {**spent, "others": max(0.0, spent["machine"] - spent["idle"] - ours)}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _database_cpu(folder: Path) -> float:
    """Return the CPU seconds so far of this folder's PostgreSQL, all its processes."""
    total = 0.0
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == "postgres" and process.cwd().startswith(str(folder)):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def _lead(run: str, number: int) -> dict[str, str]:
    return {
        "email": f"{run}{number}@example.com",
        "phone": f"({_AREA[run]}) 555-{number % 10_000:04d}",
        "first_name": f"{run.title()}{number}",
        "last_name": "Bench",
    }


async def _post(url: str, run: str, numbers: Sequence[int], *, per_second: float, at_once: int) -> list[float]:
    """Post leads, at a pace or (0) as fast as ``at_once`` connections go; returns the ms to each acknowledgement."""
    times: list[float] = []
    slots = asyncio.Semaphore(at_once)
    async with open_session(limit=at_once) as session:

        async def one(number: int, due: float) -> None:
            body = json.dumps(_lead(run, number)).encode()
            async with slots, session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
                await answer.read()
                if answer.status != 202:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")
            # From the moment it was due, so that a stall is not hidden by the load waiting with it.
            times.append((time.perf_counter() - due) * 1000)

        started = time.perf_counter()
        tasks = []
        for place, number in enumerate(numbers):
            due = started + place / per_second if per_second else time.perf_counter()
            if per_second:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            else:
                await slots.acquire()
                slots.release()
            tasks.append(asyncio.create_task(one(number, due if per_second else time.perf_counter())))
        await asyncio.gather(*tasks)
    return times


async def _until_done(pool: Pool, leads: int) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        async with acquire(pool) as connection:
            done = await connection.fetchval("SELECT count(*) FROM runs WHERE state = 'done'")
        if done >= leads * RUNS_PER_LEAD:
            return
        await asyncio.sleep(0.05)
    async with acquire(pool) as connection:
        stuck = await connection.fetch("SELECT workflow, state, error FROM runs WHERE state <> 'done' LIMIT 5")
    raise RuntimeError(f"not done after {_DEADLINE_SECONDS} s: {[tuple(row) for row in stuck]}")


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        yield Path(name)


def measure(leads: int, paced: int, workers: int = 1) -> Figures:
    """Run it all, once."""
    with _folder() as folder, SandboxProcess(keep_requests=10) as vendors:
        (folder / "workflows").mkdir()
        (folder / "stack.toml").write_text(STACK.format(ghl=vendors.url("gohighlevel"), slack=vendors.url("slack")))
        (folder / "workflows" / "bench.py").write_text(WORKFLOW)
        (folder / ".env").write_text("GHL_TOKEN=bench-token-1234\nSLACK_TOKEN=xoxb-bench-token-1234\n")
        product = Product(folder, workers)
        first = product.start()
        product.stop()
        again = product.start()
        try:
            with database(load_project((folder / "stack.toml",)).program) as dsn:
                return _measure(product, vendors, dsn, leads, paced, (first, again))
        finally:
            product.stop()


def _measure(
    product: Product, vendors: SandboxProcess, dsn: str, leads: int, paced: int, starts: tuple[float, float]
) -> Figures:
    url = f"{product.url}/in/bench/website"
    rate = 200.0

    async def play() -> Figures:
        pool = await open_pool(dsn, size=1)
        await _post(url, "warm", range(100), per_second=100, at_once=16)
        await _until_done(pool, 101)
        meter = Meter(product)
        paced_times = await _post(url, "paced", range(paced), per_second=rate, at_once=200)
        await _until_done(pool, 101 + paced)
        paced_cpu = meter.read()

        meter = Meter(product)
        started = time.perf_counter()
        await _post(url, "lead", range(leads), per_second=0, at_once=64)
        acknowledged = time.perf_counter() - started
        await _until_done(pool, 101 + paced + leads)
        seconds = time.perf_counter() - started
        cpu = meter.read()
        total = 101 + paced + leads
        async with acquire(pool) as connection:
            contacts = await connection.fetchval("SELECT count(*) FROM contacts")
            latency = await connection.fetchval(
                """
                SELECT percentile_cont(0.5) WITHIN GROUP (
                    ORDER BY extract(epoch FROM run.finished_at - delivery.received_at))
                FROM runs run JOIN deliveries delivery ON delivery.id = run.delivery_id
                WHERE run.workflow = 'speed_to_lead.v1'
                  AND delivery.id > (SELECT id FROM deliveries ORDER BY id OFFSET 101 LIMIT 1)
                  AND delivery.id < (SELECT id FROM deliveries ORDER BY id OFFSET $1 LIMIT 1)
                """,
                101 + paced - 1,
            )
        await pool.close()
        crm = len(vendors.sandbox.state("gohighlevel")["contacts"])
        memory = product.memory()
        bare = {
            size: round(await leads_per_second(dsn, size, max(200, min(leads, size * 60)))) for size in (1, 8, 32, 128)
        }
        bare_times = await paced_commits(dsn, paced, rate)
        return Figures(
            workers=product.workers,
            machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            cold_start_first_s=round(starts[0], 2),
            cold_start_s=round(starts[1], 2),
            ack_per_second=round(leads / acknowledged),
            paced_per_second=rate,
            paced_ack_p50_ms=round(_percentile(paced_times, 0.5), 1),
            paced_ack_p99_ms=round(_percentile(paced_times, 0.99), 1),
            paced_bare_p50_ms=round(_percentile(bare_times, 0.5), 1),
            paced_bare_p99_ms=round(_percentile(bare_times, 0.99), 1),
            paced_cpu_ms_per_lead_web=round(paced_cpu["web"] / paced * 1000, 2),
            paced_cpu_ms_per_lead_worker=round(paced_cpu["worker"] / paced * 1000, 2),
            paced_cpu_ms_per_lead_database=round(paced_cpu["database"] / paced * 1000, 2),
            leads_per_second=round(leads / seconds, 1),
            lead_p50_ms=round(float(latency) * 1000, 1),
            cpu_ms_per_lead_web=round(cpu["web"] / leads * 1000, 2),
            cpu_ms_per_lead_worker=round(cpu["worker"] / leads * 1000, 2),
            cpu_ms_per_lead_database=round(cpu["database"] / leads * 1000, 2),
            memory_web_mb=round(memory[0]),
            memory_worker_mb=round(memory[1]),
            lost=max(0, total - contacts) + max(0, total - crm),
            duplicates=max(0, contacts - total) + max(0, crm - total),
            bare_leads_per_second=bare,
            ratio_to_bare_at_32=round(leads / seconds / bare[32], 3),
            machine_busy_with_others_percent=round(100 * cpu["others"] / cpu["machine"]),
        )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(play())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=3000, help="leads sent as fast as they are taken")
    parser.add_argument("--paced", type=int, default=2000, help="leads sent at 200 a second")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures = asdict(measure(arguments.leads, arguments.paced, arguments.workers))
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<28} {value}")


if __name__ == "__main__":
    main()
