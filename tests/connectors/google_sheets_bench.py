"""A spreadsheet at the simulated Google, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from mainstay.connectors.google_sheets import CONNECTOR
from mainstay.connectors.google_sheets.settings import GoogleSheetsConnection
from mainstay.kit import Connector, Http, Table
from mainstay.sandbox import Sandbox

BOOK = "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


def connection(**keys: Any) -> GoogleSheetsConnection:
    given = {"connector": "google_sheets", "spreadsheet_id": BOOK, "access_token": "ya29.test", "create": "tables"}
    return GoogleSheetsConnection.model_validate(given | keys)


@dataclass
class SheetsBench:
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 20.0
    connector: Connector = CONNECTOR
    attempts: list[Http] = field(default_factory=list)

    def table(self, **settings: Any) -> Table:
        step = settings.pop("step", f"run.{len(self.attempts)}")
        made = connection(base_url=self.sandbox.url("google_sheets"), **settings)
        assert CONNECTOR.http is not None
        http = Http(self.session, replace(CONNECTOR.http(made), timeout=self.timeout), idempotency_key=step)
        self.attempts.append(http)
        table: Table = CONNECTOR.roles["table"](made, http, None)
        return table

    async def seed(self, table: str, rows: Sequence[Sequence[str]], **more: Any) -> None:
        record = {"spreadsheet": BOOK, "title": table, "rows": [list(row) for row in rows], **more}
        await asyncio.to_thread(self.sandbox.seed, "google_sheets", "sheets", [record])

    async def state(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.sandbox.state, "google_sheets")

    async def grid(self, table: str) -> list[list[Any]]:
        found: list[list[Any]] = (await self.state())["spreadsheets"][BOOK][table]
        return found

    async def cells(self, table: str) -> list[dict[str, str]]:
        header, *rows = await self.grid(table)
        padded = ([*row, *[""] * (len(header) - len(row))] for row in rows if any(cell != "" for cell in row))
        return [dict(zip(header, row, strict=True)) for row in padded]

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault("google_sheets", kind, **{"count": 1} | options))

    async def configure(self, **settings: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.configure("google_sheets", **settings))

    async def revoke(self) -> None:
        await self.configure(spreadsheets=[])

    async def crowd(self) -> None:
        await self.fault("status", status=429)

    async def lose_answer(self) -> None:
        await self.fault("drop_after", method="POST", path="*atchUpdate")

    async def requests(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.sandbox.requests, "google_sheets")
