"""Fixtures of the fault tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.process import SandboxProcess
from mainstay.testing.database import template, with_database
from tests.faults.fleet import Books, Fleet


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that many kills take on a slow machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def fleet(sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Processes to kill."""
    opened = Fleet(tmp_path_factory.mktemp("fleet"), sandbox_process.base_url)
    yield opened
    logs = opened.logs
    opened.close()
    print(logs)  # noqa: T201 shown where the test failed


@pytest_asyncio.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A PostgreSQL that nobody else uses, in the test's folder."""
    server = EmbeddedServer(tmp_path)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture
async def own_dsn(own_server: EmbeddedServer) -> str:
    """A migrated database there."""
    base = await asyncio.to_thread(own_server.start)
    return with_database(base, await asyncio.to_thread(template, base))


@pytest_asyncio.fixture
async def books(dsn: str) -> AsyncIterator[Books]:
    """The test's database, as its tables show it."""
    opened = await Books.open(dsn)
    yield opened
    await opened.close()
