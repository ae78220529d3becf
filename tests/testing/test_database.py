"""A database that was used is as good as new for the next test, or is not given to it."""

from __future__ import annotations

import psycopg
import pytest

from mainstay.testing.database import Databases

WORKSPACE = "INSERT INTO workspaces (id, slug, name) VALUES (gen_random_uuid(), 'acme', 'Acme')"


@pytest.fixture
def databases(mainstay_server: str, mainstay_template: str) -> Databases:
    return Databases(mainstay_server, mainstay_template)


def identity(address: str) -> int:
    with psycopg.connect(address) as connection:
        [oid] = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() or [0]
        return int(oid)


def test_rows_and_sequences_are_as_at_first_and_the_database_is_used_again(databases: Databases) -> None:
    with databases.fresh() as address:
        first = identity(address)
        with psycopg.connect(address) as connection:
            connection.execute(WORKSPACE)
            connection.execute("SELECT nextval('mirror_changes') FROM generate_series(1, 5)")
    with databases.fresh() as again, psycopg.connect(again) as connection:
        assert identity(again) == first
        assert connection.execute("SELECT count(*) FROM workspaces").fetchone() == (0,)
        assert connection.execute("SELECT nextval('mirror_changes')").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM totals_until").fetchone() == (1,)
    databases.close()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE another (id int)",
        "ALTER TABLE workspaces ADD COLUMN another int",
        "ALTER TABLE workspaces SET (fillfactor = 50)",
        "ALTER TABLE contacts DISABLE TRIGGER ALL",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "UPDATE totals_until SET hour = now()",
        "DELETE FROM alembic_version",
        f"{WORKSPACE}; ANALYZE workspaces",
        "INSERT INTO workspaces (id, slug, name) SELECT gen_random_uuid(), n, n FROM generate_series(1, 20000) AS n",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 65536', current_database()); END $$",
    ],
)
def test_where_more_than_rows_was_changed_the_next_is_made_anew(databases: Databases, change: str) -> None:
    with databases.fresh() as address:
        first = identity(address)
        with psycopg.connect(address, autocommit=True) as connection:
            for each in change.split("; ") if "DO $$" not in change else [change]:
                connection.execute(each.encode())
    with databases.fresh() as address:
        assert identity(address) != first
    databases.close()


def test_what_was_left_running_is_cut_off_and_finds_nothing_any_more(databases: Databases) -> None:
    with databases.fresh() as address:
        left = psycopg.connect(address)
        left.execute("LOCK TABLE contacts")
    with databases.fresh(), pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    with databases.fresh(), pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(address)
    databases.close()
