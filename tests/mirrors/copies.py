"""A table in memory in place of a vendor's, and a stack that mirrors its contacts into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainstay.db import acquire
from mainstay.kit import Row, Rows, Written
from mainstay.mirrors import KEY, Mirror
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.faults.fleet import until

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail  = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
    [alerts]
    other = ["email:ops@acme.example"]
"""


@dataclass
class MemoryTable:
    """Rows as a vendor would keep them, in order; ``fails`` is raised after the next write was done."""

    rows: list[dict[str, str]] = field(default_factory=list)
    page: int = 2
    batch: int = 100
    writes: int = 0
    fails: Exception | None = None
    between: Callable[[], Any] | None = None

    async def upsert_rows(self, _table: str, key: str, rows: Sequence[Row]) -> Written:
        self.writes += 1
        for row in rows:
            texts = {title: str(value) for title, value in row.items()}
            known = next((each for each in self.rows if each.get(key) == row[key]), None)
            if known is None:
                self.rows.append(texts)
            else:
                known.update(texts)
        await self._interrupt()
        return Written()

    async def remove_rows(self, _table: str, key: str, values: Sequence[str]) -> Written:
        self.writes += 1
        self.rows = [row for row in self.rows if row.get(key) not in values]
        await self._interrupt()
        return Written()

    async def read_rows(self, _table: str, cursor: str = "") -> Rows:
        start = int(cursor or 0)
        page = tuple(dict(row) for row in self.rows[start : start + self.page])
        await self._interrupt()
        return Rows(page, str(start + self.page) if start + self.page < len(self.rows) else "")

    async def _interrupt(self) -> None:
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails

    def column(self, title: str) -> list[str]:
        return [row.get(title, "") for row in self.rows]

    def of(self, email: str) -> dict[str, str]:
        return next(row for row in self.rows if row["E-mail"] == email)


@dataclass
class Copy:
    """A stack with one mirror."""

    stack: StackUnderTest
    table: MemoryTable
    mirror: Mirror
    declared: dict[str, Mirror] | None = None

    @classmethod
    async def make(cls, make_stack: MakeStack, **keys: Any) -> Copy:
        made = cls(await make_stack(STACK), MemoryTable(), Mirror("sheet", "slack", **keys))
        app: Any = made.stack.app
        app.table = lambda _workspace, _connection, _http: made.table
        app.mirrors = lambda _workspace: {"sheet": made.mirror} if made.declared is None else made.declared
        await app.copies.declare(made.workspace_id)
        return made

    @property
    def workspace_id(self) -> Any:
        return next(iter(self.stack.app.workspaces))

    async def submit(self, *names: str) -> None:
        for name in names:
            await self.stack.submit("website", email=f"{name}@example.com", name=f"{name.title()} Li")

    async def write(self) -> None:
        """Let the beat begin what is due, and drive it; changes need not be gathered for long."""

        before = await self.count("runs WHERE workflow = 'mirror.v1'")

        async def is_begun() -> bool:
            await self.stack.app.watch_once()
            # A first load waits for older transactions, of other tests on this server too.
            is_loaded = await self.count("mirrors WHERE loaded_at IS NOT NULL") == 1
            return is_loaded or await self.count("runs WHERE workflow = 'mirror.v1'") > before

        async with acquire(self.stack.app.pool) as connection:
            await connection.execute("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
        await until(is_begun, "the first load begins")
        await self.stack.settle()

    async def fill(self) -> None:
        """Write until all is in it, once more where it was before."""

        async def is_filled() -> bool:
            await self.write()
            return await self.count("mirrors WHERE loaded_at IS NOT NULL") == 1

        await until(is_filled, "all is in it")

    async def compare(self) -> None:
        await self.stack.app.copies.compare(self.workspace_id, "sheet")
        await self.stack.settle()

    async def revert(self) -> int:
        count = await self.stack.app.copies.revert(self.workspace_id, "sheet", by="test")
        await self.write()
        return count

    async def drifts(self, state: str = "open") -> list[Any]:
        async with acquire(self.stack.app.pool) as connection:
            rows = await connection.fetch("SELECT * FROM drifts WHERE state = $1 ORDER BY key, kind", state)
        return [(row["kind"], row["key"], row["fields"]) for row in rows]

    async def count(self, what: str) -> int:
        async with acquire(self.stack.app.pool) as connection:
            found: int = await connection.fetchval(f"SELECT count(*) FROM {what}")  # noqa: S608 a test's own words
        return found

    def key_of(self, name: str) -> str:
        return self.table.of(f"{name}@example.com")[KEY]
