"""Connections to PostgreSQL, with JSON and arrays as Python values."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from mainstay.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

IDLE_IN_TRANSACTION_SECONDS = 10.0
"""After this the server breaks off a transaction whose process is silent: one that is paused would hold its locks, and
with them whoever has taken over its runs."""

GIVE_UP_SECONDS = 30.0

TRANSACTION_SECONDS = GIVE_UP_SECONDS
"""After this the server breaks off any transaction: a process that is paused between the parts of a statement counts as
active, not as idle. PostgreSQL 17 and newer."""
_HAS_TRANSACTION_TIMEOUT = (17,)
"""After this a connection is cut by us: a server that hangs, or is gone without a word, would never answer."""

Pool = asyncpg.Pool
# A pool lends its connections in a wrapper, which asyncpg's types do not count as a connection.
Connection = asyncpg.Connection | PoolConnectionProxy
Row = asyncpg.Record | Mapping[str, Any]

Result = TypeVar("Result")

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    # asyncpg's UUID is a subclass, which orjson does not take as it is.
    if isinstance(value, UUID | Decimal):
        return str(value)
    message = f"{type(value).__name__} cannot be stored as JSON"
    raise TypeError(message)


def encode_json(value: Any) -> str:
    """Return a value as a ``jsonb`` column takes it."""
    text = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()
    # PostgreSQL keeps no NUL. A backslash that stands before "u0000" as text is escaped itself, and stays.
    return _NUL.sub(r"\1", text) if "\\u0000" in text else text


def storable(text: str) -> str:
    """Return a foreign text as a text column can keep it: without NUL."""
    return text.replace("\0", "")


async def open_pool(dsn: str, *, size: int = 10, init: Callable[[Any], Awaitable[None]] | None = None) -> Pool:
    """Open a pool of at most ``size`` connections.

    ``jsonb`` columns take and give Python values. ``init`` is called with each new connection.
    """

    async def prepare(connection: Connection) -> None:
        if connection.get_server_version() >= _HAS_TRANSACTION_TIMEOUT:
            await connection.execute(f"SET transaction_timeout = {round(TRANSACTION_SECONDS * 1000)}")
        await connection.set_type_codec("jsonb", encoder=encode_json, decoder=orjson.loads, schema="pg_catalog")
        if init is not None:
            await init(connection)

    async def keep_as_it_is(_connection: Any) -> None:
        """Session state is never changed here, so there is nothing to reset: a round trip saved each time."""

    return await asyncpg.create_pool(
        dsn,
        reset=keep_as_it_is,
        min_size=1,
        max_size=size,
        init=prepare,
        server_settings={
            "application_name": "mainstay",
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": f"{round(IDLE_IN_TRANSACTION_SECONDS * 1000)}",
        },
    )


BROKEN_OFF = asyncpg.exceptions.TransactionRollbackError
"""What broke a transaction off in favour of another: no fault of the work, which :func:`transact` does again."""


async def transact(pool: Pool, work: Callable[[Connection], Awaitable[Result]], *, tries: int = 12) -> Result:
    """Do ``work`` in a transaction of its own; again, a moment later, when it was broken off in favour of another."""
    moment = 0.001
    while True:
        try:
            async with acquire(pool) as connection, connection.transaction():
                return await work(connection)
        except BROKEN_OFF:
            tries -= 1
            if not tries:
                raise
        await asyncio.sleep(moment * random.random())  # noqa: S311 - no secret: so that two do not meet in step
        moment *= 2


def _is_gone(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken it back already, as it does with one that was cut.
        return True


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Borrow a connection, for GIVE_UP_SECONDS at most.

    Whatever shows that the server is away becomes a DatabaseUnavailableError.
    """
    own_fault: Exception | None = None
    try:
        async with pool.acquire() as connection:
            # Cutting is all that helps: asyncpg's own time-out asks the server first, and waits for its answer.
            given_up = asyncio.get_running_loop().call_later(GIVE_UP_SECONDS, connection.terminate)
            try:
                yield connection
            except (asyncpg.ReadOnlySQLTransactionError, asyncpg.InternalClientError):
                # It leads to a server that is no longer, or not yet, the one to write to: the next may lead elsewhere.
                # Or it died in the instant in which it was asked, and asyncpg no longer knows where it stands.
                connection.terminate()
                raise
            except asyncpg.InterfaceError as error:
                # asyncpg has one class for a connection that is gone and for a value that it cannot encode.
                own_fault = None if _is_gone(connection) else error
                raise
            finally:
                given_up.cancel()
    except (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.IdleInTransactionSessionTimeoutError,
        asyncpg.TransactionTimeoutError,
        asyncpg.InsufficientResourcesError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.PostgresSystemError,
    ) as error:
        if error is own_fault:
            raise
        message = f"PostgreSQL does not answer: {str(error) or type(error).__name__}"
        raise DatabaseUnavailableError(message) from error
