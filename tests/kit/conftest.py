from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from mainstay.kit.http import open_session
from tests.kit.recorder import Recorder, recording


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened
