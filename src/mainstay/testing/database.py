"""A fresh, migrated database for each test, copied from a template that is made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from mainstay.db.embedded import EmbeddedServer
from mainstay.db.migrate import HEAD, migrate
from mainstay.engine.dbos_engine import migrate_engine

_LOCK = 0x7465_7374


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


@contextmanager
def fresh_database(dsn: str, template_name: str) -> Iterator[str]:
    """Give the address of a new copy of the template; it is dropped afterwards, whoever is still connected."""
    name = f"test_{uuid4().hex[:16]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template_name))
        )
    try:
        yield with_database(dsn, name)
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def with_database(dsn: str, name: str) -> str:
    """Return the same address with another database."""
    parts = urlsplit(dsn)
    # urlunsplit drops an empty host, and with it the slashes; psycopg and asyncpg need them.
    rebuilt = urlunsplit(("", parts.netloc, f"/{name}", parts.query, ""))
    return f"{parts.scheme}:{rebuilt if rebuilt.startswith('//') else '//' + rebuilt}"
