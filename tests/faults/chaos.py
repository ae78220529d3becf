"""``make chaos``: a whole stack under a stream of leads, and everything breaks at random, for as long as it is told.

    python3 dev.py chaos [--minutes 3] [--seed N] [--leads-per-second 4] [--keep FOLDER]

Web, workers, a PostgreSQL of its own and the simulated vendors, two workspaces. A seed gives the same leads and the
same faults; which instruction a kill falls on is the machine's. At the end the faults stop, all becomes quiet, and the
invariants of ``invariants.py`` are checked. The exit code is 1 when one is broken; the evidence (the database, every
process's log) then stays in a folder that is named.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.process import SandboxProcess
from mainstay.testing.database import template, with_database
from tests.faults.chaos_plan import FAULTS, Fault
from tests.faults.fleet import Books, Fleet, Process, postmaster, until
from tests.faults.invariants import OPEN, problems
from tests.faults.sender import post

WORKSPACE = Path(__file__).parent / "workspace"
LOCATIONS = {"acme": "ve9EPM428h8vShlRW1KT", "bolt": "bolTPM428h8vShlRW1KT"}
"""Of each workspace its account at the CRM. They have the same stack but for what is theirs alone."""
TICK = "tick.v1"
WORKERS = 3
DEAD_AFTER = 4.0
QUIET_SECONDS = 300.0
NAMES = ("Sarah Johnson", "Omar Khan", "Mei Chen", "Ana Silva", "Tom Brown")


@dataclass
class Seat:
    """A place that a process fills; when it dies, another takes it."""

    kind: str
    process: Process
    port: str = ""


@dataclass
class Stage:
    """All that plays."""

    dsn: str
    database: str
    server: EmbeddedServer
    folder: Path
    fleet: Fleet
    sandbox: Sandbox
    seats: list[Seat] = field(default_factory=list)
    dead_after: float = DEAD_AFTER
    ended: Counter[str] = field(default_factory=Counter)
    logs: list[str] = field(default_factory=list)

    @property
    def workers(self) -> list[Seat]:
        """Those who drive runs."""
        return [seat for seat in self.seats if seat.kind == "worker"]

    @property
    def web(self) -> Seat:
        """The one who takes deliveries."""
        return next(seat for seat in self.seats if seat.kind == "web")

    def start(self, kind: str) -> Process:
        """Start a process."""
        return self.fleet.start(self.dsn, kind=kind, stack=self.stacks, dead_after=self.dead_after, patience=3.0)

    @property
    def stacks(self) -> str:
        """The folders of the workspaces' stacks, as a process takes them."""
        return os.pathsep.join(str(self.folder / "stacks" / slug) for slug in LOCATIONS)

    def write_stacks(self) -> None:
        """Write each workspace's stack: the one in git with the workspace's own name and account."""
        for slug, location in LOCATIONS.items():
            into = self.folder / "stacks" / slug
            shutil.copytree(WORKSPACE, into, ignore=shutil.ignore_patterns("__pycache__"))
            for file in filter(Path.is_file, into.rglob("*")):
                text = file.read_text("utf-8").replace(LOCATIONS["acme"], location)
                file.write_text(text.replace("acme", slug).replace("Acme", slug.title()), "utf-8")

    def postmaster(self) -> int:
        """Return the number of the server's first process."""
        return postmaster(self.folder)

    async def ask(self, query: str, *arguments: object) -> Any:
        """Ask the database, on a connection of one's own."""
        connection = await asyncpg.connect(self.dsn, timeout=5)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            connection.terminate()

    async def forbid_writes(self) -> None:
        """Let new sessions only read."""
        await self.ask(f"ALTER DATABASE {self.database} SET default_transaction_read_only = on")

    async def allow_writes(self) -> None:
        """Let new sessions write again."""
        connection = await asyncpg.connect(
            self.dsn, timeout=5, server_settings={"default_transaction_read_only": "off"}
        )
        try:
            await connection.execute(f"ALTER DATABASE {self.database} RESET default_transaction_read_only")
        finally:
            connection.terminate()

    async def keep_up(self) -> None:
        """Put a new process where one has died, as ``mainstay up`` and a service manager do."""
        while True:
            for seat in self.seats:
                if seat.process.code is not None:
                    self.ended[f"{seat.kind} ended with {seat.process.code}"] += 1
                    if seat.process.code > 0:
                        self.logs.append(seat.process.orders.passed + ".log")
                    seat.port = ""
                    seat.process = await asyncio.to_thread(self.start, seat.kind)
                elif seat.kind == "web" and not seat.port:
                    ready = [line.split()[1] for line in seat.process.passed if line.startswith("ready")]
                    seat.port = ready[0] if ready else ""
            await asyncio.sleep(0.2)


