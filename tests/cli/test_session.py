"""A start while PostgreSQL is not there yet."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from mainstay.cli.session import ensure_schema
from mainstay.errors import DatabaseUnavailableError
from tests.faults.partition import Wire


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_server_that_comes_up_later_is_waited_for(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    wire = Wire(dsn)
    there = f"postgresql://postgres@127.0.0.1:{port}/{dsn.partition('?')[0].rpartition('/')[2]}"
    with caplog.at_level(logging.WARNING):
        waiting = asyncio.create_task(ensure_schema(there, patience=60.0))
        while "does not let us in yet" not in caplog.text:  # noqa: ASYNC110 a log tells nobody
            await asyncio.sleep(0)
        async with wire.laid(port):
            assert await waiting is False
    assert caplog.text.count("does not let us in yet") == 1


async def test_one_that_never_comes_is_told_without_its_password() -> None:
    dsn = f"postgresql://mainstay:hunter2@127.0.0.1:{free_port()}/acme"
    with pytest.raises(DatabaseUnavailableError, match="PostgreSQL at 127.0.0.1:.*/acme does not let us in") as caught:
        await ensure_schema(dsn)
    assert "hunter2" not in str(caught.value)
