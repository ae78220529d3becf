"""The way back from a vendor's page to this machine: one request to a port of loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mainstay.access import ConnectError
from mainstay.access.connecting import PATIENCE
from mainstay.cli.errors import CommandError

Finish = Callable[[Mapping[str, str]], Awaitable[Any]]

_LONGEST_HEAD = 32_768
_SLOWEST = 30.0
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><body style="font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto">
<h1>{title}</h1><p>{text}</p></body></html>"""


@dataclass(frozen=True, slots=True)
class Way:
    """Somebody's way: for which connection, to where they come back, and the state by which they are known."""

    name: str
    back: str
    state: str = field(repr=False)


@asynccontextmanager
async def land(way: Way, finish: Finish) -> AsyncIterator[asyncio.Future[None]]:
    """Listen where a way comes back to this machine; give what ends when somebody has come.

    Raises:
        CommandError: the port cannot be had, or nobody came back in time.
        ConnectError: somebody came back, and it did not work.
    """
    parts = urlsplit(way.back)
    landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outcome: Exception | None = None
        is_end = False
        try:
            async with asyncio.timeout(_SLOWEST):
                head = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = head.decode("latin-1").partition(" ")
            target = urlsplit(rest.partition(" ")[0])
            params = dict(parse_qsl(target.query))
            # Any page in the browser may send something here; only the vendor knows the state.
            if method != "GET" or target.path != (parts.path or "/") or params.get("state") != way.state:
                _answer(writer, 404, "Not here", "Nothing has this address.")
            else:
                is_end, outcome = True, await _take(writer, way.name, params, finish)
            await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Whatever came was no browser on its way back.
        finally:
            writer.close()
        if is_end and not landed.done():
            if outcome is None:
                landed.set_result(None)
            else:
                landed.set_exception(outcome)

    servers = await _listen(parts.port or 80, serve)
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            yield landed
    except TimeoutError:
        hint = f"Begin again: mainstay connect {way.name}"
        raise CommandError("nobody came back from the vendor's page", hint) from None
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()


async def _take(writer: asyncio.StreamWriter, name: str, params: Mapping[str, str], finish: Finish) -> Exception | None:
    """Take somebody in and tell them; returns what went wrong."""
    try:
        await finish(params)
    except ConnectError as error:
        _answer(writer, 400, f"{name} is not connected", str(error))
        return error
    except Exception as error:  # noqa: BLE001 - it is the command's, which waits for it
        _answer(writer, 500, f"{name} is not connected", "The terminal says why.")
        return error
    _answer(writer, 200, f"{name} is connected", "You can close this window and go back to the terminal.")
    return None


async def _listen(port: int, serve: Any) -> list[asyncio.Server]:
    # "localhost" is either of the two, as each browser likes.
    servers = [await _server("127.0.0.1", socket.AF_INET, port, serve)]
    with suppress(CommandError, OSError):
        servers.append(await _server("::1", socket.AF_INET6, port, serve))
    return servers


async def _server(host: str, family: socket.AddressFamily, port: int, serve: Any) -> asyncio.Server:
    try:
        return await asyncio.start_server(serve, host, port, family=family, limit=_LONGEST_HEAD)
    except OSError as error:
        message = f"cannot listen on port {port} for the way back: {error.strerror}"
        raise CommandError(message, "Choose another with --port, and add it to the app's redirect URLs") from None


def _answer(writer: asyncio.StreamWriter, status: int, title: str, text: str) -> None:
    body = _PAGE.format(title=escape(title), text=escape(text)).encode()
    head = (
        f"HTTP/1.1 {status} -\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
