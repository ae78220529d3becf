"""A folder of tables, for tests."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mainstay.connectors.table_file import CONNECTOR, files
from mainstay.connectors.table_file.settings import TableFileConnection
from mainstay.kit import Connector, Http, Table, TransientError
from mainstay.kit.http import Session


@dataclass
class FileBench:
    folder: Path
    format: str
    session: Session
    patch: pytest.MonkeyPatch
    connector: Connector = CONNECTOR
    attempts: list[Http] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def table(self, **keys: Any) -> Table:
        given = {"connector": "table_file", "folder": str(self.folder), "format": self.format}
        made = TableFileConnection.model_validate(given | keys)
        assert CONNECTOR.http is not None
        self.attempts.append(Http(self.session, CONNECTOR.http(made)))
        table: Table = CONNECTOR.roles["table"](made, self.attempts[-1], None)
        return table

    def path(self, table: str) -> Path:
        return self.folder / f"{table}.{self.format}"

    async def seed(self, table: str, rows: Sequence[Sequence[str]]) -> None:
        self.folder.mkdir(exist_ok=True)
        path = self.path(table)
        with path.with_suffix(".seed").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        if self.format == "csv":
            path.with_suffix(".seed").rename(path)
        else:
            duckdb.sql(f"COPY (FROM read_csv('{path.with_suffix('.seed')}', all_varchar = true)) TO '{path}'")
            path.with_suffix(".seed").unlink()

    async def cells(self, table: str) -> list[dict[str, str]]:
        path = self.path(table)
        if self.format == "csv":
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        found = duckdb.read_parquet(str(path))
        return [dict(zip(found.columns, (cell or "" for cell in row), strict=True)) for row in found.fetchall()]

    async def revoke(self) -> None:
        # Root may read everything, so the folder is taken away.
        shutil.rmtree(self.folder)
        self.folder.write_text("no folder any more")

    async def crowd(self) -> None:
        self.patch.setattr(files, "LOCK_TIMEOUT", 0.1)
        self.held.append(os.open(self.folder / f".Contacts.{self.format}.lock", os.O_RDWR | os.O_CREAT))
        fcntl.flock(self.held[-1], fcntl.LOCK_EX)

    async def lose_answer(self) -> None:
        whole = files._sync

        def sync_and_die(folder: Path) -> None:
            whole(folder)
            self.patch.setattr(files, "_sync", whole)
            raise TransientError("the process was killed", unsure=True)

        self.patch.setattr(files, "_sync", sync_and_die)
