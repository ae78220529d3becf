"""The sandbox's server: every vendor under its prefix, the control plane, the SMTP port; on loopback alone."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

import orjson
from aiohttp import web

from mainstay.sandbox.control import Control
from mainstay.sandbox.faults import DONE, Fault, Faults
from mainstay.sandbox.recording import Recording
from mainstay.sandbox.vendors import simulators
from mainstay.sandbox.vendors.smtp import Smtp, SmtpSession
from mainstay.sandbox.wire import Json, Reply, Request, Vendor, answer

HOST = "127.0.0.1"
_HTML = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>Bad Gateway</h1><p>The upstream server did not answer.</p></body></html>"
)
_DRIPS = 20


@dataclass(frozen=True)
class Ports:
    """Where the sandbox listens."""

    http: int
    smtp: int


class Server:
    """All simulators in one process. A request's effect is done between two awaits, so it is whole or absent."""

    def __init__(self, *, keep_requests: int = 2000) -> None:
        """Keep the last ``keep_requests`` requests of each vendor for the control plane."""
        self._smtp = Smtp()
        everyone: list[Vendor] = [*(make() for make in simulators()), self._smtp]
        self._vendors = {vendor.name: vendor for vendor in everyone}
        self._faults = Faults()
        self._recording = Recording(keep_requests)
        self._control = Control(self._vendors, self._faults, self._recording)
        self._web = web.Server(self._answer, handler_cancellation=True, access_log=None)
        self._listeners: list[asyncio.Server] = []

    async def start(self, http_port: int = 0, smtp_port: int = 0) -> Ports:
        """Listen; port 0 takes a free one. Raises ``OSError`` when a port is taken."""
        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_server(self._web, HOST, http_port, backlog=1024))
        self._listeners.append(await asyncio.start_server(self._smtp_session, HOST, smtp_port))
        http, smtp = (listener.sockets[0].getsockname()[1] for listener in self._listeners)
        return Ports(http, smtp)

    async def stop(self) -> None:
        """Close listeners and connections."""
        for listener in self._listeners:
            listener.close()
        await self._web.shutdown(timeout=1)

    async def _smtp_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await SmtpSession(self._smtp, self._faults, reader, writer).run()

    async def _answer(self, incoming: web.BaseRequest) -> web.StreamResponse:
        raw_path, _, query = incoming.raw_path.partition("?")
        prefix, _, path = raw_path[1:].partition("/")
        # Not the library's read(), which ends at one megabyte: Google takes more.
        body = await incoming.content.read()
        request = Request(incoming.method, f"/{path}", query, incoming.headers, body)
        if prefix == "_control":
            return _response(self._control.handle(request))
        vendor = self._vendors.get(prefix)
        if vendor is None:
            message = f"no vendor {prefix!r} here; there are {', '.join(self._vendors)}, and /_control"
            return _response(answer(404, {"error": message}))
        if not self._faults:
            reply = vendor.handle(request)
            self._recording.add(vendor.name, request, reply, None)
            return _response(reply)
        return await self._with_faults(vendor, request, incoming)

    async def _with_faults(self, vendor: Vendor, request: Request, incoming: web.BaseRequest) -> web.StreamResponse:
        wait, struck = self._faults.strike(vendor.name, request.method, request.path, request.body)
        if wait:
            await asyncio.sleep(wait / 1000)
        if struck is None:
            reply = vendor.handle(request)
            self._recording.add(vendor.name, request, reply, "latency" if wait else None)
            return _response(reply)
        fault = struck.fault
        reply = self._faulty_reply(vendor, request, fault)
        silent = fault.kind.startswith(("timeout", "drop", "reset"))
        self._recording.add(vendor.name, request, None if silent else reply, fault.kind)
        if silent:
            if fault.kind.startswith("timeout"):
                # The client's giving up cancels this wait.
                await asyncio.sleep(fault.hold_ms / 1000)
            _close(incoming, reset=fault.kind == "reset")
        if fault.kind == "hold":
            await struck.cleared.wait()
        if fault.kind == "drip":
            return await _drip(incoming, reply, fault.hold_ms / 1000)
        return _response(reply)

    def _faulty_reply(self, vendor: Vendor, request: Request, fault: Fault) -> Reply:
        if fault.kind == "html":
            return Reply(200, _HTML, "text/html; charset=utf-8")
        if fault.kind not in DONE:
            return vendor.failure(request, fault.status, fault.retry_after)
        reply = vendor.handle(request)
        match fault.kind:
            case "truncated":
                return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.content_type, reply.headers)
            case "empty":
                return Reply(204)
            case "status_after":
                return vendor.failure(request, fault.status, fault.retry_after)
            case "reshaped":
                return Reply(reply.status, orjson.dumps(_renamed(orjson.loads(reply.body))), headers=reply.headers)
        return reply


def _renamed(value: Json) -> Json:
    """Return a JSON value under other keys."""
    if isinstance(value, dict):
        return {f"{key}_v2": _renamed(entry) for key, entry in value.items()}
    return [_renamed(entry) for entry in value] if isinstance(value, list) else value


async def _drip(incoming: web.BaseRequest, reply: Reply, seconds: float) -> web.StreamResponse:
    """Answer in small pieces."""
    response = web.StreamResponse(status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type})
    response.content_length = len(reply.body)
    await response.prepare(incoming)
    size = max(1, -(-len(reply.body) // _DRIPS))
    for start in range(0, len(reply.body), size):
        await asyncio.sleep(seconds / _DRIPS)
        await response.write(reply.body[start : start + size])
    await response.write_eof()
    return response


def _response(reply: Reply) -> web.Response:
    headers = {**reply.headers, "Content-Type": reply.content_type}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _close(incoming: web.BaseRequest, *, reset: bool) -> None:
    """Close the connection under the answer that is about to be written, so that none arrives."""
    transport = incoming.transport
    if transport is None:
        return
    if reset:
        raw = transport.get_extra_info("socket")
        with suppress(OSError):
            # Lingering 0 s makes the kernel send RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
