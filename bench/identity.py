"""Who is who, measured: single writes, a list brought in as a whole, and how both fare as the book grows.

    .venv/bin/python bench/identity.py [--sizes 10000,1000000] [--writes 2000] [--json]

The book is grown by bulk imports to each of the sizes, on a PostgreSQL of its own with the product's settings; at each
size the same kind of single writes is timed, each durable before the next begins. Beside them, the limit on the same
server: a bare upsert of one row of the same contact, and the rows of a book copied without any question asked. CPU
seconds are given next to rates, because a rate says little on a machine that others use. No figure is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import psutil
import uvloop

from mainstay.consequences import Routing
from mainstay.db import Connection, GroupCommit, Pool, Write, acquire, open_pool, transact
from mainstay.db.embedded import EmbeddedServer
from mainstay.db.migrate import migrate
from mainstay.identity import ContactWrite, Person, Policy, resolve
from mainstay.identity.bulk import Origin
from mainstay.imports import Import, Job, Part, begin_import, bring_in, look_at
from mainstay.model import new_id

REPEATS, SHARED = 0.05, 0.005
"""Shares of a list: lines about somebody who was in it before, and of somebody else on the same phone."""

_FIRST = (
    "James",
    "Mary",
    "Robert",
    "Patricia",
    "John",
    "Jennifer",
    "Michael",
    "Linda",
    "David",
    "Elizabeth",
    "William",
    "Barbara",
    "Richard",
    "Susan",
    "Joseph",
    "Jessica",
    "Thomas",
    "Sarah",
    "Karen",
    "Lisa",
    "Daniel",
    "Nancy",
    "Matthew",
    "Betty",
    "Anthony",
    "Ana",
    "Jose",
    "Wei",
    "Fatima",
    "Olga",
)
_SYLLABLES = (
    "ba",
    "ca",
    "da",
    "er",
    "fo",
    "ga",
    "ho",
    "in",
    "jo",
    "ke",
    "la",
    "mo",
    "na",
    "ol",
    "pe",
    "ri",
    "so",
    "ti",
)
_AREAS = (
    "212",
    "312",
    "305",
    "415",
    "512",
    "602",
    "617",
    "702",
    "713",
    "718",
    "773",
    "818",
    "832",
    "904",
    "917",
    "972",
)
_HOSTS = ("gmail.com", "yahoo.com", "outlook.com", "Example.com")
HEADER = ("Email", "Phone", "First Name", "Last Name", "Company", "City", "Tags")


@dataclass
class Figures:
    """What was measured: rates in rows a second, latencies in ms, CPU in microseconds a row, memory in MB."""

    machine: str
    imports: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)
    copy_per_second: float = 0.0


def people(count: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Make the lines of a list as businesses have them."""
    draw = random.Random(seed)
    known: list[tuple[str, ...]] = []
    for _ in range(count):
        luck = draw.random()
        if luck < REPEATS and known:
            row = _again(draw, draw.choice(known))
        elif luck < REPEATS + SHARED and known:
            other = draw.choice(known)
            first = draw.choice(_FIRST)
            row = (f"{first}.{other[3]}{draw.randrange(10**8)}@gmail.com", other[1], first, *other[3:])
        else:
            row = _someone(draw)
        if len(known) < 20_000:
            known.append(row)
        else:
            known[draw.randrange(20_000)] = row
        yield row


def _someone(draw: random.Random) -> tuple[str, ...]:
    first, last = draw.choice(_FIRST), "".join(draw.choices(_SYLLABLES, k=4)).capitalize()
    email = f"{first}.{last}{draw.randrange(10**8)}@{draw.choice(_HOSTS)}" if draw.random() < 0.9 else ""
    phone = f"({draw.choice(_AREAS)}) {draw.randrange(200, 990)}-{draw.randrange(10_000):04}"
    if email and draw.random() < 0.2:
        phone = ""
    company = f"{draw.choice(_SYLLABLES).capitalize()} Plumbing" if draw.random() < 0.3 else ""
    return (
        email,
        phone,
        first,
        last,
        company,
        draw.choice(("Austin", "Tampa", "")),
        draw.choice(("", "customer", "a,b")),
    )


