from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from mainstay.db import acquire, open_pool
from mainstay.db.migrate import HEAD, is_current, migrate, sqlalchemy_url
from mainstay.testing.database import with_database

VERSIONS = Path(migrate.__code__.co_filename).parent / "migrations" / "versions"


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("postgresql://u:p@host:5432/db?x=1", "postgresql+psycopg://u:p@host:5432/db?x=1"),
        ("postgres:///db?host=/run", "postgresql+psycopg:///db?host=/run"),
        ("postgresql+psycopg://host/db", "postgresql+psycopg://host/db"),
    ],
)
def test_the_same_address_for_sqlalchemy(dsn: str, url: str) -> None:
    assert sqlalchemy_url(dsn) == url


def test_the_newest_version_is_the_programs() -> None:
    assert max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py")) == HEAD


async def test_migrating_again_and_at_once_changes_nothing(dsn: str) -> None:
    await asyncio.gather(asyncio.to_thread(migrate, dsn), asyncio.to_thread(migrate, dsn))
    pool = await open_pool(dsn, size=1)
    async with acquire(pool) as connection:
        assert await is_current(connection)
        await connection.execute("UPDATE alembic_version SET version_num = '0000'")
        assert not await is_current(connection)
        await connection.execute("DROP TABLE alembic_version")
        assert not await is_current(connection)
    await pool.close()


async def test_every_table_of_a_workspace_says_whose_it_is(dsn: str) -> None:
    of_the_deployment = {
        "workers",
        "sign_in_links",
        "sessions",
        "alembic_version",
        "workspaces",
        "accounts",
        "budgets",
        "totals_until",
    }
    pool = await open_pool(dsn, size=1)
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT table_name, bool_or(column_name = 'workspace_id') AS has_workspace
            FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name
            """
        )
    await pool.close()
    assert len(rows) > len(of_the_deployment)
    assert {row["table_name"] for row in rows if not row["has_workspace"]} == of_the_deployment


def test_the_queue_takes_an_execution_in_the_callers_transaction(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT enqueue_execution('one', NULL), enqueue_execution('two', now() + interval '1 hour')")
        rows = connection.execute("SELECT workflow_uuid, status FROM dbos.workflow_status ORDER BY 1").fetchall()
        connection.rollback()
        left = connection.execute("SELECT count(*) FROM dbos.workflow_status").fetchone()
    assert rows == [("one", "ENQUEUED"), ("two", "DELAYED")]
    assert left == (0,)


def test_migrate_makes_an_empty_database_whole(dsn: str, mainstay_server: str) -> None:
    name = f"empty_{HEAD}"
    with psycopg.connect(mainstay_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        migrate(with_database(mainstay_server, name))
        with psycopg.connect(with_database(mainstay_server, name)) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    finally:
        with psycopg.connect(mainstay_server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
