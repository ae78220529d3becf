"""While a file comes in, others write about the same people: the book stays whole, and nobody is twice."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire, open_pool, transact
from mainstay.errors import PermanentError
from mainstay.identity import ContactWrite, Person, Policy, erase, merge, resolve, unmerge
from mainstay.identity.bulk import Line, Origin, prepare, write_chunk
from mainstay.identity.store.checking import check_book
from mainstay.model import new_id

PEOPLE = 60


def person(number: int, rng: random.Random) -> Person:
    """Give something that somebody says about the one with this number; some phones are the neighbour's."""
    phone = number if rng.random() < 0.8 else (number + 1) % PEOPLE
    return Person(
        email=f"p{number}@example.com" if rng.random() < 0.8 else "",
        phone=f"+1312555{phone:04}",
        first_name=rng.choice(("Ann", f"P{number}", "")),
        last_name=rng.choice((f"Q{number}", "")),
        tags=rng.choice(((), ("vip",), ("VIP", f"t{rng.randrange(9)}"))),
        do_not_contact=rng.random() < 0.05,
        occurred_at=datetime(2024, 1, rng.randint(1, 28), tzinfo=UTC).isoformat(),
    )


async def write_live(pool: Pool, workspace_id: UUID, seed: int, done: asyncio.Event) -> int:
    """Write, merge, part and delete until the file is in."""
    rng = random.Random(seed)
    count = 0
    while not done.is_set():
        people = [person(rng.randrange(PEOPLE), rng) for _ in range(rng.randint(1, 4))]
        writes = [ContactWrite(workspace_id, each, "website") for each in people]
        await transact(pool, lambda connection, writes=writes: resolve(connection, writes))  # type: ignore[misc]
        count += 1
        try:
            await transact(pool, lambda connection: meddle(connection, workspace_id, rng))
        except PermanentError:
            continue  # another was quicker
    return count


async def meddle(connection: object, workspace_id: UUID, rng: random.Random) -> None:
    what = rng.random()
    fetch = connection.fetch  # type: ignore[attr-defined]
    if what < 0.1:
        rows = await fetch(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL "
            "ORDER BY random() LIMIT 2",
            workspace_id,
        )
        if len(rows) == 2:
            await merge(connection, workspace_id, rows[0]["id"], rows[1]["id"], by="ann")  # type: ignore[arg-type]
    elif what < 0.2:
        rows = await fetch(
            "SELECT id FROM merges WHERE workspace_id = $1 AND undone_at IS NULL ORDER BY random() LIMIT 1",
            workspace_id,
        )
        if rows:
            await unmerge(connection, workspace_id, rows[0]["id"], by="ann")  # type: ignore[arg-type]
    elif what < 0.25:
        rows = await fetch(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL "
            "ORDER BY random() LIMIT 1",
            workspace_id,
        )
        if rows:
            await erase(connection, workspace_id, rows[0]["id"])  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
async def test_the_book_stays_whole(pool: Pool, dsn: str, seed: int) -> None:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    rng = random.Random(seed)
    lines = [Line(number + 2, number, person(rng.randrange(PEOPLE), rng)) for number in range(300)]
    # As far as the file can tell, it is alone: its parts are ready before others have written.
    origin = Origin(new_id(), workspace_id, "list.csv", "digest", datetime.now(UTC), Policy())
    chunks = [prepare(origin, lines[start : start + 15]) for start in range(0, len(lines), 15)]
    done = asyncio.Event()
    other = await open_pool(dsn, size=4)

    async def bring_in() -> None:
        try:
            for chunk in chunks:
                await transact(pool, lambda connection, chunk=chunk: write_chunk(connection, origin, chunk))  # type: ignore[misc]
        finally:
            done.set()

    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(write_live(other, workspace_id, 10 * seed + each, done)) for each in range(4)]
        group.create_task(bring_in())
    await other.close()

    assert all(writer.result() for writer in writers)
    async with acquire(pool) as connection, connection.transaction(isolation="repeatable_read"):
        found = [item async for item in check_book(connection, workspace_id, sample=None)]
        told = await connection.fetchval(
            "SELECT count(DISTINCT line) FROM changes WHERE workspace_id = $1", workspace_id
        )
        owners = await connection.fetchval(
            """
            SELECT count(*) FROM (SELECT value FROM identifiers WHERE workspace_id = $1 AND standing = 'owner'
                                  GROUP BY kind, value HAVING count(DISTINCT contact_id) > 1) AS t
            """,
            workspace_id,
        )
    assert [finding for item in found for finding in item.findings] == []
    assert owners == 0
    assert told > len(lines) / 2  # the others were said before a deletion