def _again(draw: random.Random, row: tuple[str, ...]) -> tuple[str, ...]:
    luck = draw.random()
    if luck < 0.3 and row[0]:
        return (row[0], "", *row[2:])
    if luck < 0.5:
        return (f"{row[2]}.{row[3]}{draw.randrange(10**8)}@work.example.com", *row[1:])
    return (row[0], row[1], f"{row[2][0]}.", *row[3:]) if luck < 0.6 else row


class Cpu:
    """CPU seconds of this process, of its children that have ended (those that read files), and of PostgreSQL."""

    def __init__(self, postmaster: int) -> None:
        self._me = psutil.Process()
        self._server = psutil.Process(postmaster)

    def look(self) -> tuple[float, float, float]:
        """Return the three."""
        mine = self._me.cpu_times()
        server = 0.0
        for process in (self._server, *self._server.children()):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            server += times.user + times.system + times.children_user + times.children_system
        return mine.user + mine.system, mine.children_user + mine.children_system, server


async def import_lines(pool: Pool, workspace_id: UUID, file: Path, cpu: Cpu) -> dict[str, Any]:
    """Bring in a file; returns its figures."""
    now = datetime.now(UTC)
    async with acquire(pool) as connection:
        item = await begin_import(connection, workspace_id, os.urandom(32), file.name, "import", now)
        size = await connection.fetchval("SELECT count(*) FROM contacts")
    origin = Origin(item.id, workspace_id, file.name, file.name, item.started_at, Policy())
    workers = max(1, (os.cpu_count() or 2) - 1)
    job = Job(look_at(file), origin, {}, "US", "import", "", now.isoformat(), workers=workers)
    began = time.perf_counter()
    before = cpu.look()
    peak = 0.0

    def after(_part: Part, done: Import) -> None:
        nonlocal peak
        if done.records % 100_000 < job.size:
            peak = max(peak, psutil.Process().memory_info().rss / 1e6)

    done = await bring_in(pool, job, item, Routing("", {}, "US"), before=lambda _part: None, after=after)
    seconds = time.perf_counter() - began
    spent = [round((new - old) / done.records * 1e6, 1) for old, new in zip(before, cpu.look(), strict=True)]
    return {
        "contacts_before": size,
        "lines": done.records,
        "seconds": round(seconds, 1),
        "per_second": round(done.records / seconds),
        "cpu_us_a_line": dict(zip(("committing", "reading", "postgresql"), spent, strict=True)),
        # What the CPU time allows on two cores, of which each of the three uses one at most.
        "cpu_allows_per_second": round(min(2e6 / sum(spent), 1e6 / max(spent))),
        "memory_mb": round(peak),
        "counts": dict(done.counts),
    }


def person(draw: random.Random) -> Person:
    """Make what a form says of somebody new."""
    email, phone, first, last, company, _, _ = _someone(draw)
    digits = "".join(filter(str.isdigit, phone))
    return Person(
        email=email.lower(),
        phone=f"+1{digits}" if digits else "",
        first_name=first,
        last_name=last,
        company=company,
        source="website",
        occurred_at=datetime.now(UTC).isoformat(),
        custom={"service": "boiler"},
    )


