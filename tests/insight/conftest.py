from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mainstay.db import Pool, acquire
from tests.insight.seed import Seed


@pytest.fixture
async def seed(pool: Pool) -> AsyncIterator[Seed]:
    """A workspace to write straight into."""
    async with acquire(pool) as connection:
        yield await Seed.workspace(connection)
