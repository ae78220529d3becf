"""A soak of identity: many writers at once, of few people, and the proof that the book is whole, again and again.

    python3 bench/soak_identity.py --seconds 300 [--writers 16] [--people 40] [--seed 1]

Writes by every path, merges, un-merges, answers to suggestions, edits by hand and deletions hit the same few people
from several pools at once. Now and then all of it stands still and the whole book is checked. PostgreSQL is one of its
own. Exits with 1 at the first finding.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from mainstay.consequences import Routing
from mainstay.contacts import Contacts
from mainstay.db import GroupCommit, acquire, open_pool
from mainstay.errors import MalformedError, PermanentError
from mainstay.identity import Finding, Policy, check_book
from mainstay.model import Submission, new_id
from mainstay.testing.database import fresh_database, server, template

FIRST = ("Sarah", "S", "Bob", "Robert", "Ann", "", "")
LAST = ("Johnson", "J", "Birch", "", "")
ROLE = "info@example.com"


class Workspaces:
    """One routing for all; no system of record, so that only identity is at work."""

    def routing(self, workspace_id: UUID) -> Routing:  # noqa: ARG002 - all are the same
        """Return the routing."""
        return Routing("", {}, "US", Policy(blocked=frozenset({ROLE})))


class Storm:
    """Random operations on the same few people, from several processes' worth of pools."""

    def __init__(self, dsn: str, *, people: int, seed: int, processes: int = 3) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.workspace = new_id()
        self._dsn = dsn
        self._people = people
        self._rng = random.Random(seed)
        self._processes = processes
        self._pools: list[asyncpg.Pool] = []
        self._doors: list[Contacts] = []

    async def open(self) -> None:
        """Connect, and make the workspace."""
        for _ in range(self._processes):
            pool = await open_pool(self._dsn, size=5)
            self._pools.append(pool)
            self._doors.append(Contacts(pool, GroupCommit(pool), Workspaces()))
        async with acquire(self._pools[0]) as connection:
            await connection.execute(
                "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'Soak')", self.workspace, str(self.workspace)
            )

    async def close(self) -> None:
        """Disconnect."""
        for pool in self._pools:
            await pool.close()

    async def blow(self, writers: int, *, until: Callable[[], bool]) -> None:
        """Let ``writers`` do one thing after another until it is enough."""
        async with asyncio.TaskGroup() as group:
            for number in range(writers):
                group.create_task(self._writer(number, until))

    async def check(self, *, sample: int | None = None) -> list[Finding]:
        """Look at every invariant."""
        async with acquire(self._pools[0]) as connection, connection.transaction(isolation="repeatable_read"):
            checked = [each async for each in check_book(connection, self.workspace, sample=sample)]
        return [finding for each in checked for finding in each.findings]

    async def deadlocks(self) -> int:
        """Return how many deadlocks PostgreSQL has broken up."""
        async with acquire(self._pools[0]) as connection:
            count: int = await connection.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
        return count

    async def _writer(self, number: int, until: Callable[[], bool]) -> None:
        rng = random.Random(self._rng.random())
        door = self._doors[number % len(self._doors)]
        verbs: list[tuple[Callable[..., Awaitable[Any]], int]] = [
            (self._write, 60),
            (self._edit, 8),
            (self._merge, 8),
            (self._unmerge, 8),
            (self._answer, 6),
            (self._delete, 1),
        ]
        while not until():
            (verb,) = rng.choices([verb for verb, _ in verbs], [weight for _, weight in verbs])
            try:
                await verb(door, rng)
                self.done[verb.__name__.strip("_")] += 1
            except (PermanentError, MalformedError) as error:
                self.refused[f"{verb.__name__.strip('_')}: {str(error).partition(' 0')[0][:60]}"] += 1

    def _submission(self, rng: random.Random) -> Submission:
        person = rng.randrange(self._people)
        email = rng.choice(
            (f"p{person}@example.com", f" P{person}@Example.com", f"q{person}@example.com", "", "", ROLE)
        )
        phone = rng.choice((f"+1312555{person // 3:04}", f"(312) 555-{person // 3:04}", f"+1312556{person:04}", "", ""))
        ago = timedelta(seconds=rng.randrange(1000)) if rng.random() < 0.5 else None
        external = rng.random() < 0.15
        return Submission(
            email=email,
            phone=phone,
            first_name=rng.choice(FIRST),
            last_name=rng.choice(LAST),
            company=rng.choice(("Birch", "Acme", "")),
            tags=rng.choice(((), ("vip",), ("VIP", "new"))),
            custom=rng.choice(({}, {"size": str(rng.randrange(3))})),
            occurred_at=datetime.now(UTC) - ago if ago else None,
            connection="ghl" if external else "",
            external_id=f"x{rng.randrange(self._people)}" if external else "",
            do_not_contact=rng.random() < 0.03,
            consent="signed" if rng.random() < 0.03 else "",
        )

    async def _write(self, door: Contacts, rng: random.Random) -> None:
        kind = rng.choice(("form", "import", "crm"))
        key = str(rng.randrange(10**6)) if rng.random() < 0.1 else ""
        await door.write(self.workspace, self._submission(rng), source=kind, kind=kind, key=key)

    async def _edit(self, door: Contacts, rng: random.Random) -> None:
        person = rng.randrange(self._people)
        values = rng.choice(
            (
                {"company": rng.choice(("", "Hand"))},
                {"first_name": "Sarah"},
                {"email": f"p{person}@example.com"},
                {"phone": f"+1312556{person:04}"},
            )
        )
        await door.edit(self.workspace, await self._some(rng), values, by="Ann")

    async def _merge(self, door: Contacts, rng: random.Random) -> None:
        one, other = await self._some(rng), await self._some(rng)
        await door.merge(self.workspace, one, other, by="Ann", keep=rng.choice((None, one, other)))

    async def _unmerge(self, door: Contacts, rng: random.Random) -> None:
        found = await self._fetch("SELECT id FROM merges WHERE workspace_id = $1 AND undone_at IS NULL")
        if found:
            await door.unmerge(self.workspace, rng.choice(found), by="Ann")

    async def _answer(self, door: Contacts, rng: random.Random) -> None:
        found = await self._fetch("SELECT id FROM suggestions WHERE workspace_id = $1 AND state = 'open'")
        if not found:
            return
        if rng.random() < 0.7:
            await door.accept(self.workspace, rng.choice(found), by="Ann")
        else:
            await door.reject(self.workspace, rng.choice(found), by="Ann")

    async def _delete(self, door: Contacts, rng: random.Random) -> None:
        await door.delete(self.workspace, await self._some(rng))

    async def _some(self, rng: random.Random) -> UUID:
        found = await self._fetch("SELECT id FROM contacts WHERE workspace_id = $1 ORDER BY id DESC LIMIT 200")
        return rng.choice(found) if found else new_id()

    async def _fetch(self, query: str) -> list[UUID]:
        async with acquire(self._pools[0]) as connection:
            return [row["id"] for row in await connection.fetch(query, self.workspace)]


