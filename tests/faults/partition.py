"""Wires that break: one to the database that can be cut without a word, one to vendors that breaks at random."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Wire:
    """Passes on what goes to a server and back, unless it is cut.

    Attributes:
        dsn: leads to the server's database over this wire.
        is_whole: cleared, nothing gets through and nobody is told; set, all that waited goes on.
    """

    def __init__(self, dsn: str) -> None:
        self._original = urlsplit(dsn)
        self.dsn = ""
        self.is_whole = asyncio.Event()
        self.is_whole.set()

    @asynccontextmanager
    async def laid(self, port: int = 0) -> AsyncIterator[Wire]:
        """Lay it to a port of this machine, and take it away in the end."""
        listener = await asyncio.start_server(self._connect, "127.0.0.1", port)
        port = listener.sockets[0].getsockname()[1]
        user = self._original.username or "postgres"
        self.dsn = f"postgresql://{user}@127.0.0.1:{port}{self._original.path}"
        async with listener:
            yield self
            listener.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = parse_qs(self._original.query)
        folder = query.get("host", [self._original.hostname or ""])[0]
        port = int(query.get("port", [str(self._original.port or 5432)])[0])
        if folder.startswith("/"):
            theirs = await asyncio.open_unix_connection(str(Path(folder) / f".s.PGSQL.{port}"))
        else:
            theirs = await asyncio.open_connection(folder, port)
        await asyncio.gather(self._pass_on(reader, theirs[1]), self._pass_on(theirs[0], writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while said := await reader.read(65536):
                await self.is_whole.wait()
                writer.write(said)
                await writer.drain()
        writer.close()


class LossyLine:
    """A line to an HTTP server that breaks at random: somewhere in a request, or somewhere in an answer.

    Attributes:
        url: leads to the server over this line.
        share: of the pieces that go over it, how many break it; may be changed at any time.
        broken: how often it broke.
    """

    def __init__(self, url: str, *, seed: int, share: float) -> None:
        self._original = urlsplit(url)
        self._rng = random.Random(seed)
        self.url = ""
        self.share = share
        self.broken = 0
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[LossyLine]:
        """Lay it, and take it away in the end."""
        listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with listener:
            yield self
            listener.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task that the server itself makes is complained of when it is cancelled.
        task = asyncio.ensure_future(self._carry(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection(self._original.hostname, self._original.port)
        await asyncio.gather(self._pass_on(reader, theirs[1], writer), self._pass_on(theirs[0], writer, theirs[1]))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while said := await reader.read(65536):
                if self._rng.random() < self.share:
                    self.broken += 1
                    writer.write(said[: self._rng.randrange(len(said) + 1)])
                    await writer.drain()
                    back.close()
                    break
                writer.write(said)
                await writer.drain()
        writer.close()
