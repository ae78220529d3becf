from __future__ import annotations

import asyncio

from mainstay.db import Pool, acquire
from mainstay.db.tallies import add_tallies
from mainstay.model import new_id


async def test_counts_add_up_under_concurrency(pool: Pool) -> None:
    one, two = new_id(), new_id()
    names = [(one, "run welcome.v1", "done"), (one, "run push.v1", "done"), (two, "run push.v1", "failed")]

    async def add(turn: int) -> None:
        order = names if turn % 2 else names[::-1]
        async with acquire(pool) as connection, connection.transaction():
            await add_tallies(connection, dict.fromkeys(order, turn))

    await asyncio.gather(*(add(turn) for turn in range(20)))

    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "SELECT workspace_id, name, label, sum(count) AS count FROM tallies GROUP BY 1, 2, 3"
        )
    assert {(row["workspace_id"], row["name"], row["label"]): row["count"] for row in rows} == dict.fromkeys(names, 190)


async def test_nothing_to_count_writes_nothing(pool: Pool) -> None:
    async with acquire(pool) as connection:
        await add_tallies(connection, {})
        assert await connection.fetchval("SELECT count(*) FROM tallies") == 0
