"""The table role on a PostgreSQL database: one transaction a call, names always quoted, values always parameters."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from mainstay.connectors.sql_table.errors import explain
from mainstay.connectors.sql_table.settings import MOST_BYTES_IN_A_NAME, SqlConnection
from mainstay.kit import (
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Row,
    Rows,
    VendorError,
    Written,
)
from mainstay.kit.roles import Value, cell_text, clean, rows_by_key

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_TIMEOUT = 10.0
TIMEOUT = 120.0
ROWS_AT_ONCE = 10_000
BLOCKS_AT_ONCE = 200
_AFTER, _BLOCK = "after:", "block:"
_BAD_VALUE = ("22007", "22008", "22P02", "22003")
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, relkind::text AS kind,
        typcategory::text AS category
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_type ON pg_type.oid = atttypid
    WHERE nspname = $1 AND relname = $2 AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY attnum
"""
# One column, not null, unique without exception: rows can be walked along it; the primary key first.
_WALKED = """
    SELECT attname FROM pg_index
        JOIN pg_class ON pg_class.oid = indrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE nspname = $1 AND relname = $2 AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL
        AND attnotnull AND attnum > 0 ORDER BY indisprimary DESC, indexrelid LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it."""

    name: str
    type: str
    is_required: bool
    is_text: bool

    def taken(self, source: str) -> str:
        """Return the expression that makes its value of a text; nothing is NULL where it can be."""
        if self.is_text:
            # No cast: one to varchar(5) would cut the text silently.
            return source if self.is_required else f"NULLIF({source}, '')"
        return f"NULLIF({source}, '')::{self.type}"

    @property
    def array(self) -> str:
        """The type of a list of its values."""
        return "text[]" if self.is_text else f"{self.type}[]"


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def http_settings(settings: SqlConnection) -> HttpSettings:
    """Return the database's address and what must never be recorded; no call goes over HTTP."""
    return HttpSettings(base_url=f"postgresql://{settings.place}", secrets=settings.secrets)


def make_table(settings: SqlConnection, http: Http, _store: RecordStore | None = None) -> SqlTable:
    """Build the role for one attempt."""
    return SqlTable(settings, http)


async def check(settings: SqlConnection, http: Http) -> str:
    """Ask who we are."""
    table = SqlTable(settings, http)
    async with table.connected("SELECT current_user", "") as connection:
        user = await connection.fetchval("SELECT current_user")
    return f"the database {settings.place}, schema {settings.schema_name}, as {user}"