@dataclass
class Senders:
    """A stream of leads: new people, the same again, sent twice, some who want no more mail."""

    stage: Stage
    rng: random.Random
    per_second: float
    accepted: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    opted_out: set[tuple[str, str]] = field(default_factory=set)
    _people: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, session: aiohttp.ClientSession, seconds: float) -> None:
        """Send until the time is over, then until all is taken."""
        ends, number = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            number += 1
            task = asyncio.create_task(self._send(session, *self._lead(number), key=f"d-{number}"))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            await asyncio.sleep(self.rng.expovariate(self.per_second))
        await asyncio.gather(*self._sending)

    def _lead(self, number: int) -> tuple[str, dict[str, str]]:
        if self._people and self.rng.random() < 0.3:
            slug, person = self.rng.choice(self._people)
            person = {**person, "email": self.rng.choice((person["email"], f" {person['email'].upper()}"))}
            if self.rng.random() < 0.2:
                person["unsubscribed"] = "yes"
                self.opted_out.add((slug, person["email"].strip().lower()))
            return slug, person
        slug = self.rng.choice(tuple(LOCATIONS))
        person = {"email": f"lead{number}@people-of-{slug}.example", "name": self.rng.choice(NAMES)}
        if self.rng.random() < 0.1:
            person["company"] = self.rng.choice(("Trouble", "Many"))
        self._people.append((slug, person))
        return slug, person

    async def _send(self, session: aiohttp.ClientSession, slug: str, fields: dict[str, str], *, key: str) -> None:
        """Send until it is taken; now and then once more."""
        left = 2 if self.rng.random() < 0.1 else 1
        while left:
            port = self.stage.web.port
            try:
                answer = await post(session, port, "website", fields, key=key, slug=slug) if port else None
            except (aiohttp.ClientError, TimeoutError, ValueError):
                answer = None
            self.statuses[answer.status if answer else 0] += 1
            if answer is not None and answer.status in {200, 202}:
                self.accepted.add(answer.delivery)
                left -= 1
            elif answer is not None and answer.status != 429:
                raise AssertionError(f"a sender heard {answer}")
            await asyncio.sleep(0.3)


async def break_things(stage: Stage, rng: random.Random, seconds: float, said: list[str]) -> None:
    """Do one fault after another, some at once."""
    began = time.monotonic()

    async def one(fault: Fault) -> None:
        at = time.monotonic() - began
        try:
            outcome = await fault(stage, random.Random(rng.random()))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, psutil.Error) as error:
            # What one breaks, another may need.
            outcome = f"{fault.__name__} could not be done: {error!r}"
            # Whatever it had stopped already, nobody else starts.
            await asyncio.to_thread(stage.server.start)
        said.append(f"{at:7.1f} s  {outcome}")
        print(said[-1], flush=True)

    under_way: set[asyncio.Task[None]] = set()
    while time.monotonic() < began + seconds:
        (fault,) = rng.choices(list(FAULTS), weights=list(FAULTS.values()))
        task = asyncio.create_task(one(fault))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        if len(under_way) >= 2:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(rng.expovariate(0.5))
    await asyncio.gather(*under_way)


async def settle(stage: Stage) -> Books:
    """Wait until nothing is broken any more, and nothing left to do."""
    stage.sandbox.clear()
    await asyncio.to_thread(stage.server.start)
    await stage.allow_writes()
    books = await Books.open(stage.dsn)
    quiet = "SELECT NOT EXISTS (SELECT FROM runs WHERE state = ANY($1) AND workflow <> $2)"
    await until(lambda: books.value(quiet, OPEN, TICK), "all is quiet", seconds=QUIET_SECONDS, pause=0.5)
    return books


