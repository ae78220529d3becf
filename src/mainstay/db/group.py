"""Group commit: concurrent small writes share one transaction, so that one flush to disk serves them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import asyncpg

from mainstay.db.pool import Connection, Pool, acquire
from mainstay.errors import DatabaseUnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Write(Generic[Item, Result]):
    """One kind of write, done for many items at once.

    Attributes:
        name: for messages.
        rank: writes of a lower rank go first, in every process, so that row locks are taken in one order.
        apply: does the write inside the transaction; returns one result per item, in order. A result that is an
            exception is raised to its caller alone.
        locks: what ``apply`` locks in an order of its own. Of the kinds that lock the same, one transaction holds one:
            each is sorted in itself, two after one another are not, and would meet another process's crosswise.
    """

    name: str
    rank: int
    apply: Callable[[Connection, Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
    locks: str = ""


_Entry = tuple[Write[Any, Any], Any, "asyncio.Future[Any]"]
_TRIES = 5


class GroupCommit:
    """Collects writes while one transaction is under way and commits them together in the next.

    No write waits for a timer: an idle database commits a lone write at once, a busy one commits what has gathered.
    A transaction that fails as a whole is done again item by item, so that one bad item harms no other; one that
    PostgreSQL broke off in favour of another (a deadlock) is done again as it was. So ``apply`` may be called more
    than once for an item, and must not use it up.
    """

    def __init__(self, pool: Pool, *, max_items: int = 128) -> None:
        self._pool = pool
        self._max_items = max_items
        self._waiting: list[_Entry] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """Writes that wait for their transaction."""
        return len(self._waiting)

    async def __call__(self, write: Write[Item, Result], item: Item) -> Result:
        """Do one write; returns once it is on disk."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        # One turn of the loop lets what arrived together go together.
        await asyncio.sleep(0)
        try:
            while self._waiting:
                await self._commit(self._take())
        finally:
            self._task = None

    def _take(self) -> list[_Entry]:
        """Take what goes into one transaction; what may not go with it stays, in order."""
        batch: list[_Entry] = []
        left: list[_Entry] = []
        kinds: dict[str, Write[Any, Any]] = {}
        for place, entry in enumerate(self._waiting):
            if len(batch) == self._max_items:
                left += self._waiting[place:]
                break
            write = entry[0]
            goes = not write.locks or kinds.setdefault(write.locks, write) is write
            (batch if goes else left).append(entry)
        self._waiting = left
        return batch

    async def _commit(self, batch: list[_Entry], *, tries: int = _TRIES) -> None:
        try:
            results = await self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, each caller must hear of its own item
            if isinstance(error, asyncpg.exceptions.TransactionRollbackError) and tries > 1:
                await self._commit(batch, tries=tries - 1)
            elif len(batch) == 1 or isinstance(error, DatabaseUnavailableError):
                _tell(batch, [error] * len(batch))
            else:
                for entry in batch:
                    await self._commit([entry])
        else:
            _tell(batch, results)

    async def _transaction(self, batch: list[_Entry]) -> list[Any]:
        kinds = sorted({write for write, _, _ in batch}, key=lambda write: write.rank)
        results: dict[int, Any] = {}
        async with acquire(self._pool) as connection, connection.transaction():
            for kind in kinds:
                places = [place for place, (write, _, _) in enumerate(batch) if write is kind]
                outcome = await kind.apply(connection, [batch[place][1] for place in places])
                results.update(zip(places, outcome, strict=True))
        return [results[place] for place in range(len(batch))]


def _tell(batch: Sequence[_Entry], results: Sequence[Any]) -> None:
    """Give each caller that still waits its own result."""
    for (_, _, future), result in zip(batch, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
