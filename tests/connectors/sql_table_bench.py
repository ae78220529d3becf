"""A schema of a real PostgreSQL, reached over a line that can be cut, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import asyncpg

from mainstay.connectors.sql_table import CONNECTOR
from mainstay.connectors.sql_table.settings import SqlConnection
from mainstay.connectors.sql_table.table import quoted
from mainstay.kit import Connector, Http, Table
from mainstay.kit.http import Session

SCHEMA = 'odd "name"'
_COMMITTED = b"COMMIT\0"
_DELETED = b"DELETE "


@dataclass
class Line:
    """A way to the server that can be cut where it has done its work and says so."""

    host: str
    port: int
    cuts: int = 0
    server: asyncio.Server | None = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.host.startswith("/"):
            there = await asyncio.open_unix_connection(f"{self.host}/.s.PGSQL.{self.port}")
        else:
            there = await asyncio.open_connection(self.host, self.port)
        with suppress(OSError):
            to_server = self._pass(reader, there[1], is_answer=False)
            await asyncio.gather(to_server, self._pass(there[0], writer, is_answer=True))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await source.read(1 << 16):
            if is_answer and self.cuts and (_COMMITTED in data or _DELETED in data):
                self.cuts -= 1
                break
            target.write(data)
            await target.drain()
        target.close()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()


@dataclass
class SqlBench:
    admin: asyncpg.Connection[asyncpg.Record]
    line: Line
    database: str
    user: str
    session: Session
    connector: Connector = CONNECTOR
    attempts: list[Http] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        assert self.line.server is not None
        port = self.line.server.sockets[0].getsockname()[1]
        return f"postgresql://{self.user}:s3cret-pass@127.0.0.1:{port}/{self.database}?sslmode=disable"

    def settings(self, **keys: Any) -> SqlConnection:
        given = {"connector": "sql_table", "dsn": self.dsn, "schema": SCHEMA, "create": "tables"}
        return SqlConnection.model_validate(given | keys)

    def table(self, **keys: Any) -> Table:
        made = self.settings(**keys)
        assert CONNECTOR.http is not None
        self.attempts.append(Http(self.session, CONNECTOR.http(made)))
        table: Table = CONNECTOR.roles["table"](made, self.attempts[-1], None)
        return table

    def at(self, table: str) -> str:
        return f"{quoted(SCHEMA)}.{quoted(table)}"

    async def seed(self, table: str, rows: Sequence[Sequence[str]]) -> None:
        header, *body = rows
        columns = ", ".join(f"{quoted(name)} text" for name in header)
        await self.admin.execute(f"CREATE TABLE {self.at(table)} ({columns}, UNIQUE ({quoted(header[0])}))")
        await self.admin.execute(f"ALTER TABLE {self.at(table)} OWNER TO {quoted(self.user)}")
        for row in body:
            places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            await self.admin.execute(f"INSERT INTO {self.at(table)} VALUES ({places})", *row)  # noqa: S608 names are quoted

    async def cells(self, table: str) -> list[dict[str, str]]:
        records = await self.admin.fetch(f"SELECT * FROM {self.at(table)} ORDER BY id")  # noqa: S608
        return [{name: value or "" for name, value in record.items()} for record in records]

    async def revoke(self) -> None:
        await self.admin.execute(f"ALTER ROLE {quoted(self.user)} NOLOGIN")

    async def crowd(self) -> None:
        await self.admin.execute(f"ALTER ROLE {quoted(self.user)} CONNECTION LIMIT 0")

    async def lose_answer(self) -> None:
        self.line.cuts = 1