class SqlTable:
    """Upserts by ``INSERT ... ON CONFLICT`` on the key column, which must be unique."""

    batch = ROWS_AT_ONCE

    def __init__(self, settings: SqlConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def upsert_rows(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows; all of a call, or none."""
        _check_name(table, "table")
        wanted = rows_by_key(key, rows)
        names = list(dict.fromkeys([key, *(name for row in wanted.values() for name in row)]))
        for name in names:
            _check_name(name, "column")
        if not wanted:
            return Written()
        created = updated = 0
        async with self.connected(f"upsert {len(wanted)} rows", table) as connection, connection.transaction():
            columns = await self._prepared(connection, table, key, names)
            for group, some in _groups(wanted):
                made = await connection.fetchrow(
                    self._upsert(table, columns[key], [columns[name] for name in group]),
                    *([cell_text(row[name]) for row in some] for name in group),
                )
                created += made["created"] if made else 0
                updated += made["updated"] if made else 0
        return Written(created=created, updated=updated)

    async def remove_rows(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Delete rows by their keys."""
        _check_name(table, "table")
        unwanted = sorted({clean(value) for value in values if value})
        if not unwanted:
            return Written()
        async with self.connected(f"remove {len(unwanted)} rows", table) as connection:
            columns = await self._columns(connection, table)
            column = self._key(table, key, columns)
            where = f"{quoted(key)} = ANY($1::text[]::{column.array})"
            status = await connection.execute(f"DELETE FROM {self._at(table)} WHERE {where}", unwanted)  # noqa: S608
        return Written(removed=int(status.rpartition(" ")[2]))

    async def read_rows(self, table: str, cursor: str = "") -> Rows:
        """Read some 10,000 rows along a unique column; where there is none, along the table's blocks."""
        _check_name(table, "table")
        if cursor and not cursor.startswith((_AFTER, _BLOCK)):
            raise PermanentError(f"{cursor[:60]!r} is no cursor of this table")
        async with self.connected("read rows", table) as connection:
            columns = await self._columns(connection, table)
            walked = await connection.fetchval(_WALKED, self._settings.schema_name, table)
            if walked is not None:
                return await self._along(connection, table, columns, columns[walked], cursor)
            return await self._by_blocks(connection, table, columns, cursor)

    # --------------------------------------------------------------------------------------------------- reading

    async def _along(
        self, connection: Connection, table: str, columns: Mapping[str, Column], walked: Column, cursor: str
    ) -> Rows:
        name = quoted(walked.name)
        kind = "text" if walked.is_text else walked.type
        where = f"WHERE {name} > $1::text::{kind}" if cursor else ""
        query = f"SELECT {_shown(columns)} FROM {self._at(table)} {where} ORDER BY {name} LIMIT {ROWS_AT_ONCE}"  # noqa: S608
        try:
            records = await connection.fetch(query, *([cursor.removeprefix(_AFTER)] if cursor else []))
        except asyncpg.PostgresError as error:
            if error.sqlstate in _BAD_VALUE:
                raise PermanentError(f"{cursor[:60]!r} is no cursor of this table") from None
            raise
        rows = _rows(columns, records)
        return Rows(rows, _AFTER + rows[-1][walked.name] if len(rows) == ROWS_AT_ONCE else "")

    async def _by_blocks(self, connection: Connection, table: str, columns: Mapping[str, Column], cursor: str) -> Rows:
        first = cursor.removeprefix(_BLOCK) or "0"
        if not (first.isascii() and first.isdigit() and len(first) < 10):
            raise PermanentError(f"{cursor[:60]!r} is no cursor of this table")
        block = int(first)
        blocks = await connection.fetchval(
            "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int", self._at(table)
        )
        query = (
            f"SELECT {_shown(columns)} FROM {self._at(table)} "  # noqa: S608
            f"WHERE ctid >= '({block},0)'::tid AND ctid < '({block + BLOCKS_AT_ONCE},0)'::tid"
        )
        rows = _rows(columns, await connection.fetch(query))
        following = block + BLOCKS_AT_ONCE
        return Rows(rows, f"{_BLOCK}{following}" if following < (blocks or 0) else "")

    # --------------------------------------------------------------------------------------------------- writing

    def _upsert(self, table: str, key: Column, columns: Sequence[Column]) -> str:
        names = ", ".join(quoted(column.name) for column in columns)
        lists = ", ".join(f"${number}::text[]" for number in range(1, len(columns) + 1))
        sources = ", ".join(f"c{number}" for number in range(len(columns)))
        taken = ", ".join(column.taken(f"given.c{number}") for number, column in enumerate(columns))
        others = [quoted(column.name) for column in columns if column.name != key.name]
        settings = ", ".join(f"{name} = excluded.{name}" for name in others)
        # As text: a type such as json has no equality of its own.
        differs = " OR ".join(f"old.{name}::text IS DISTINCT FROM excluded.{name}::text" for name in others)
        then = f"UPDATE SET {settings} WHERE {differs}" if others else "NOTHING"
        # Rows are locked in the order of their keys, so that two writers cannot wait for each other.
        return f"""
            WITH written AS (
                INSERT INTO {self._at(table)} AS old ({names})
                SELECT {taken} FROM unnest({lists}) AS given ({sources})
                ON CONFLICT ({quoted(key.name)}) DO {then} RETURNING (old.xmax = 0) AS is_new
            )
            SELECT count(*) FILTER (WHERE is_new) AS created, count(*) FILTER (WHERE NOT is_new) AS updated FROM written
        """  # noqa: S608 every name is quoted, every value a parameter

    async def _prepared(
        self, connection: Connection, table: str, key: str, names: Sequence[str]
    ) -> Mapping[str, Column]:
        """Return the table's columns, all of ``names`` among them; what may be added is."""
        create = self._settings.create
        columns = await self._columns(connection, table, may_miss=create == "tables")
        if not columns:
            written = ", ".join(f"{quoted(name)} text" + (" PRIMARY KEY" if name == key else "") for name in names)
            await connection.execute(f"CREATE TABLE IF NOT EXISTS {self._at(table)} ({written})")
            columns = await self._columns(connection, table)
        self._key(table, key, columns)
        missing = [name for name in names if name not in columns]
        if missing and create == "nothing":
            mend = 'add it, or write create = "columns" into the connection'
            raise NeedsHumanError(f"table {table!r} has no column {missing[0]!r}: {mend}")
        if missing:
            added = ", ".join(f"ADD COLUMN IF NOT EXISTS {quoted(name)} text" for name in missing)
            await connection.execute(f"ALTER TABLE {self._at(table)} {added}")
            columns = await self._columns(connection, table)
        return columns

    async def _columns(self, connection: Connection, table: str, *, may_miss: bool = False) -> Mapping[str, Column]:
        records = await connection.fetch(_COLUMNS, self._settings.schema_name, table)
        if not records and not may_miss:
            place = f"schema {self._settings.schema_name!r} of {self._settings.place}"
            mend = 'create it, or write create = "tables" into the connection'
            raise NeedsHumanError(f"there is no table {table!r} in {place}: {mend}")
        return {
            record["attname"]: Column(
                record["attname"], record["type"], record["attnotnull"], record["category"] == "S"
            )
            for record in records
            if record["attname"] is not None
        }

    def _key(self, table: str, key: str, columns: Mapping[str, Column]) -> Column:
        if key not in columns:
            there = ", ".join(list(columns)[:10])
            raise NeedsHumanError(f"table {table!r} has no column {key!r}, by which rows are found; it has: {there}")
        return columns[key]

    def _at(self, table: str) -> str:
        return f"{quoted(self._settings.schema_name)}.{quoted(table)}"

    @asynccontextmanager
    async def connected(self, what: str, table: str) -> AsyncIterator[Connection]:
        """Connect, and turn what goes wrong into the step's fate; the call is recorded, without its values."""
        started = time.perf_counter()
        connection: Connection | None = None
        outcome: dict[str, object] = {}
        refusal: VendorError | None = None
        try:
            connection = await asyncpg.connect(
                self._settings.dsn.get_secret_value(),
                timeout=CONNECT_TIMEOUT,
                command_timeout=TIMEOUT,
                statement_cache_size=0,
                server_settings={"application_name": "mainstay", "lock_timeout": "30s"},
            )
            yield connection
            await connection.close(timeout=CONNECT_TIMEOUT)
        except VendorError as error:
            outcome["error"] = self._http.redact(str(error))
            raise
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            refusal = explain(error, connected=connection is not None)
            refusal.args = (self._http.redact(str(refusal)),)
            outcome["error"] = str(refusal)
        finally:
            if connection is not None and not connection.is_closed():
                connection.terminate()
            request = {"what": what, "table": table}
            place = f"postgresql://{self._settings.place}"
            self._http.record(
                method="SQL", url=place, request=request, ms=round((time.perf_counter() - started) * 1000), **outcome
            )
        # Raised outside the handler, so that no traceback shows the library's own text, which may quote the dsn.
        if refusal is not None:
            raise refusal


def _groups(wanted: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Value]]]]:
    """Return rows that name the same columns together, in the order of their keys."""
    groups: dict[frozenset[str], list[Mapping[str, Value]]] = {}
    for name in sorted(wanted):
        groups.setdefault(frozenset(wanted[name]), []).append(wanted[name])
    for names, rows in groups.items():
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield tuple(sorted(names)), rows[start : start + ROWS_AT_ONCE]


def _shown(columns: Mapping[str, Column]) -> str:
    return ", ".join(f"{quoted(name)}::text" for name in columns)


def _rows(columns: Mapping[str, Column], records: Sequence[asyncpg.Record]) -> tuple[Mapping[str, str], ...]:
    names = list(columns)
    return tuple({name: value or "" for name, value in zip(names, record, strict=True)} for record in records)


def _check_name(name: str, what: str) -> None:
    if not name.strip() or not name.isprintable() or clean(name) != name or len(name.encode()) > MOST_BYTES_IN_A_NAME:
        raise PermanentError(f"{name[:100]!r} cannot be the name of a {what}: it has 1 to 63 characters on one line")
