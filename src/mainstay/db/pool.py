"""Connections to PostgreSQL, with JSON and arrays as Python values."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from mainstay.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Pool = asyncpg.Pool
Connection = asyncpg.Connection


def _encode(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode().replace("\\u0000", "")


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=orjson.loads, schema="pg_catalog")


async def open_pool(dsn: str, *, size: int = 10, init: Callable[[Any], Awaitable[None]] | None = None) -> Pool:
    """Open a pool of at most ``size`` connections.

    ``jsonb`` columns take and give Python values. ``init`` is called with each new connection.
    """

    async def prepare(connection: asyncpg.Connection) -> None:
        await _prepare(connection)
        if init is not None:
            await init(connection)

    async def keep_as_it_is(_connection: Any) -> None:
        """Session state is never changed here, so there is nothing to reset: a round trip saved each time."""

    pool = await asyncpg.create_pool(
        dsn,
        reset=keep_as_it_is,
        min_size=1,
        max_size=size,
        init=prepare,
        server_settings={"application_name": "mainstay", "timezone": "UTC"},
    )
    assert pool is not None
    return pool


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Borrow a connection; whatever shows that the server is away becomes a DatabaseUnavailableError."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.TooManyConnectionsError,
    ) as error:
        message = f"PostgreSQL does not answer: {error or type(error).__name__}"
        raise DatabaseUnavailableError(message) from error
