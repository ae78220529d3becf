from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.connectors.google_sheets_bench import SheetsBench
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder, recording


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
async def bench(process: SandboxProcess) -> AsyncIterator[SheetsBench]:
    await process.aio.reset()
    async with open_session() as session:
        made = SheetsBench(process.sandbox, session)
        yield made
        with contextlib.suppress(pytest.skip.Exception):
            for record in await made.requests():
                # The log keeps 64 kB of a body.
                answered = (record["answer"] or {"body": ""})["body"]
                size = max(len(each.encode()) for each in (record["body"], answered))
                if record["path"] != "/token" and size < 60_000:
                    validate_recorded(record)


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder
