from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from mainstay.connectors.sql_table.table import quoted
from mainstay.kit.http import open_session
from tests.connectors.sql_table_bench import SCHEMA, Line, SqlBench


@pytest.fixture
async def bench(dsn: str) -> AsyncIterator[SqlBench]:
    parts = urlsplit(dsn)
    host = parts.hostname or parse_qs(parts.query).get("host", ["127.0.0.1"])[0]
    admin = await asyncpg.connect(dsn)
    database = await admin.fetchval("SELECT current_database()")
    user = f"mirror_{database}"
    port = int(await admin.fetchval("SHOW port"))
    await admin.execute(f"CREATE ROLE {quoted(user)} LOGIN PASSWORD 's3cret-pass'")
    await admin.execute(f"CREATE SCHEMA {quoted(SCHEMA)} AUTHORIZATION {quoted(user)}")
    try:
        async with Line(host, port) as line, open_session() as session:
            yield SqlBench(admin, line, database, user, session)
    finally:
        await admin.execute(f"DROP OWNED BY {quoted(user)} CASCADE")
        await admin.execute(f"DROP ROLE {quoted(user)}")
        await admin.close()
