"""Leads through the whole product, beside the limit: the same rows committed by a bare loop on the same PostgreSQL.

    python3 dev.py bench [--leads 3000] [--json]

Everything that a lead touches runs as in production, in processes of its own: the server, one worker, PostgreSQL, and
the simulated CRM and chat, all on this machine beside the load. A lead is a JSON form post; it becomes a contact, a
record in the CRM, a message in the chat and a tag in the CRM. Nothing here is a test: no figure is asserted.
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
from uuid import UUID

import asyncpg
import psutil
import uvloop

from mainstay.cli.reading import database
from mainstay.cli.session import load_project
from mainstay.db import Pool, acquire, open_pool
from mainstay.kit.http import open_session
from mainstay.model import new_id
from mainstay.sandbox.process import SandboxProcess

STACK = """\
[workspace]
name     = "Bench"
slug     = "bench"
timezone = "UTC"
region   = "US"
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}", base_url = "{slack}" }}
[connections.ghl]
connector = "gohighlevel"
token = "${{GHL_TOKEN}}"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "{ghl}"
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
RUNS_PER_LEAD = 3
# One area code for each phase: nobody shares a number, as that would be another job.
_AREA = {"first": "312", "warm": "773", "paced": "630", "lead": "708", "bare": "847"}
_DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times in ms where the name says so, memory in MB (proportional set size)."""

    machine: str
    cold_start_first_s: float
    cold_start_s: float
    ack_per_second: float
    paced_per_second: float
    paced_ack_p50_ms: float
    paced_ack_p99_ms: float
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


class Product:
    """The server and its worker, as ``mainstay up`` runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def start(self) -> float:
        """Start, and return the seconds until the first lead was acknowledged."""
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mainstay", "up", "--port", "0"],
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

    def cpu(self) -> tuple[float, float]:
        """Return the CPU seconds so far of (web, worker)."""
        web = psutil.Process(self.process.pid)
        (worker,) = [child for child in web.children() if "worker" in child.cmdline()]
        return _cpu(web), _cpu(worker)

    def memory(self) -> tuple[float, float]:
        web = psutil.Process(self.process.pid)
        (worker,) = [child for child in web.children() if "worker" in child.cmdline()]
        return web.memory_full_info().pss / 1e6, worker.memory_full_info().pss / 1e6


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


async def _bare(dsn: str, size: int, leads: int) -> float:
    """Commit, for each lead, rows of the same number and shape as the product writes; returns leads a second."""
    pool = await open_pool(dsn, size=1)
    async with pool.acquire() as connection:
        workspace = await connection.fetchval("SELECT id FROM workspaces LIMIT 1")
        started = time.perf_counter()
        for first in range(0, leads, size):
            async with connection.transaction():
                await _write_rows(connection, workspace, min(size, leads - first))
        seconds = time.perf_counter() - started
    await pool.close()
    return leads / seconds


async def _write_rows(connection: asyncpg.Connection, workspace: UUID, count: int) -> None:
    """Write what ``count`` leads leave behind, delivery to attempts, in one row each as the product does."""
    ids = [new_id() for _ in range(count)]
    await connection.execute("SET LOCAL mainstay.writer = 'identity'")
    await connection.executemany(
        """
        INSERT INTO deliveries
            (id, workspace_id, source, kind, state, verified, method, url, headers, body, received_at)
        VALUES ($1, $2, 'website', 'json', 'processed', 'unsigned', 'POST', '/', $3, $4, now())
        """,
        [(id_, workspace, {"content-type": "application/json"}, json.dumps(_lead("bare", 1)).encode()) for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, created_at, updated_at)
        VALUES ($1, $2, $3, '+13125550147', 'Bare', 'Bench', now(), now())
        """,
        [(id_, workspace, f"{id_}@example.com") for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
        VALUES ($1, $2, $3, $4, $4, 'owner', '', now())
        """,
        [(workspace, kind, f"{kind}{id_}", id_) for id_ in ids for kind in ("email", "phone")],
    )
    await connection.executemany(
        """
        INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, occurred_at, person,
                             before, after, at)
        VALUES ($1, $2, $1, $1, 1, 'new', 'website', 'form', now(), $3, $3, $3, now())
        """,
        [(id_, workspace, {"first_name": "Bare"}) for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO events (id, workspace_id, type, source, data, at)
        VALUES ($1, $2, 'contact.created', '', $3, now())
        """,
        [(id_, workspace, {"rule": "new"}) for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO crosswalk
            (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
        VALUES ($1, 'contact', $2, 'ghl', $2::uuid::text, 1, now())
        """,
        [(workspace, id_) for id_ in ids],
    )
    runs = [new_id() for _ in range(count * RUNS_PER_LEAD)]
    await connection.executemany(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
        VALUES ($1, $2, 'bare', 'done', $3, 'bare', now())
        """,
        [(id_, workspace, _lead("bare", 1)) for id_ in runs],
    )
    exchange = [
        {"method": "POST", "url": "http://127.0.0.1", "request": _lead("bare", 1), "response": _lead("bare", 1)}
    ]
    await connection.executemany(
        """
        INSERT INTO attempts (workspace_id, run_id, step, number, name, state, exchanges, started_at)
        VALUES ($1, $2, 1, 1, 'bare', 'ok', $3, now())
        """,
        [(workspace, id_, exchange) for id_ in runs],
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        yield Path(name)


def measure(leads: int, paced: int) -> Figures:
    """Run it all, once."""
    with _folder() as folder, SandboxProcess(keep_requests=10) as vendors:
        (folder / "workflows").mkdir()
        (folder / "stack.toml").write_text(STACK.format(ghl=vendors.url("gohighlevel"), slack=vendors.url("slack")))
        (folder / "workflows" / "bench.py").write_text(WORKFLOW)
        (folder / ".env").write_text("GHL_TOKEN=bench-token-1234\nSLACK_TOKEN=xoxb-bench-token-1234\n")
        product = Product(folder)
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
        paced_times = await _post(url, "paced", range(paced), per_second=rate, at_once=200)
        await _until_done(pool, 101 + paced)

        web, worker = product.cpu()
        base = _database_cpu(product.folder)
        started = time.perf_counter()
        await _post(url, "lead", range(leads), per_second=0, at_once=64)
        acknowledged = time.perf_counter() - started
        await _until_done(pool, 101 + paced + leads)
        seconds = time.perf_counter() - started
        web_after, worker_after = product.cpu()
        base_after = _database_cpu(product.folder)
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
        bare = {size: round(await _bare(dsn, size, max(200, min(leads, size * 60)))) for size in (1, 8, 32, 128)}
        return Figures(
            machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            cold_start_first_s=round(starts[0], 2),
            cold_start_s=round(starts[1], 2),
            ack_per_second=round(leads / acknowledged),
            paced_per_second=rate,
            paced_ack_p50_ms=round(_percentile(paced_times, 0.5), 1),
            paced_ack_p99_ms=round(_percentile(paced_times, 0.99), 1),
            leads_per_second=round(leads / seconds, 1),
            lead_p50_ms=round(float(latency) * 1000, 1),
            cpu_ms_per_lead_web=round((web_after - web) / leads * 1000, 2),
            cpu_ms_per_lead_worker=round((worker_after - worker) / leads * 1000, 2),
            cpu_ms_per_lead_database=round((base_after - base) / leads * 1000, 2),
            memory_web_mb=round(memory[0]),
            memory_worker_mb=round(memory[1]),
            lost=max(0, total - contacts) + max(0, total - crm),
            duplicates=max(0, contacts - total) + max(0, crm - total),
            bare_leads_per_second=bare,
            ratio_to_bare_at_32=round(leads / seconds / bare[32], 3),
        )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(play())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=3000, help="leads sent as fast as they are taken")
    parser.add_argument("--paced", type=int, default=2000, help="leads sent at 200 a second")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures = asdict(measure(arguments.leads, arguments.paced))
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<28} {value}")


if __name__ == "__main__":
    main()
