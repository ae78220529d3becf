"""One person under other identifiers: asked about in the background, once, whichever worker dies on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from mainstay.comparing import Comparer
from mainstay.db import acquire
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [records.contact.identity]
    suggest = 0.5
    [sources.website]
    kind = "form"
"""
_PAUSE = 0.05
_LONGEST = 60.0


async def until(is_met: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LONGEST):
        while not await is_met():  # noqa: ASYNC110 - what is waited for stands in the database
            await asyncio.sleep(_PAUSE)


async def count(stack: StackUnderTest, query: str) -> int:
    async with acquire(stack.app.pool) as connection:
        found: int = await connection.fetchval(query)
    return found


async def submit_both(stack: StackUnderTest) -> None:
    await stack.submit("website", name="Quentin Farrow", email="quentin.farrow@example.com")
    await stack.submit("website", name="Quentin Farow", email="quentin.farow@example.com")


@contextmanager
def worker(folder: Path, dsn: str) -> Iterator[subprocess.Popen[str]]:
    """A worker of its own, that is killed at the end as nothing announces it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstay", "worker", "--stack", str(folder)],
        env={**os.environ, "DATABASE_URL": dsn},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_two_submissions_of_one_person_open_one_suggestion_and_a_rejected_one_stays_so(
    make_stack: MakeStack,
) -> None:
    stack = await make_stack(STACK)
    await submit_both(stack)
    assert await count(stack, "SELECT count(*) FROM suggestions") == 0
    comparing = asyncio.create_task(Comparer(stack.app.pool, stack.app.contacts, stack.app).run())
    try:
        await until(lambda: is_one(stack, "open"))
        async with acquire(stack.app.pool) as connection:
            suggestion = await connection.fetchval("SELECT id FROM suggestions")
        (workspace_id,) = stack.app.workspaces
        await stack.app.contacts.reject(workspace_id, suggestion, by="Ann")
        await stack.submit("website", name="Quentin Farow", email="quentin.farow@example.com", company="Farow Roofing")
        await until(lambda: is_compared(stack))
    finally:
        comparing.cancel()
    assert await is_one(stack, "rejected")


async def test_a_worker_that_is_killed_leaves_its_work_to_the_next(
    make_stack: MakeStack, tmp_path: Path, dsn: str
) -> None:
    stack = await make_stack(STACK)
    await submit_both(stack)
    holding = await asyncpg.connect(dsn)
    try:
        async with holding.transaction():
            # The first worker waits for these rows in the midst of opening the suggestion, and dies there.
            await holding.execute("SELECT FROM contacts FOR NO KEY UPDATE")
            with worker(tmp_path / "stack-0", dsn):
                await until(lambda: is_waiting(stack))
    finally:
        await holding.close()
    assert await count(stack, "SELECT count(*) FROM suggestions") == 0
    assert not await is_compared(stack)
    with worker(tmp_path / "stack-0", dsn):
        await until(lambda: is_one(stack, "open"))
        await until(lambda: is_compared(stack))


async def is_one(stack: StackUnderTest, state: str) -> bool:
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch("SELECT state FROM suggestions")
    return [row["state"] for row in rows] == [state]


async def is_compared(stack: StackUnderTest) -> bool:
    return await count(stack, "SELECT count(*) FROM to_compare") == 0


async def is_waiting(stack: StackUnderTest) -> bool:
    return await count(stack, "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
