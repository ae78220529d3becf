from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.db import Pool, acquire, open_pool, storable
from mainstay.errors import DatabaseUnavailableError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.sampled_from(["\\u0000", "C:\\", "\\\\u0000", "\0\\"]),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=9), children, max_size=4),
    max_leaves=12,
)  # fmt: skip


def without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


def has_one_key_for_each(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(has_one_key_for_each, value))
    if isinstance(value, dict):
        return len({without_nul(key) for key in value}) == len(value) and all(map(has_one_key_for_each, value.values()))
    return True


@given(values.filter(has_one_key_for_each))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_json_comes_back_as_it_went_but_for_nul(pool: Pool, value: Any) -> None:
    async with acquire(pool) as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == without_nul(value)


async def test_no_server_is_a_database_that_is_away(pool: Pool) -> None:
    await pool.close()
    with pytest.raises(DatabaseUnavailableError, match="PostgreSQL does not answer"):
        async with acquire(pool):
            pass


async def test_a_connection_lost_in_the_middle_is_too(pool: Pool) -> None:
    with pytest.raises(DatabaseUnavailableError):
        async with acquire(pool) as connection, connection.transaction():
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_connection_that_was_cut_says_so_at_its_next_use(pool: Pool) -> None:
    async def use() -> None:
        async with acquire(pool) as connection:
            connection.terminate()
            await asyncio.sleep(0)  # for the pool to hear of it
            await connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailableError) as raised:
        await use()
    assert "is_closed" not in str(raised.value)


async def test_a_server_that_does_not_answer_is_too(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.db.pool.GIVE_UP_SECONDS", 0.1)
    with pytest.raises(DatabaseUnavailableError):
        async with acquire(pool) as connection, connection.transaction():
            await connection.execute("SELECT pg_sleep(600)")
    async with acquire(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    ("query", "argument"), [("SELECT $1::integer", "x"), ("SELECT $1::integer", 2**40), ("SELECT 1", 1), ("SELEC", 1)]
)
async def test_a_query_that_is_wrong_is_not(pool: Pool, query: str, argument: Any) -> None:
    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
        async with acquire(pool) as connection:
            await connection.fetchval(query, argument)
    async with acquire(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_init_is_called_with_each_connection(dsn: str) -> None:
    seen = []

    async def init(connection: Any) -> None:
        seen.append(connection)

    pool = await open_pool(dsn, size=2, init=init)
    async with acquire(pool), acquire(pool):
        assert len(seen) == 2
    await pool.close()


@given(st.text())
def test_what_is_storable_has_no_nul_and_loses_nothing_else(text: str) -> None:
    assert storable(text) == "".join(letter for letter in text if letter != "\0")


TROUBLE = ["read_only_sql_transaction", "disk_full", "out_of_memory", "too_many_connections", "io_error"]


@pytest.mark.parametrize("code", TROUBLE)
async def test_a_server_that_takes_no_write_is_too(pool: Pool, code: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="no more"):
        async with acquire(pool) as connection:
            await connection.execute(f"DO $$ BEGIN RAISE 'no more' USING ERRCODE = '{code}'; END $$")


async def test_a_connection_to_a_server_that_is_read_only_is_not_kept(pool: Pool) -> None:
    async with acquire(pool) as connection:
        await connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailableError):
        async with acquire(pool) as connection:
            await connection.execute("CREATE TABLE written (a integer)")
    async with acquire(pool) as connection:
        await connection.execute("CREATE TABLE written (a integer)")


async def test_a_client_that_is_silent_within_a_statement_does_not_keep_its_locks(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.db.pool.TRANSACTION_SECONDS", 0.5)
    pool, waiting = await open_pool(dsn, size=1), await asyncpg.connect(dsn)
    async with pool.acquire() as silent:
        transaction = silent.transaction()
        await transaction.start()
        await silent.execute("LOCK TABLE runs")
        # Prepared and not executed: the server waits for the rest of a statement that it counts as active.
        await silent.prepare("SELECT FROM runs")
        async with waiting.transaction():
            await waiting.execute("LOCK TABLE runs", timeout=8)
        with pytest.raises((asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError)):
            await transaction.commit()
    await waiting.close()
    await pool.close()


async def test_a_connection_of_which_nobody_knows_where_it_stands_is_too_and_is_not_kept(pool: Pool) -> None:
    async with acquire(pool) as connection:
        broken = await connection.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(DatabaseUnavailableError, match="another operation"):
        async with acquire(pool):
            raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")
    async with acquire(pool) as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != broken


async def test_a_transaction_that_took_too_long_is_too(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.db.pool.TRANSACTION_SECONDS", 0.1)
    pool = await open_pool(dsn, size=1)
    with pytest.raises(DatabaseUnavailableError):
        async with acquire(pool) as connection:
            await connection.execute("BEGIN; SELECT pg_sleep(600)")
    await pool.close()
