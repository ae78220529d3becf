"""What the benches of mirrors stand on: books of contacts, the copies of them, and one process that is measured.

Each figure comes from a process of its own (``python bench/mirrored.py``, started by :func:`measured`), so that its
peak of memory is that of this one copy. Mainstay runs in it as in a worker, but for the queue: runs are driven in turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg
import psutil
import uvloop
from stand import tell

from mainstay.cli.session import migrate_all
from mainstay.db import acquire
from mainstay.db.embedded import EmbeddedServer
from mainstay.kit import Row, Rows, Written
from mainstay.mirrors import KEY, USUAL_COLUMNS
from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest

CHANGED = 100
"""Every so many-th contact is changed, or its row edited."""
SHEET_ROWS = 20_000
BOOK = "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
_STACK = """\
[workspace]
name = "{slug}"
slug = "{slug}"
timezone = "UTC"
region = "US"
[connections]
copy = {{ {copy} }}
[records.contact]
mirrors = ["copy"]
"""
_SHEET = f'connector = "google_sheets", spreadsheet_id = "{BOOK}", access_token = "${{TOKEN}}", create = "tables"'
_SEED = """
INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, source, tags, created_at,
                      updated_at)
SELECT (lpad(to_hex($3::bigint + n), 12, '0') || '7000' || right(md5(n::text), 16))::uuid, $1,
       'lead' || n || '@example.com', '+1312' || lpad(n::text, 7, '0'), 'First' || n % 900, 'Last' || n % 7000,
       CASE WHEN n % 3 = 0 THEN 'Company ' || n ELSE '' END, 'website',
       CASE WHEN n % 4 = 0 THEN ARRAY['customer', 'north'] ELSE '{}' END, now(), now()
