"""A process that reads its parts of a file: ``python -m mainstay.imports TURN``, the job on standard input.

Each part goes to standard output, pickled, with its length before it; the one who reads slowly holds it up. These are
pickles between a process and its own child, never of foreign data.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import BinaryIO

from mainstay.errors import MainstayError, MalformedError
from mainstay.imports.lines import Job, Part, parts

_LENGTH = struct.Struct("!Q")
_BUFFER = 1 << 20


class Reader:
    """One such process, seen from its parent by way of its output."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def next(self) -> Part | None:
        """Return the next part; None after the last.

        Raises:
            MalformedError: the file cannot be read any further.
        """
        try:
            (length,) = _LENGTH.unpack(await self._stream.readexactly(_LENGTH.size))
            if not length:
                return None
            found = pickle.loads(await self._stream.readexactly(length))  # noqa: S301 - our own child wrote it
        except asyncio.IncompleteReadError:
            raise MalformedError("the process that reads the file has died; run the same again to go on") from None
        if isinstance(found, str):
            raise MalformedError(found)
        part: Part = found
        return part


@asynccontextmanager
async def reading(job: Job) -> AsyncIterator[Sequence[Reader]]:
    """Run the processes that read a file, until the block is left."""
    processes: list[asyncio.subprocess.Process] = []
    readers: list[Reader] = []
    try:
        for turn in range(job.workers):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mainstay.imports",
                str(turn),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_BUFFER,
                start_new_session=True,  # Ctrl-C is for the parent, which ends them
            )
            processes.append(process)
            if process.stdin is not None and process.stdout is not None:
                process.stdin.write(pickle.dumps(job))
                process.stdin.close()
                readers.append(Reader(process.stdout))
        yield readers
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


def main() -> None:
    """Read the parts whose turn it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent wrote it
    out = sys.stdout.buffer
    sys.stdout = sys.stderr
    try:
        for part in parts(job, int(sys.argv[1])):
            _send(out, part)
    except (MainstayError, OSError) as error:
        _send(out, str(error))
    out.write(_LENGTH.pack(0))
    out.flush()


def _send(out: BinaryIO, found: Part | str) -> None:
    data = pickle.dumps(found, protocol=5)
    out.write(_LENGTH.pack(len(data)))
    out.write(data)
    out.flush()
