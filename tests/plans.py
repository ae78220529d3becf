"""Statements as they are really sent, so that a test can ask PostgreSQL how it would do each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

_SENDING = {"fetch", "fetchrow", "fetchval", "execute", "executemany"}


class Recorder:
    """A connection that keeps each statement that is sent with values; of ``executemany`` with the first ones."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.sent: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in _SENDING:
            return method

        async def kept(query: str, *values: Any) -> Any:
            if values and not (name == "executemany" and not values[0]):
                self.sent.append((query, tuple(values[0][0]) if name == "executemany" else values))
            return await method(query, *values)

        return kept


class RecordingPool:
    """A pool of one recording connection."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Recorder]:
        """Lend the connection."""
        yield self._recorder


def scans(node: dict[str, Any]) -> list[str]:
    """Return the tables that a plan reads from end to end."""
    found = [node["Relation Name"]] if "Seq Scan" in node["Node Type"] else []
    return found + [table for child in node.get("Plans", ()) for table in scans(child)]


def touched(node: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield how many rows each node of a plan has looked at."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    yield node["Node Type"], (node["Actual Rows"] + removed) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from touched(child)