FROM generate_series(1, $2::integer) AS n
"""
_COLUMNS = "id, first_name, last_name, email, phone, company, source, tags, do_not_contact"


class MemoryTable:
    """A copy that costs next to nothing: what is left is Mainstay's own."""

    batch = page = 10_000

    def __init__(self) -> None:
        """Start empty."""
        self._rows: list[dict[str, Any]] = []
        self._places: dict[Any, int] = {}

    async def upsert_rows(self, _table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows."""
        for row in rows:
            place = self._places.setdefault(row[key], len(self._rows))
            if place == len(self._rows):
                self._rows.append(dict(row))
            else:
                self._rows[place].update(row)
        return Written()

    async def remove_rows(self, _table: str, key: str, values: Sequence[str]) -> Written:
        """Empty rows; nothing is removed here."""
        raise NotImplementedError(f"{len(values)} rows by {key}")

    async def read_rows(self, _table: str, cursor: str = "") -> Rows:
        """Read a page."""
        until = int(cursor or 0) + self.page
        return Rows(tuple(self._rows[until - self.page : until]), str(until) if until < len(self._rows) else "")


@dataclass(frozen=True)
class Task:
    """What one process measures: the copy (``memory``, ``sql``, ``sheet``) of the workspace ``slug``."""

    copy: str
    slug: str
    rows: int
    dsn: str
    postmaster: int
    sandbox: str = ""
    is_compared: bool = False


@dataclass
class Figures:
    """Seconds and CPU seconds (Python's, PostgreSQL's) by phase, the peak of memory in MB, the calls of a vendor."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, tuple[float, float]] = field(default_factory=dict)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    memory: float = 0.0
    found: dict[str, int] = field(default_factory=dict)


class _Copy:
    """One stack with one copy, and what is done to it."""

    def __init__(self, task: Task, stack: StackUnderTest, connection: asyncpg.Connection[Any]) -> None:
        self._task = task
        self._stack = stack
        self._connection = connection
        self._workspace_id: UUID = next(iter(stack.app.workspaces))
        self._server = psutil.Process(task.postmaster)
        self.figures = Figures()

    async def load(self) -> None:
        """Write all contacts."""
        await self._timed("first load", self._write)

    async def change(self) -> None:
        """Change every hundredth contact, and write that."""
        async with acquire(self._stack.app.pool) as connection, connection.transaction():
            await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
            await connection.execute(
                """
                UPDATE contacts SET company = 'Changed ' || version, version = version + 1
                WHERE workspace_id = $1 AND substr(phone, 6)::integer % $2 = 0
                """,
                self._workspace_id,
                CHANGED,
            )
            await connection.execute("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
        await self._timed("1 % changed", self._write)

    async def compare(self, name: str) -> None:
        """Compare the copy with what was written."""
        await self._timed(name, self._compare)
        self.figures.found[name] = await self._connection.fetchval(
            "SELECT count(*) FROM drifts WHERE workspace_id = $1 AND state = 'open'", self._workspace_id
        )

    async def revert(self) -> None:
        """Have all that drifted written again."""

        async def work() -> None:
            await self._stack.app.copies.revert(self._workspace_id, "copy", by="bench")
            await self._connection.execute("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
            await self._write()

        await self._timed("revert", work)

    async def _write(self) -> None:
        await self._stack.app.copies.begin_due(self._workspace_id)
        for _ in range(100):
            await self._stack.settle()
            if await self._connection.fetchval(
                """
                SELECT loaded_at IS NOT NULL AND NOT EXISTS (SELECT FROM stale_in_mirror WHERE workspace_id = $1)
                FROM mirrors WHERE workspace_id = $1
                """,
                self._workspace_id,
            ):
                return
            await self._stack.app.copies.begin_due(self._workspace_id)
        raise RuntimeError("the copy was not written: see the runs")

    async def _compare(self) -> None:
        await self._stack.app.copies.compare(self._workspace_id, "copy")
        await self._stack.settle()
        states = {state for _, _, state in await self._stack.runs("compare-mirror.v1")}
        if states != {"done"}:
            raise RuntimeError(f"comparisons are {states}")

    async def _timed(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        sheets = self._stack.sandbox if self._task.copy == "sheet" else None
        earlier = len(sheets.requests("google_sheets")) if sheets else 0
        before, began = self._cpu(), time.perf_counter()
        await work()
        self.figures.seconds[name] = time.perf_counter() - began
        mine, server = (new - old for old, new in zip(before, self._cpu(), strict=True))
        self.figures.cpu[name] = (mine, server)
        if sheets is not None:
            made = sheets.requests("google_sheets")[earlier:]
            self.figures.calls[name] = {
                kind: sum((each["method"] == "GET") == (kind == "reads") for each in made)
                for kind in ("reads", "writes")
            }

    def _cpu(self) -> tuple[float, float]:
        mine, server = time.process_time(), 0.0
        for process in (self._server, *self._server.children()):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            server += times.user + times.system + times.children_user + times.children_system
        return mine, server


async def _measure(task: Task) -> Figures:
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        (folder / ".env").write_text(f"COPIES={copies_of(task.dsn)}\n")
        sql = f'connector = "sql_table", dsn = "${{COPIES}}", create = "tables", schema = "{task.slug}"'
        (folder / "stack.toml").write_text(_STACK.format(slug=task.slug, copy=_SHEET if task.copy == "sheet" else sql))
        stack = await StackUnderTest.open(folder, task.dsn, Sandbox(task.sandbox or "http://127.0.0.1:1"))
        app: Any = stack.app
        if task.copy == "memory":
            table = MemoryTable()
            app.table = lambda _workspace, _connection, _http: table
        other = await asyncpg.connect(task.dsn)
        copy = _Copy(task, stack, other)
        await copy.load()
        if task.is_compared:
            await copy.compare("comparison")
            if task.copy == "sql":
                await _edit(task)
                await copy.compare("comparison, 1 % edited")
                await copy.revert()
                await copy.compare("comparison, reverted")
        else:
            await copy.change()
        await other.close()
        await stack.close()
    copy.figures.memory = _peak()
    return copy.figures


async def _edit(task: Task) -> None:
    connection = await asyncpg.connect(copies_of(task.dsn))
    await connection.execute(
        f"""UPDATE "{task.slug}"."Contacts" SET "Company" = 'edited' WHERE right("Phone", 7)::integer % {CHANGED} = 1"""  # noqa: S608 our own words
    )
    await connection.close()


def _peak() -> float:
    # Not getrusage: that counts what the parent had before it became this program.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1e3


def measured(task: Task) -> Figures:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(asdict(task)), stdout=subprocess.PIPE, text=True, check=True
    )
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def copies_of(dsn: str) -> str:
    """Return the address of the database beside Mainstay's."""
    parts = dsn.split("?")
    return "?".join([parts[0].rpartition("/")[0] + "/copies", *parts[1:]])


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Have a PostgreSQL of one's own, with Mainstay's database and one for copies; gives its address and its id."""
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
        embedded = EmbeddedServer(Path(name))
        dsn = embedded.start()
        try:
            migrate_all(dsn)
            pid = int((Path(name) / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
            yield dsn, pid
        finally:
            embedded.stop()


async def _seed(dsn: str, slug: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    workspace_id = new_id()
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'copies')"):
        await connection.execute("CREATE DATABASE copies")
    async with connection.transaction():
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $2)", workspace_id, slug)
        start = int.from_bytes(os.urandom(3))
        await connection.execute(
            _SEED.replace("to_hex($3::bigint + n)", f"to_hex({start}::bigint * 16777216 + n)"), workspace_id, rows
        )
    await connection.execute("VACUUM ANALYZE contacts")
    await connection.execute("CHECKPOINT")
    await connection.close()
    copies = await asyncpg.connect(copies_of(dsn))
    await copies.execute(f'CREATE SCHEMA "{slug}"')
    await copies.close()


async def _limits(dsn: str, slug: str) -> tuple[float, float]:
    ours, theirs = await asyncpg.connect(dsn), await asyncpg.connect(copies_of(dsn))
    titles = ", ".join(f'"{title}" text' for title in (KEY, *USUAL_COLUMNS))
    await theirs.execute(f"CREATE TABLE bare ({titles})")
    began = time.perf_counter()
    async with ours.transaction():
        rows = await ours.cursor(
            f"SELECT {_COLUMNS} FROM contacts WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = $1)",  # noqa: S608 the names above
            slug,
        )
        while page := await rows.fetch(10_000):
            texts = [(*map(str, row[:-2]), ", ".join(row[-2]), "yes" if row[-1] else "") for row in page]
            await theirs.copy_records_to_table("bare", records=texts)
    copied = time.perf_counter() - began
    began = time.perf_counter()
    async with theirs.transaction():
        rows = await theirs.cursor("SELECT * FROM bare")
        while await rows.fetch(10_000):
            pass
    read = time.perf_counter() - began
    await theirs.execute("DROP TABLE bare")
    await ours.close()
    await theirs.close()
    return copied, read


def seed(dsn: str, slug: str, rows: int) -> None:
    """Make a workspace with so many contacts, as identity leaves them."""
    asyncio.run(_seed(dsn, slug, rows))


def limits(dsn: str, slug: str) -> tuple[float, float]:
    """Return the seconds that nobody can beat: all rows selected and copied into a bare table; that table selected."""
    return asyncio.run(_limits(dsn, slug))


def tell_figures(figures: Figures, rows: dict[str, int], bounds: dict[str, float]) -> None:
    """Print what was measured; ``rows`` and ``bounds`` (seconds) are by phase."""
    for name, seconds in figures.seconds.items():
        mine, theirs = (round(each / rows[name] * 1e6, 1) for each in figures.cpu[name])
        limit = f"{bounds[name] / seconds:.0%} of the limit, " if name in bounds else ""
        calls = f", calls {figures.calls[name]}" if name in figures.calls else ""
        found = f", {figures.found[name]:,} found" if name in figures.found else ""
        tell(
            name,
            f"{rows[name] / seconds:,.0f}",
            f"rows/s ({seconds:.2f} s; {limit}CPU us a row: Mainstay {mine}, PostgreSQL {theirs}{calls}{found})",
        )
    tell("peak of memory", figures.memory, "MB")


def main() -> None:
    """Measure what standard input says."""
    task = Task(**json.load(sys.stdin))
    figures = uvloop.run(_measure(task))
    print(json.dumps(asdict(cast("Any", figures))))


if __name__ == "__main__":
    main()
