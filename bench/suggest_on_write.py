"""How long one new contact takes to be compared with a large book, as the worker does it after each write.

    python3 bench/suggest_on_write.py [--contacts 1000000] [--new 300] [--explain]

The book is made in the database. Names are drawn by rank, the commonest ones more often than in life (6 % share the
first family name), so that limits are reached; four in ten have a company, most an e-mail and a phone. Each new contact
is someone of the book under other identifiers, half of them with a slip in the name, or a stranger. Told are the times
of finding and scoring for one contact, and of the whole with its commit, which waits for the disk. ``--explain`` shows
the plan of the query for candidates, for the commonest name there is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil

from mainstay.comparing import Comparer
from mainstay.consequences import Routing
from mainstay.contacts import Contacts
from mainstay.db import Connection, GroupCommit, Pool, acquire, open_pool
from mainstay.identity import Policy
from mainstay.identity.likeness import count_frequencies, query_for, take
from mainstay.model import Contact, Submission, new_id
from mainstay.testing.database import fresh_database, server, template

FIRST, LAST, COMPANIES = 4_000, 120_000, 60_000
LIMIT_MS = 50
_AT_ONCE = 500_000
_INDEXED = ("contacts", "identifiers")


class One:
    """One workspace, suggestions on."""

    def __init__(self) -> None:
        self.workspace = new_id()

    @property
    def workspaces(self) -> list[UUID]:
        """The workspace."""
        return [self.workspace]

    def routing(self, _workspace_id: UUID) -> Routing:
        """Its routing: no system of record."""
        return Routing("", {}, "US", Policy())


def names(number: int, seed: int) -> list[str]:
    """Make names of syllables, all different."""
    heads, tails = ("b", "br", "c", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t"), (
        "a", "e", "i", "o", "u", "an", "en", "or", "el", "is",
    )  # fmt: skip
    syllables = [head + tail for head, tail in product(heads, tails)]
    draw = random.Random(seed)
    found: set[str] = set()
    while len(found) < number:
        found.add("".join(draw.choices(syllables, k=draw.choice((2, 2, 3, 3, 4)))).capitalize())
    return sorted(found, key=lambda _: draw.random())


async def fill(dsn: str, workspace: UUID, contacts: int) -> None:
    """Make the book, set by set; the indexes afterwards, as a restore does."""
    connection = await asyncpg.connect(dsn, command_timeout=7200)
    try:
        await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace)
        for table, number, seed in (("firsts", FIRST, 1), ("lasts", LAST, 2), ("companies", COMPANIES, 3)):
            await connection.execute(f"CREATE TEMP TABLE {table} (rank int PRIMARY KEY, name text)")
            rows = list(enumerate(names(number, seed)))
            await connection.copy_records_to_table(table, records=rows)
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY($1) AND indexname NOT LIKE '%_pkey'",
            list(_INDEXED),
        )
        for row in indexes:
            await connection.execute(f"DROP INDEX {row['indexname']}")
        for begin in range(0, contacts, _AT_ONCE):
            await connection.execute(_FILL, workspace, begin, min(begin + _AT_ONCE, contacts) - 1)
        for row in indexes:
            await connection.execute(row["indexdef"])
        await connection.execute("VACUUM (ANALYZE) contacts")
        await connection.execute("VACUUM (ANALYZE) identifiers")
    finally:
        await connection.close()


# A rank drawn evenly on a logarithmic scale: what is first occurs twice as often as what is second.
_FILL = """
    WITH drawn AS MATERIALIZED (
        SELECT n, floor(exp(random() * ln(4000)))::int - 1 AS f, floor(exp(random() * ln(120000)))::int - 1 AS l,
               CASE WHEN random() < 0.4 THEN floor(exp(random() * ln(60000)))::int - 1 END AS c,
               random() < 0.85 AS has_email, random() < 0.85 AS has_phone,
               (ARRAY['gmail.com', 'gmail.com', 'yahoo.com', 'outlook.com', 'example.net'])[1 + n % 5] AS domain
        FROM generate_series($2::int, $3::int) AS n
    ), people AS MATERIALIZED (
        SELECT lpad(to_hex(n), 32, '0')::uuid AS id, firsts.name AS first, lasts.name AS last,
               coalesce(companies.name || ' ' || (ARRAY['Plumbing', 'Dental', 'Law'])[1 + n % 3], '') AS company,
               CASE WHEN has_email THEN lower(firsts.name || '.' || lasts.name) || n || '@' || domain
                    ELSE '' END AS email,
               CASE WHEN has_phone THEN '+1' || (2000000000 + n::bigint * 613 % 7999999999) ELSE '' END AS phone
        FROM drawn JOIN firsts ON firsts.rank = f JOIN lasts ON lasts.rank = l LEFT JOIN companies ON companies.rank = c
    ), stored AS (
        INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, created_at, updated_at)
        SELECT id, $1, email, phone, first, last, company, now(), now() FROM people
    )
    INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, alias_key, source, created_at)
    SELECT $1, 'email', email, id, id, 'owner', email, 'bench', now() FROM people WHERE email <> ''
    UNION ALL SELECT $1, 'phone', phone, id, id, 'owner', '', 'bench', now() FROM people WHERE phone <> ''
    ON CONFLICT DO NOTHING
