"""Tokens of the API: each has one workspace, and scopes. Only digests are stored; a token is shown when it is made."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from mainstay.db import acquire
from mainstay.errors import ConflictError
from mainstay.model import new_id
from mainstay.web.scopes import ALL, checked, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mainstay.db import Pool

PREFIX = "mst_"
"""What every token begins with, so that scanners for leaked secrets know one."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""What a token may be called."""
_TOKEN_BYTES = 32
_LONGEST = 100
_HINT = 4
_USE_NOTED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a token: ``name`` is the token's, and stands beside whatever is written with it."""

    token_id: UUID
    workspace_id: UUID
    name: str
    scopes: frozenset[str]

    def may(self, *scopes: str) -> bool:
        """Tell whether the token has all these scopes."""
        return self.scopes.issuperset(scopes)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as lists show it. ``hint`` is its last four characters; ``last_used_at`` is exact to a minute."""

    id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


async def create_token(pool: Pool, workspace_id: UUID, name: str, scopes: Iterable[str] = ALL) -> str:
    """Make a token and return it: the only time that it can be read.

    Raises:
        ConflictError: a token of this name is in use.
        ValueError: there is no such scope.
    """
    held = in_order(checked(scopes))
    token = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    async with acquire(pool) as connection:
        try:
            await connection.execute(
                """
                INSERT INTO api_tokens (id, workspace_id, name, digest, hint, scopes)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                new_id(),
                workspace_id,
                name,
                _digest(token),
                token[-_HINT:],
                held,
            )
        except asyncpg.UniqueViolationError as error:
            raise ConflictError(f'a token named "{name}" is in use: revoke it, or choose another name') from error
    return token


async def list_tokens(pool: Pool, workspace_id: UUID) -> Sequence[Token]:
    """Return a workspace's tokens, the newest first, with those that were revoked."""
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT id, name, hint, scopes, created_at, last_used_at, revoked_at FROM api_tokens
            WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1000
            """,
            workspace_id,
        )
    return [Token(**{**dict(row), "scopes": tuple(row["scopes"])}) for row in rows]


async def revoke_token(pool: Pool, workspace_id: UUID, name: str) -> bool:
    """End a token, at once; False when no token of this name is in use."""
    async with acquire(pool) as connection:
        found = await connection.fetchval(
            """
            UPDATE api_tokens SET revoked_at = now()
            WHERE workspace_id = $1 AND name = $2 AND revoked_at IS NULL RETURNING id
            """,
            workspace_id,
            name,
        )
    return found is not None


async def caller_of(pool: Pool, token: str) -> Caller | None:
    """Return who holds a token; None when it is unknown or revoked."""
    if not token.startswith(PREFIX) or len(token) > _LONGEST:
        return None
    digest = _digest(token)
    async with acquire(pool) as connection:
        row = await connection.fetchrow(
            """
            SELECT id, workspace_id, name, digest, scopes, last_used_at FROM api_tokens
            WHERE digest = $1 AND revoked_at IS NULL
            """,
            digest,
        )
        if row is None or not compare_digest(row["digest"], digest):
            return None
        if row["last_used_at"] is None or datetime.now(UTC) - row["last_used_at"] > _USE_NOTED:
            await connection.execute("UPDATE api_tokens SET last_used_at = now() WHERE id = $1", row["id"])
    return Caller(row["id"], row["workspace_id"], row["name"], frozenset(row["scopes"]))


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
