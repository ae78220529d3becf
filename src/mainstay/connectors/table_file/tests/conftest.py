from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainstay.kit.http import open_session
from tests.connectors.table_file_bench import FileBench


@pytest.fixture(params=["csv", "parquet"])
async def bench(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FileBench]:
    async with open_session() as session:
        made = FileBench(tmp_path / "tables", request.param, session, monkeypatch)
        yield made
        for descriptor in made.held:
            os.close(descriptor)
        if made.folder.is_dir():
            left = {path.suffix for path in made.folder.iterdir()}
            assert left <= {f".{made.format}", ".lock"}
