"""Bring a test's database back to what it was when it was new, which costs a fraction of a new one."""

from __future__ import annotations

from typing import LiteralString

from psycopg import Connection, sql

# What a test could have changed beside rows: columns, options, functions, triggers, constraints, policies, statistics.
_SHAPE = """
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'),
     relations AS (SELECT oid, relname, reloptions, relpersistence, relrowsecurity FROM pg_class
                    WHERE relnamespace IN (SELECT oid FROM ours))
SELECT md5(concat(
    (SELECT string_agg(relations::text, ';' ORDER BY oid) FROM relations),
    (SELECT string_agg((attrelid, attname, atttypid, attnotnull, atthasdef, attisdropped)::text, ';'
                       ORDER BY attrelid, attnum)
       FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations)),
    (SELECT string_agg((indexrelid, indisvalid)::text, ';' ORDER BY indexrelid)
       FROM pg_index WHERE indrelid IN (SELECT oid FROM relations)),
    (SELECT string_agg((oid, md5(prosrc))::text, ';' ORDER BY oid)
       FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)),
    (SELECT string_agg((oid, tgenabled)::text, ';' ORDER BY oid) FROM pg_trigger),
    (SELECT string_agg((oid, convalidated)::text, ';' ORDER BY oid) FROM pg_constraint),
    (SELECT string_agg((starelid, staattnum)::text, ';' ORDER BY starelid, staattnum)
       FROM pg_statistic WHERE starelid IN (SELECT oid FROM relations)),
    (SELECT string_agg(setconfig::text, ';') FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_largeobject_metadata)
))
"""

# By size, which is one look at the file: a table that was never written has none.
_WRITTEN = """
SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema$)' AND pg_relation_size(pg_class.oid) > 0
"""

# Rows that are deleted leave their pages: a database that has grown is made anew rather than emptied.
_GROWN = """
SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE relkind IN ('r', 'i') AND nspname !~ '^(pg_|information_schema$)'
                  AND pg_relation_size(pg_class.oid) > 32 * 8192)
"""

_SEQUENCES = "SELECT schemaname, sequencename FROM pg_sequences WHERE last_value IS NOT NULL"


class Newness:
    """What a new database is like: its shape, and the rows it comes with."""

    def __init__(self, connection: Connection) -> None:
        """Read it from a database that nobody has used yet."""
        self._shape = _one(connection, _SHAPE)
        self._rows = {table: _rows(connection, table) for table in _tables(connection)}

    def restore(self, connection: Connection) -> bool:
        """Take away what was written; False where more was changed than rows can tell, and it has to be made anew."""
        as_new = (
            not _one(connection, _GROWN)
            and _one(connection, _SHAPE) == self._shape
            and all(_rows(connection, table) == rows for table, rows in self._rows.items())
        )
        if not as_new:
            return False
        connection.execute("SET session_replication_role = replica")  # no trigger, no foreign key: all goes at once
        for table in _tables(connection).difference(self._rows):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)))
        for sequence in connection.execute(_SEQUENCES).fetchall():
            connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(*sequence)))
        return True


def _one(connection: Connection, query: LiteralString) -> object:
    [found] = connection.execute(query).fetchone() or [None]
    return found


def _tables(connection: Connection) -> set[tuple[str, ...]]:
    return set(connection.execute(_WRITTEN))


def _rows(connection: Connection, table: tuple[str, ...]) -> list[tuple[str]]:
    query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(*table))
    return connection.execute(query).fetchall()
