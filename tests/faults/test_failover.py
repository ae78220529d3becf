"""PostgreSQL dies for good under load and its standby takes its place: what was accepted is kept and goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Fleet, postmaster, until
from tests.faults.sender import insist
from tests.faults.standby import Standby, either
from tests.faults.test_postgres_unwell import Stack, lead

LEADS = 60


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for both servers. Not below pytest's, which is closed to the account that they run as."""
    folder = Path(tempfile.mkdtemp())
    (folder / "postgres").mkdir()
    for each in (folder, folder / "postgres"):
        each.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def own_server(home: Path) -> AsyncIterator[EmbeddedServer]:
    """The first server."""
    server = EmbeddedServer(home)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture
async def standby(own_dsn: str, home: Path) -> AsyncIterator[Standby]:
    """A standby of the test's own server; ``own_dsn`` has migrated a database there."""
    del own_dsn
    made = Standby(home / "postgres/data", home / "standby")
    await asyncio.to_thread(made.start)
    await until(lambda: asyncio.to_thread(made.is_synchronous), "the standby follows")
    yield made
    await asyncio.to_thread(made.stop)


async def test_a_standby_takes_over(fleet: Fleet, sandbox: Sandbox, own_dsn: str, standby: Standby, home: Path) -> None:
    stack = Stack(fleet, either(own_dsn, home / "postgres/data", standby.data))
    port = await stack.ready()
    async with aiohttp.ClientSession() as session:
        sending = asyncio.gather(*(insist(session, port, lead(n), key=f"{n}") for n in range(LEADS)))
        await until(lambda: len(sandbox.messages("slack")) >= LEADS // 6, "under way")
        os.kill(postmaster(home / "postgres"), signal.SIGKILL)
        await asyncio.to_thread(standby.promote)
        statuses = await sending
    assert {status for tried in statuses for status in tried} <= {200, 202, 429}
    await stack.finish(sandbox, LEADS)
