"""What the benches of mirrors stand on: a book of contacts, tables to copy it into, and runs driven without a queue."""

from __future__ import annotations

import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from stand import Stand

from mainstay.connectors.sql_table import CONNECTOR
from mainstay.connectors.sql_table.settings import SqlConnection
from mainstay.db import Pool, acquire, open_pool
from mainstay.kit import Http, HttpSettings, Row, Rows, Written
from mainstay.kit.http import Session, open_session
from mainstay.mirrors import COMPARE, KEY, MIRROR, Mirror, Mirrors
from mainstay.model import new_id

BOOK = """
INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, source, created_at, updated_at)
SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 'person' || n || '@example.com',
       '+1312555' || lpad((n % 10000)::text, 4, '0'), 'First' || n % 1000, 'Last' || n % 5000,
       'Company ' || n % 20000, 'website', now(), now()
FROM generate_series(1, $2::integer) AS n
"""
TITLES = ", ".join(f'"{title}" text' for title in (KEY, *Mirror("", "").columns))


@dataclass
class MemoryTable:
    """A table that costs next to nothing, so that what remains is Mainstay's own."""

    rows: dict[str, Mapping[str, str]] = field(default_factory=dict)
    batch: int = 20_000
    calls: int = 0

    async def upsert_rows(self, _table: str, key: str, rows: Sequence[Row]) -> Written:
        self.calls += 1
        for row in rows:
            self.rows[str(row[key])] = row  # type: ignore[assignment]
        return Written()

    async def remove_rows(self, _table: str, _key: str, values: Sequence[str]) -> Written:
        self.calls += 1
        for value in values:
            self.rows.pop(value, None)
        return Written()

    async def read_rows(self, _table: str, cursor: str = "") -> Rows:
        self.calls += 1
        if not cursor:
            self._order = list(self.rows.values())
        start = int(cursor or 0)
        page = tuple(self._order[start : start + self.batch])
        return Rows(page, str(start + self.batch) if start + self.batch < len(self._order) else "")


class Book:
    """One workspace's contacts and their mirror."""

    def __init__(self, pool: Pool, workspace_id: UUID, session: Session) -> None:
        self.pool = pool
        self.workspace_id = workspace_id
        self.mirror = Mirror("copy", "copy")
        self.sink: Any = MemoryTable()
        self._session = session
        nobody: Any = None
        self._mirrors = Mirrors(pool, self, nobody, _count)

    def mirrors(self, _workspace_id: UUID) -> Mapping[str, Mirror]:
        return {"copy": self.mirror}

    def table(self, _workspace_id: UUID, _connection: str, _http: Http) -> Any:
        return self.sink

    def use_sql(self, dsn: str) -> None:
        """Copy into a table of another database."""
        settings = SqlConnection.model_validate({"connector": "sql_table", "dsn": dsn, "create": "tables"})
        self.sink = CONNECTOR.roles["table"](settings, Http(self._session, HttpSettings("")), None)

    async def seed(self, count: int) -> None:
        """Fill the book, as the one path's triggers allow it."""
        async with acquire(self.pool) as connection, connection.transaction():
            await connection.execute("SET LOCAL mainstay.writer = 'identity'")
            await connection.execute(BOOK, self.workspace_id, count)
        async with acquire(self.pool) as connection:
            await connection.execute("ANALYZE contacts")

    async def change(self, every: int) -> None:
        """Change each so many-th contact, in one statement."""
        async with acquire(self.pool) as connection, connection.transaction():
            await connection.execute("SET LOCAL mainstay.writer = 'identity'")
            await connection.execute(
                "UPDATE contacts SET company = company || '!', version = version + 1 "
                "WHERE workspace_id = $1 AND ('x' || right(id::text, 6))::bit(24)::integer % $2 = 0",
                self.workspace_id,
                every,
            )

    async def declare(self) -> None:
        """Let the mirror be there, as if anew."""
        async with acquire(self.pool) as connection:
            await connection.execute("TRUNCATE mirrors, mirrored, stale_in_mirror, drifts")
        await self._mirrors.declare(self.workspace_id)

    async def write(self) -> None:
        """Write until nothing is stale."""
        await self._drive(MIRROR, self.workspace_id)

    async def compare(self) -> None:
        """Compare it all."""
        await self._drive(COMPARE, await self._mirrors.compare(self.workspace_id, "copy"))

    async def _drive(self, program: str, run_id: UUID) -> None:
        run = SimpleNamespace(id=run_id, workspace_id=self.workspace_id, input={"mirror": "copy"})

        async def step(_name: str, call: Callable[[Any], Awaitable[Any]], *, connection: str) -> Any:
            del connection
            return await call(None)

        steps: Any = SimpleNamespace(run=run, step=step)
        await self._mirrors.programs[program](steps)


async def _count(_connection: Any, _workspace_id: UUID, _mirror: Mirror, _count: int) -> None:
    """Tell nobody."""


@asynccontextmanager
async def book(stand: Stand) -> AsyncIterator[Book]:
    """Give an empty book on a stand."""
    pool = await open_pool(stand.dsn, size=4)
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace_id)
    async with open_session() as session:
        yield Book(pool, workspace_id, session)
    await pool.close()


async def timed(work: Callable[[], Awaitable[Any]], stand: Stand) -> tuple[float, float, float]:
    """Return the seconds that some work takes, and its CPU seconds: of this process, and of PostgreSQL."""
    wall, cpu, server = time.perf_counter(), time.process_time(), stand.database_cpu()
    await work()
    return time.perf_counter() - wall, time.process_time() - cpu, stand.database_cpu() - server


def peak_memory() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
