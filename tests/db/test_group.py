from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.db import Connection, GroupCommit, Pool, Write
from mainstay.errors import DatabaseUnavailableError


class Poison(Exception):  # noqa: N818 - what it is called in the field
    """One item's own fault."""


async def _double(connection: Connection, items: Sequence[int]) -> list[int | Exception]:
    await connection.execute("SELECT 1")
    return [Poison(str(item)) if item < 0 else item * 2 for item in items]


async def _break(connection: Connection, items: Sequence[int]) -> list[int | Exception]:
    if any(item < 0 for item in items):
        await connection.execute("SELECT 1 / 0")
    return [item * 3 for item in items]


async def _encode(connection: Connection, items: Sequence[Any]) -> list[Any]:
    return [await connection.fetchval("SELECT $1::integer", item) for item in items]


DOUBLE: Write[int, int] = Write("double", 2, _double)
BREAK: Write[int, int] = Write("break", 1, _break)
ENCODE: Write[Any, Any] = Write("encode", 3, _encode)


async def outcomes(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


@given(st.lists(st.tuples(st.sampled_from(["double", "break"]), st.integers(-3, 9)), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_each_caller_gets_its_own_result(pool: Pool, wanted: list[tuple[str, int]]) -> None:
    commit = GroupCommit(pool, max_items=16)

    found = await outcomes(*(commit(DOUBLE if kind == "double" else BREAK, item) for kind, item in wanted))

    for (kind, item), result in zip(wanted, found, strict=True):
        if item >= 0:
            assert result == item * (2 if kind == "double" else 3)
        else:
            assert isinstance(result, Poison if kind == "double" else asyncpg.DivisionByZeroError)
    assert commit.backlog == 0


async def test_a_value_that_cannot_be_encoded_hurts_only_its_own_caller(pool: Pool) -> None:
    commit = GroupCommit(pool)
    first, bad, last = await outcomes(*(commit(ENCODE, item) for item in (1, "no number", 3)))
    assert (first, last) == (1, 3)
    assert isinstance(bad, asyncpg.InterfaceError | asyncpg.DataError)
    assert not isinstance(bad, DatabaseUnavailableError)


async def test_concurrent_writes_share_commits(pool: Pool) -> None:
    batches: list[int] = []

    async def note(connection: Connection, items: Sequence[int]) -> list[int]:
        await connection.execute("SELECT 1")
        batches.append(len(items))
        return list(items)

    commit = GroupCommit(pool, max_items=50)
    await outcomes(*(commit(Write("note", 0, note), 1) for _ in range(3)))
    write: Write[int, int] = Write("note", 0, note)
    batches.clear()
    assert await outcomes(*(commit(write, item) for item in range(120))) == list(range(120))
    assert batches == [50, 50, 20]


async def test_ranks_decide_the_order_within_a_transaction(pool: Pool) -> None:
    order: list[str] = []

    def write(name: str, rank: int) -> Write[int, None]:
        async def apply(_connection: Connection, items: Sequence[int]) -> list[None]:
            order.append(name)
            return [None for _ in items]

        return Write(name, rank, apply)

    commit = GroupCommit(pool)
    await outcomes(commit(write("late", 30), 1), commit(write("early", 0), 1), commit(write("middle", 10), 1))
    assert order == ["early", "middle", "late"]


async def test_a_broken_off_transaction_is_done_again(pool: Pool) -> None:
    tries: list[int] = []

    async def deadlocked(connection: Connection, items: Sequence[int]) -> list[int]:
        tries.append(len(items))
        if len(tries) == 1:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")
        return list(items)

    commit = GroupCommit(pool)
    write: Write[int, int] = Write("deadlocked", 0, deadlocked)
    assert await outcomes(commit(write, 1), commit(write, 2)) == [1, 2]
    assert tries == [2, 2]


async def test_an_endless_deadlock_ends(pool: Pool) -> None:
    async def deadlocked(connection: Connection, _items: Sequence[int]) -> list[int]:
        await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")
        return []

    commit = GroupCommit(pool)
    (result,) = await outcomes(commit(Write("deadlocked", 0, deadlocked), 1))
    assert isinstance(result, asyncpg.DeadlockDetectedError)


async def test_a_lost_connection_is_told_to_all_and_the_next_write_works(pool: Pool) -> None:
    is_lost = False

    async def lose(connection: Connection, items: Sequence[int]) -> list[int]:
        nonlocal is_lost
        if not is_lost:
            is_lost = True
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return list(items)

    write: Write[int, int] = Write("lose", 0, lose)
    commit = GroupCommit(pool)
    found = await outcomes(*(commit(write, item) for item in range(3)))
    assert [type(result) for result in found] == [DatabaseUnavailableError] * 3
    assert await commit(write, 7) == 7


async def test_a_caller_that_leaves_disturbs_nobody(pool: Pool) -> None:
    commit = GroupCommit(pool)
    leaver = asyncio.ensure_future(commit(DOUBLE, 1))
    stayer = asyncio.ensure_future(commit(DOUBLE, 2))
    await asyncio.sleep(0)
    leaver.cancel()
    assert await stayer == 4
    with pytest.raises(asyncio.CancelledError):
        await leaver
