"""Of several who ask whose turn it is, one gets it, whenever the others commit."""

from __future__ import annotations

import asyncio

from mainstay.db import Pool, acquire, hold
from tests.faults.fleet import until

DUE = """
    SELECT name FROM turns WHERE pg_advisory_xact_lock_shared(7) IS NOT NULL
      AND NOT EXISTS (SELECT FROM begun WHERE begun.id = turns.begun)
    ORDER BY name FOR NO KEY UPDATE OF turns SKIP LOCKED
"""


async def test_who_has_begun_and_committed_since_the_query_began_is_seen(pool: Pool) -> None:
    async with acquire(pool) as one, acquire(pool) as other, acquire(pool) as observer:
        await one.execute(
            "CREATE TABLE turns (name text PRIMARY KEY, begun int); CREATE TABLE begun (id int PRIMARY KEY);"
            "INSERT INTO turns VALUES ('a'), ('b')"
        )
        begins = one.transaction()
        await begins.start()
        await one.execute("SELECT pg_advisory_xact_lock(7)")
        await one.execute("INSERT INTO begun VALUES (1)")
        await one.execute("UPDATE turns SET begun = 1 WHERE name = 'a'")

        async with other.transaction():
            asks = asyncio.create_task(hold(other, DUE))

            async def has_begun() -> bool:
                waiting: int = await observer.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return waiting == 1

            await until(has_begun, "the other's query has begun, and waits")
            await begins.commit()
            assert [row["name"] for row in await asks] == ["b"]
