from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> Iterator[Sandbox]:
    sandbox = sandbox_process.sandbox
    sandbox.reset()
    yield sandbox
    sandbox.reset()
