"""The web application on a real port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from mainstay.kit.http import open_session
from mainstay.testing import StackUnderTest
from mainstay.web.intake import IntakeEndpoint

if TYPE_CHECKING:
    from mainstay.kit.http import Session


@asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` on a listening socket."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def listen() -> tuple[socket.socket, str]:
    """Return a listening socket on a free port, and its address."""
    # With the protocol named, or asyncio leaves Nagle's delay on: 40 ms for each answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def taking_in(stack: StackUnderTest) -> AsyncIterator[tuple[Session, str]]:
    """Serve a stack's intake alone; gives a session for a sender, and the address it posts below."""
    listener, base = listen()
    endpoint = IntakeEndpoint(stack.app.intake, stack.app.by_slug, public_url="")
    async with serving(endpoint, listener), open_session() as session:
        yield session, base
