"""Merge and un-merge broken off anywhere: all of it or nothing, and done again it is done."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from mainstay import contacts
from mainstay.db import Connection, Pool, acquire
from mainstay.errors import DatabaseUnavailableError
from tests.identity.store.conftest import Book
from tests.identity.store.test_merging import three

STATEMENTS = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval"})
KILLS = 12


class Struck:
    """A connection whose backend is ended by the server just before its n-th statement."""

    def __init__(self, connection: Connection, killer: Pool, after: int) -> None:
        self._connection = connection
        self._killer = killer
        self._left = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in STATEMENTS:
            return found

        async def counted(*args: Any, **options: Any) -> Any:
            if not self._left:
                pid = self._connection.get_server_pid()
                async with self._killer.acquire() as other:
                    await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            self._left -= 1
            return await found(*args, **options)

        return counted


def strike(monkeypatch: pytest.MonkeyPatch, killer: Pool, after: int) -> None:
    async def struck(pool: Pool, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async with acquire(pool) as connection, connection.transaction():
            return await work(Struck(connection, killer, after))

    monkeypatch.setattr(contacts, "transact", struck)


async def struck_everywhere(
    book: Book, dsn: str, monkeypatch: pytest.MonkeyPatch, verb: Callable[[], Awaitable[Any]]
) -> int:
    """Break ``verb`` off before each of its statements in turn, until it gets through; returns how many it has."""
    before = await book.picture()
    killer = await asyncpg.create_pool(dsn, min_size=1, max_size=1)
    after = 0
    while True:
        with monkeypatch.context() as patch:
            strike(patch, killer, after)
            try:
                await verb()
            except (DatabaseUnavailableError, asyncpg.PostgresError):
                assert await book.picture() == before
                assert await book.findings() == []
                after += 1
                continue
        await killer.close()
        return after


async def test_a_backend_that_ends_anywhere(book: Book, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, third = await three(book)
    before = await book.picture()
    await book.merge(other, third, keep=third)
    inner = await book.picture()

    assert await struck_everywhere(book, dsn, monkeypatch, lambda: book.merge(one, other, keep=other)) > 20
    assert (await book.get(third)).id == one
    ((outer_id,), (inner_id,)) = await book.rows("SELECT id FROM merges ORDER BY survivor_id")
    assert await struck_everywhere(book, dsn, monkeypatch, lambda: book.unmerge(outer_id)) > 20
    assert await book.picture() == inner
    await struck_everywhere(book, dsn, monkeypatch, lambda: book.unmerge(inner_id))
    assert await book.picture() == before
    await struck_everywhere(book, dsn, monkeypatch, lambda: book.delete(third))
    assert await book.standing() == 3


_CHILD = """
import asyncio, sys
from uuid import UUID
from mainstay.contacts import Contacts
from mainstay.consequences import Routing
from mainstay.db import GroupCommit, open_pool

class Workspaces:
    def routing(self, workspace_id):
        return Routing("", {}, "US")

async def main(dsn, *ids):
    workspace, one, other = map(UUID, ids)
    pool = await open_pool(dsn, size=1)
    verbs = Contacts(pool, GroupCommit(pool), Workspaces())
    for row in await pool.fetch("SELECT id FROM merges WHERE undone_at IS NULL"):
        await verbs.unmerge(workspace, row["id"], by="child")
    while True:
        merged = await verbs.merge(workspace, one, other, by="child", keep=other)
        print("merged", flush=True)
        await verbs.unmerge(workspace, merged.merge_id, by="child")
        print("parted", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_is_killed_anywhere(book: Book, dsn: str, tmp_path: Path) -> None:
    one, other, _ = await three(book)
    apart = await book.picture()
    together = await _together(book, one, other)
    script = tmp_path / "child.py"
    script.write_text(_CHILD)
    rng = random.Random(3)
    for _ in range(KILLS):
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(script), dsn, str(book.workspace), str(one), str(other), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(rng.randint(1, 4)):
            assert await child.stdout.readline()
        # Somewhere in the next one: the moment is chance, every moment is to be fine.
        await asyncio.sleep(rng.random() * 0.02)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        await _gone(book)
        assert _values(await book.picture()) in (_values(apart), _values(together))
        assert await book.findings() == []


async def _together(book: Book, one: UUID, other: UUID) -> Any:
    merge_id = await book.merge(one, other, keep=other)
    picture = await book.picture()
    await book.unmerge(merge_id)
    return picture


def _values(picture: Any) -> list[str]:
    """Leave out the origins and times, which name the very merge."""
    return [str(row[:14]) for row in picture]


async def _gone(book: Book) -> None:
    """Wait until PostgreSQL has noticed that the child is."""
    while (  # noqa: ASYNC110 - another process's end, which nothing here tells of
        await book.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' "
            "AND pid <> pg_backend_pid() AND application_name = 'mainstay'"
        )
    ) != [(0,)]:
        await asyncio.sleep(0.01)
