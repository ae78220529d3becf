"""Many writes in one request: NDJSON in, one outcome a line out, in order, while the request is still coming in.

Memory stays flat at any size: a window of lines is under way at a time, and they share transactions. A client that
sends everything before it reads anything is no trouble: what it has not read yet waits on disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError
from starlette.responses import Response

from mainstay.contacts import outcome_to_json
from mainstay.web.api.bodies import BulkLine
from mainstay.web.api.problems import INVALID, TOO_LARGE, UNREADABLE, Problem, fault, field_errors, problem_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from mainstay.contacts import Outcome

MAX_LINE = 64 * 1024
WINDOW = 256
_CHUNK = 64 * 1024
_IN_MEMORY = 1024 * 1024


class BulkAnswer(Response):
    """Reads the request's lines itself and answers each; ``write`` carries one out."""

    media_type = "application/x-ndjson"

    def __init__(self, write: Callable[[BulkLine], Awaitable[Outcome]]) -> None:
        super().__init__()
        self._write = write
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        spool = Spool()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry_out(receive, spool))
                while chunk := await spool.read():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            spool.close()
        await send({"type": "http.response.body", "body": b""})

    async def _carry_out(self, receive: Receive, spool: Spool) -> None:
        under_way: deque[asyncio.Task[bytes]] = deque()
        async with asyncio.TaskGroup() as lines:
            async for number, line in _lines(receive):
                under_way.append(lines.create_task(self._one(number, line)))
                if len(under_way) >= WINDOW:
                    spool.write(await under_way.popleft())
            while under_way:
                spool.write(await under_way.popleft())
        spool.end()

    async def _one(self, number: int, line: bytes | None) -> bytes:
        try:
            if line is None:
                answer = _told(number, Problem(TOO_LARGE, f"The line is longer than {MAX_LINE:,} bytes."))
            else:
                answer = _done(number, await self._write(BulkLine.model_validate_json(line)))
        except ValidationError as error:
            answer = _told(number, _unfit(error))
        except Exception as error:  # noqa: BLE001 - one line's fault harms no other
            answer = _told(number, problem_of(error) or fault(f"bulk line {number}", error))
        return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)


def _done(number: int, outcome: Outcome) -> dict[str, Any]:
    status = 201 if outcome.outcome == "created" else 200
    return {"line": number, "status": status, "repeated": outcome.is_repeat, **outcome_to_json(outcome)}


def _told(number: int, problem: Problem) -> dict[str, Any]:
    return {"line": number, **problem.to_json()}


def _unfit(error: ValidationError) -> Problem:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return Problem(UNREADABLE, "The line is not JSON that can be read.")
    found = field_errors(errors)
    return Problem(INVALID, "; ".join(f"{each.field}: {each.message}" for each in found), tuple(found))


async def _lines(receive: Receive) -> AsyncIterator[tuple[int, bytes | None]]:
    """Give each line that is not blank with its number, from 1; None for one that is too long."""
    number, rest, is_long = 0, b"", False
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return  # half a line is none; who sent it knows, and comes back
        is_more = message.get("more_body", False)
        *whole, rest = (rest + message.get("body", b"")).split(b"\n")
        if not is_more:
            whole.append(rest)
        for line in whole:
            number += 1
            if is_long or len(line) > MAX_LINE:
                yield number, None
            elif line.strip():
                yield number, line
            is_long = False
        if len(rest) > MAX_LINE:
            rest, is_long = b"", True


class Spool:
    """What is to be sent, in order: a little in memory, more on disk, so that whoever writes never waits."""

    def __init__(self) -> None:
        self._memory: deque[bytes] = deque()
        self._size = 0
        self._file: IO[bytes] | None = None
        self._read_to = self._written_to = 0
        self._is_ended = False
        self._news = asyncio.Event()

    def write(self, text: bytes) -> None:
        """Add to what is to be sent."""
        if self._written_to == self._read_to and self._size + len(text) <= _IN_MEMORY:
            self._memory.append(text)
            self._size += len(text)
        else:
            file = self._file = self._file or TemporaryFile()  # noqa: SIM115 - closed by close()
            file.seek(self._written_to)
            self._written_to += file.write(text)
        self._news.set()

    def end(self) -> None:
        """Say that nothing more comes."""
        self._is_ended = True
        self._news.set()

    async def read(self) -> bytes:
        """Return what is there, as soon as there is something; empty at the end."""
        while not self._memory and self._read_to == self._written_to:
            if self._is_ended:
                return b""
            self._news.clear()
            await self._news.wait()
        if self._memory:
            text = b"".join(self._memory)
            self._memory.clear()
            self._size = 0
            return text
        return self._from_file()

    def _from_file(self) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(self._read_to)
        text = self._file.read(min(_CHUNK, self._written_to - self._read_to))
        self._read_to += len(text)
        if self._read_to == self._written_to:
            self._file.truncate(0)
            self._read_to = self._written_to = 0
        return text

    def close(self) -> None:
        """Give the disk back."""
        if self._file is not None:
            self._file.close()