async def timed(
    pool: Pool, writers: int, count: int, once: Callable[[Connection, Person], Awaitable[Any]]
) -> tuple[float, list[float]]:
    """Write with so many connections at once, each durable before its next; returns the rate, and the times in ms."""
    times: list[float] = []

    async def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(count // writers):
            who = person(draw)
            began = time.perf_counter()
            await transact(pool, lambda connection, who=who: once(connection, who))  # type: ignore[misc]
            times.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    seeds = random.sample(range(1 << 30), writers)
    await asyncio.gather(*(work(seed) for seed in seeds))
    return len(times) / (time.perf_counter() - began), times


async def grouped(pool: Pool, workspace_id: UUID, callers: int, count: int) -> tuple[float, list[float]]:
    """Write as the product does: many callers, one connection, shared commits."""
    commit = GroupCommit(pool)
    writes: Write[ContactWrite, Any] = Write("write contacts", 21, resolve)
    times: list[float] = []

    async def call(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(count // callers):
            who = person(draw)
            began = time.perf_counter()
            await commit(writes, ContactWrite(workspace_id, who, "website"))
            times.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(call(seed) for seed in random.sample(range(1 << 30), callers)))
    return len(times) / (time.perf_counter() - began), times


def told(name: str, size: int, rate: float, times: Sequence[float], cpu: float) -> dict[str, Any]:
    """Return the figures of one way of writing."""
    return {
        "what": name,
        "contacts": size,
        "per_second": round(rate),
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
        "cpu_us": round(cpu / len(times) * 1e6),
    }


async def single_writes(dsn: str, workspace_id: UUID, count: int, cpu: Cpu) -> list[dict[str, Any]]:
    """Time the ways of writing one contact."""
    found = []
    pool = await open_pool(dsn, size=8)
    async with acquire(pool) as connection:
        size = await connection.fetchval("SELECT count(*) FROM contacts")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bare (email text PRIMARY KEY, phone text, first_name text, last_name text, at "
            "timestamptz)"
        )

    async def ours(connection: Connection, who: Person) -> None:
        await resolve(connection, [ContactWrite(workspace_id, who, "website")])

    async def bare(connection: Connection, who: Person) -> None:
        await connection.execute(
            "INSERT INTO bare VALUES ($1, $2, $3, $4, now()) ON CONFLICT (email) DO UPDATE SET phone = excluded.phone",
            who.email or who.phone,
            who.phone,
            who.first_name,
            who.last_name,
        )

    ways: list[tuple[str, Callable[[], Awaitable[tuple[float, list[float]]]]]] = [
        ("bare upsert, 1 connection", lambda: timed(pool, 1, count, bare)),
        ("bare upsert, 8 connections", lambda: timed(pool, 8, count, bare)),
        ("resolved, 1 connection", lambda: timed(pool, 1, count, ours)),
        ("resolved, 8 connections", lambda: timed(pool, 8, count, ours)),
        ("resolved, 8 callers, shared commits", lambda: grouped(pool, workspace_id, 8, count)),
        ("resolved, 64 callers, shared commits", lambda: grouped(pool, workspace_id, 64, 4 * count)),
    ]
    for name, way in ways:
        before = sum(cpu.look())
        rate, times = await way()
        found.append(told(name, size, rate, times, sum(cpu.look()) - before))
    await pool.close()
    return found


async def copied(dsn: str, rows: int) -> float:
    """Return how fast the rows of contacts alone are copied, into a table without indexes: what nobody can beat."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TEMPORARY TABLE plain AS SELECT * FROM contacts LIMIT 0")
    text = await connection.fetchval("SELECT count(*) FROM contacts")
    began = time.perf_counter()
    done = await connection.execute("INSERT INTO plain SELECT * FROM contacts LIMIT $1", min(rows, text))
    seconds = time.perf_counter() - began
    await connection.close()
    return int(done.split()[-1]) / seconds


async def measure(dsn: str, postmaster: int, folder: Path, arguments: argparse.Namespace) -> Figures:
    """Grow a book to each size, and time writes there."""
    figures = Figures(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    cpu = Cpu(postmaster)
    workspace_id = new_id()
    pool = await open_pool(dsn, size=2)
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace_id)
    grown = 0
    for size in arguments.sizes:
        file = folder / f"list-{size}.csv"
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(HEADER)
            writer.writerows(people(size - grown, size))
        figures.imports.append(await import_lines(pool, workspace_id, file, cpu))
        say(figures.imports[-1])
        file.unlink()
        grown = size
        async with acquire(pool) as connection:
            await connection.execute("CHECKPOINT")
        for found in await single_writes(dsn, workspace_id, arguments.writes, cpu):
            figures.writes.append(found)
            say(found)
    figures.copy_per_second = round(await copied(dsn, 1_000_000))
    await pool.close()
    return figures


def say(found: Any) -> None:
    """Tell one result as it comes."""
    print(json.dumps(found), flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,1000000", type=lambda text: [int(each) for each in text.split(",")])
    parser.add_argument("--writes", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        server = EmbeddedServer(Path(name))
        dsn = server.start()
        try:
            migrate(dsn)
            postmaster = int((Path(name) / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
            figures = uvloop.run(measure(dsn, postmaster, Path(name), arguments))
        finally:
            server.stop()
    if arguments.json:
        print(json.dumps(asdict(figures), indent=2))


if __name__ == "__main__":
    main()
