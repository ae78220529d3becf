"""A fresh, migrated database for each test: copied from a template that is made once, emptied and used again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from mainstay.db.embedded import EmbeddedServer
from mainstay.db.migrate import HEAD, migrate
from mainstay.engine.dbos_engine import migrate_engine
from mainstay.testing.emptying import Newness

_LOCK = 0x7465_7374
_CUT_OFF = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Give the address of a server for tests: MAINSTAY_TEST_DATABASE_URL, else an embedded one in ``folder``."""
    given = os.environ.get("MAINSTAY_TEST_DATABASE_URL")
    if given:
        yield given
        return
    embedded = EmbeddedServer(folder)
    dsn = embedded.start()
    try:
        yield dsn
    finally:
        embedded.stop()


def template(dsn: str) -> str:
    """Make the template database unless it is there; several processes may ask at once. Returns its name."""
    schema = files("mainstay.db").joinpath("migrations/versions/0001_first.sql").read_bytes()
    name = f"mainstay_template_{HEAD}_{sha256(schema).hexdigest()[:8]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        found = connection.execute("SELECT TRUE FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            building = f"{name}_building"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(building)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
            migrate(with_database(dsn, building))
            migrate_engine(with_database(dsn, building))
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name))
            )
    return name


class Databases:
    """Fresh, migrated databases of one test process: one that a test has used is emptied and given to the next.

    Each use has a name of its own, so that what a test left running finds no database any more.
    """

    def __init__(self, dsn: str, template_name: str) -> None:
        self._dsn = dsn
        self._template = template_name
        self._spare: list[str] = []
        self._newness: Newness | None = None

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Give the address of a fresh database; whoever is still connected afterwards is cut off."""
        name = _new_name()
        with self._at_server() as connection:
            if self._spare:
                connection.execute(_statement("ALTER DATABASE {} RENAME TO {}", self._spare.pop(), name))
            else:
                connection.execute(_statement("CREATE DATABASE {} TEMPLATE {}", name, self._template))
        address = with_database(self._dsn, name)
        if self._newness is None:
            with psycopg.connect(address) as connection:
                self._newness = Newness(connection)
        try:
            yield address
        finally:
            with self._at_server() as connection:
                connection.execute(_CUT_OFF, (name,))
                if _emptied(address, self._newness):
                    self._spare.append(name)
                else:
                    connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", name))

    def close(self) -> None:
        """Drop what was kept for the next test."""
        with self._at_server() as connection:
            while self._spare:
                connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", self._spare.pop()))

    def _at_server(self) -> psycopg.Connection:
        return psycopg.connect(self._dsn, autocommit=True)


@contextmanager
def fresh_database(dsn: str, template_name: str) -> Iterator[str]:
    """Give the address of one new copy of the template; it is dropped afterwards, whoever is still connected."""
    name = _new_name()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_statement("CREATE DATABASE {} TEMPLATE {}", name, template_name))
    try:
        yield with_database(dsn, name)
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(_statement("DROP DATABASE {} WITH (FORCE)", name))


def _emptied(address: str, newness: Newness) -> bool:
    try:
        with psycopg.connect(address) as connection:
            return newness.restore(connection)
    except psycopg.Error:
        return False


def _new_name() -> str:
    return f"test_{uuid4().hex[:16]}"


def _statement(text: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def with_database(dsn: str, name: str) -> str:
    """Return the same address with another database."""
    parts = urlsplit(dsn)
    # urlunsplit drops an empty host, and with it the slashes; psycopg and asyncpg need them.
    rebuilt = urlunsplit(("", parts.netloc, f"/{name}", parts.query, ""))
    return f"{parts.scheme}:{rebuilt if rebuilt.startswith('//') else '//' + rebuilt}"