async def ticks(books: Books) -> list[str]:
    """Return the ticks of the schedules that were missed, or fired twice."""
    rows = await books.rows(
        """
        SELECT workspace_id, count(*), count(DISTINCT input #>> '{tick,at}') AS ticks,
               extract(epoch FROM max((input #>> '{tick,at}')::timestamptz) - min((input #>> '{tick,at}')::timestamptz))
                   / 2 + 1 AS due
        FROM runs WHERE workflow = $1 GROUP BY workspace_id
        """,
        TICK,
    )
    return [
        f"ticks were missed, or fired twice: {row}" for row in rows if not row["count"] == row["ticks"] == row["due"]
    ]


async def play(stage: Stage, arguments: argparse.Namespace) -> list[str]:
    """Play it; returns what is broken."""
    rng = random.Random(arguments.seed)
    seconds = arguments.minutes * 60
    for kind in ("web", *["worker"] * WORKERS):
        stage.seats.append(Seat(kind, await asyncio.to_thread(stage.start, kind)))
    keeping = asyncio.create_task(stage.keep_up())
    senders = Senders(stage, random.Random(rng.random()), arguments.leads_per_second)
    said: list[str] = []
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            await until(lambda: stage.web.port, "the web answers")
            await asyncio.gather(
                senders.run(session, seconds), break_things(stage, random.Random(rng.random()), seconds, said)
            )
        print(f"faults have stopped; {len(senders.accepted)} deliveries were accepted", flush=True)
        try:
            books = await settle(stage)
            broken = []
        except AssertionError as error:
            books = await Books.open(stage.dsn)
            broken = [str(error)]
        owners = {slug: (f"people-of-{slug}", location) for slug, location in LOCATIONS.items()}
        broken += await problems(
            books, stage.sandbox, accepted=senders.accepted, opted_out=senders.opted_out, owners=owners, but=[TICK]
        )
        broken += await ticks(books)
        tally = "SELECT workflow, state, count(*), sum(retries) AS retries FROM runs GROUP BY 1, 2 ORDER BY 1, 2"
        for row in await books.rows(tally):
            print("  ", *row.values())
        await books.close()
    finally:
        keeping.cancel()
    print(f"senders heard {dict(senders.statuses)} (0: nothing); {dict(stage.ended)}")
    broken += [f"a process ended by itself; its log: {log}" for log in _unexpected(stage)]
    return broken


def _unexpected(stage: Stage) -> list[str]:
    """Return the logs of processes that ended by themselves for another reason than a database that was away."""
    away = ("Connect", "connect", "PostgreSQL", "read-only", "TooMany", "shutting down", "starting up", "terminat")
    return [log for log in stage.logs if not any(word in Path(log).read_text("utf-8")[-3000:] for word in away)]


def main() -> int:
    """Play, and tell what broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long things break")
    parser.add_argument("--seed", type=int, default=None, help="plays the same leads and faults again")
    parser.add_argument("--leads-per-second", type=float, default=4.0)
    parser.add_argument("--keep", type=Path, default=None, help="where the evidence goes")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1_000_000)
    again = f"python3 dev.py chaos --minutes {arguments.minutes:g} --seed {arguments.seed}"
    print(again, flush=True)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="mainstay-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    with SandboxProcess() as vendors, EmbeddedServer(folder) as server:
        base = server.start()
        fleet = Fleet(folder, vendors.base_url)
        try:
            database = template(base)
            stage = Stage(with_database(base, database), database, server, folder, fleet, vendors.sandbox)
            stage.write_stacks()
            broken = asyncio.run(play(stage, arguments))
        finally:
            fleet.close()
    if broken:
        print(f"\nBROKEN, by seed {arguments.seed}: {len(broken)}", *broken[:200], sep="\n  ")
        print(f"\nThe evidence is in {folder}. Again: {again}")
        return 1
    print("All invariants hold.")
    if arguments.keep is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