def _after(end: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > end


async def soak(dsn: str, options: argparse.Namespace) -> int:
    """Blow and check in turn; returns how many findings there were."""
    storm = Storm(dsn, people=options.people, seed=options.seed)
    await storm.open()
    began = time.monotonic()
    findings: list[Finding] = []
    while time.monotonic() - began < options.seconds and not findings:
        end = min(time.monotonic() + options.pause, began + options.seconds)
        await storm.blow(options.writers, until=_after(end))
        findings = await storm.check()
        done = sum(storm.done.values())
        deadlocks = await storm.deadlocks()
        print(
            f"{time.monotonic() - began:5.0f} s: {done:,} done, {sum(storm.refused.values()):,} refused, "
            f"{deadlocks} deadlocks, {len(findings)} findings",
            flush=True,
        )
    print("done:", dict(storm.done))
    print("refused:", dict(storm.refused.most_common()))
    for finding in findings:
        print(f"{finding.invariant}: it is not so. {finding.where}")
    await storm.close()
    return len(findings)


def main() -> int:
    """Run the soak on a PostgreSQL of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=10, help="seconds between two checks of the whole book")
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as dsn,
        fresh_database(dsn, template(dsn)) as database,
    ):
        return 1 if asyncio.run(soak(database, options)) else 0


if __name__ == "__main__":
    sys.exit(main())
