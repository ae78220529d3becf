from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.recorder import Recorder, recording


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder
