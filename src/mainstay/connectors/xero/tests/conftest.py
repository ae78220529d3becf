from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mainstay.sandbox import SandboxProcess
from tests.kit.recorder import Recorder, recording


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def books(process: SandboxProcess) -> SandboxProcess:
    process.sandbox.reset()
    return process