"""


async def write_new(pool: Pool, verbs: Contacts, workspace: UUID, number: int, seed: int = 5) -> None:
    """Write people of the book under other identifiers, and strangers."""
    draw = random.Random(seed)
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "SELECT first_name, last_name, company, phone FROM contacts TABLESAMPLE SYSTEM (0.5) "
            "WHERE workspace_id = $1 LIMIT $2",
            workspace,
            number * 20,
        )
    for place, row in enumerate(draw.sample(rows, number)):
        first, last = row["first_name"], row["last_name"]
        if place % 2:
            last = last[:-2] + last[-1] if len(last) > 4 else last + "e"
        if place % 5 == 0:
            first, last = f"Zo{first.lower()}", f"Quo{last.lower()}"
        phone = row["phone"][:-1] + str((int(row["phone"][-1]) + 1) % 10) if row["phone"] and place % 3 == 0 else ""
        email = f"{first.lower()}.{last.lower()}{place}@other{place}.example.com"
        submission = Submission(email=email, phone=phone, first_name=first, last_name=last, company=row["company"])
        await verbs.write(workspace, submission)


async def measure(dsn: str, contacts: int, new: int, *, explain: bool) -> None:
    """Fill, write, compare one by one."""
    one = One()
    began = time.monotonic()
    await fill(dsn, one.workspace, contacts)
    print(f"a book of {contacts:,} contacts, made in {time.monotonic() - began:.0f} s")
    pool = await open_pool(dsn, size=3)
    verbs = Contacts(pool, GroupCommit(pool), one)
    comparer = Comparer(pool, verbs, one)
    wall, cpu = time.monotonic(), time.process_time()
    async with acquire(pool) as connection:
        await count_frequencies(connection, one.workspace)
        size = await connection.fetchval("SELECT pg_column_size(counts) FROM book_frequencies")
    print(
        f"counting how often values occur: {time.monotonic() - wall:.1f} s on the clock, "
        f"{time.process_time() - cpu:.1f} s of our CPU, kept in {size / 1e6:.1f} MB"
    )
    await write_new(pool, verbs, one.workspace, new)
    found: list[float] = []
    found_cpu: list[float] = []
    async with acquire(pool) as connection, connection.transaction():
        backend = psutil.Process(connection.get_server_pid())
        before = sum(backend.cpu_times()[:2])
        for waiting in await take(connection, one.workspaces, new):
            wall, cpu = time.perf_counter(), time.process_time()
            await comparer.likely(connection, [waiting])
            found.append((time.perf_counter() - wall) * 1000)
            found_cpu.append((time.process_time() - cpu) * 1000)
        server_cpu = (sum(backend.cpu_times()[:2]) - before) * 1000 / new
    times, cpus = [], []
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        if not await comparer.compare_some(1):
            break
        times.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    report("finding and scoring, the first 20", found[:20], found_cpu[:20])
    report("finding and scoring", found[20:], found_cpu[20:])
    print(f"  of which PostgreSQL {server_cpu:.1f} ms of CPU a contact; load of the machine {os.getloadavg()[0]:.1f}")
    report("the whole, with locks, opening and commit", times, cpus)
    async with acquire(pool) as connection:
        opened = await connection.fetchval("SELECT count(*) FROM suggestions WHERE state = 'open'")
        print(f"{opened} suggestions opened for {len(times)} new contacts")
        if explain:
            await show_plans(connection, one.workspace)
    await pool.close()


def report(title: str, times: Sequence[float], cpus: Sequence[float]) -> None:
    """Print what one contact takes."""
    cuts = statistics.quantiles(times, n=20)
    print(
        f"{title}: p50 {statistics.median(times):.1f} ms, p95 {cuts[18]:.1f} ms, worst {max(times):.1f} ms; "
        f"our CPU {statistics.mean(cpus):.1f} ms; p95 is {cuts[18] / LIMIT_MS:.2f} of the limit of {LIMIT_MS} ms"
    )


async def show_plans(connection: Connection, workspace: UUID) -> None:
    """Print the plan of each candidate query, for the commonest name and employer of the book."""
    row = await connection.fetchrow(
        "SELECT first_name, last_name, company FROM contacts TABLESAMPLE SYSTEM (1) WHERE company <> '' "
        "GROUP BY 1, 2, 3 ORDER BY count(*) DESC LIMIT 1"
    )
    if row is None:
        raise SystemExit("the book has no one with a company: make it larger")
    names_ = {"first_name": row["first_name"], "last_name": row["last_name"], "company": row["company"]}
    local = f"{row['first_name']}.{row['last_name']}".lower()
    contact = Contact(new_id(), workspace, email=f"{local}@gmail.com", phone="+12000613000", **names_)
    keys = [("email", contact.email, contact.email), ("phone", contact.phone, "")]
    query, values = query_for(contact, keys)
    print(f"\nplans for {contact.name}, {contact.company}")
    for line in await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {query}", *values):
        print(" ", line[0])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=300)
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as dsn,
        fresh_database(dsn, template(dsn)) as made,
    ):
        asyncio.run(measure(made, given.contacts, given.new, explain=given.explain))


if __name__ == "__main__":
    main()
