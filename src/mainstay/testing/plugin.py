"""The pytest plugin: a real database and simulated vendors, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mainstay.db import Pool, open_pool
from mainstay.sandbox.process import SandboxProcess
from mainstay.testing.database import Databases, server, template
from mainstay.testing.stack import StackUnderTest

if TYPE_CHECKING:
    from mainstay.sandbox.client import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Make the plugin's marker known."""
    config.addinivalue_line("markers", "stack(folder): the folder whose stack.toml the fixture `stack` runs")


@pytest.fixture(scope="session")
def mainstay_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server, shared by all test processes of the session."""
    base = tmp_path_factory.getbasetemp()
    with server(base.parent if base.name.startswith("popen-") else base) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def mainstay_template(mainstay_server: str) -> str:
    """Name of a migrated template database."""
    return template(mainstay_server)


@pytest.fixture(scope="session")
def mainstay_databases(mainstay_server: str, mainstay_template: str) -> Iterator[Databases]:
    """Fresh, migrated databases for the tests of this process."""
    databases = Databases(mainstay_server, mainstay_template)
    yield databases
    databases.close()


@pytest.fixture
def dsn(mainstay_databases: Databases) -> Iterator[str]:
    """Address of a fresh, migrated database."""
    with mainstay_databases.fresh() as address:
        yield address


@pytest_asyncio.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A connection pool on a fresh, migrated database."""
    opened = await open_pool(dsn, size=5)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    """The simulated vendors, in a process of their own."""
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> Iterator[Sandbox]:
    """The simulated vendors, empty and without faults."""
    client = sandbox_process.sandbox
    client.reset()
    yield client
    client.reset()


@pytest_asyncio.fixture
async def stack(dsn: str, sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[StackUnderTest]:
    """The stack of ``@pytest.mark.stack(folder)``, or of the project's root, connected to simulated vendors."""
    marker = request.node.get_closest_marker("stack")
    folder = Path(marker.args[0]) if marker else Path(request.config.rootpath)
    under_test = await StackUnderTest.open(folder, dsn, sandbox)
    await under_test.connect()
    yield under_test
    await under_test.close()
