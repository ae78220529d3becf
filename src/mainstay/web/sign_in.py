"""Signing in: one-time links, and the sessions they open. Only hashes are stored."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from mainstay.db import acquire

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=30)
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 200
_LONGEST_NAME = 80


def _hash(token: str) -> str:
    return sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).hexdigest()


async def create_sign_in_link(pool: Pool, public_url: str, *, name: str = "") -> str:
    """Return an address that signs its first user in, for 15 minutes; ``public_url`` is where the pages are.

    ``name`` is who that is: it stands beside what they decide.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with acquire(pool) as connection:
        await connection.execute("DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 day'")
        await connection.execute(
            "INSERT INTO sign_in_links (token_hash, expires_at, name) VALUES ($1, now() + $2, $3)",
            _hash(token),
            LINK_LIFE,
            " ".join(name.split())[:_LONGEST_NAME],
        )
    return f"{public_url.rstrip('/')}/sign-in?token={token}"


async def is_link_good(pool: Pool, token: str) -> bool:
    """Tell whether a link's token would open a session now; does not use it up."""
    async with acquire(pool) as connection:
        found: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM sign_in_links "
            "WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now())",
            _hash(token),
        )
    return found


async def open_session(pool: Pool, token: str) -> str | None:
    """Use a link up and return a new session's token; None when the link is used, expired or unknown."""
    session = secrets.token_urlsafe(_TOKEN_BYTES)
    async with acquire(pool) as connection, connection.transaction():
        used = await connection.fetchval(
            "UPDATE sign_in_links SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() "
            "RETURNING name",
            _hash(token),
        )
        if used is None:
            return None
        await connection.execute("DELETE FROM sessions WHERE expires_at < now()")
        await connection.execute(
            "INSERT INTO sessions (token_hash, expires_at, name) VALUES ($1, now() + $2, $3)",
            _hash(session),
            SESSION_LIFE,
            used,
        )
    return session


async def who_signed_in(pool: Pool, session: str) -> str | None:
    """Return whose session a token is, empty for one without a name; None when it is not ours, or has expired."""
    if not session:
        return None
    async with acquire(pool) as connection:
        found: str | None = await connection.fetchval(
            "SELECT name FROM sessions WHERE token_hash = $1 AND expires_at > now()", _hash(session)
        )
    return found


async def signed_in_still(connection: Connection, sessions: Collection[str]) -> set[str]:
    """Return which of these sessions' tokens are good now."""
    hashes = {_hash(session): session for session in sessions}
    rows = await connection.fetch(
        "SELECT token_hash FROM sessions WHERE token_hash = ANY($1) AND expires_at > now()", list(hashes)
    )
    return {hashes[row["token_hash"]] for row in rows}


async def close_session(pool: Pool, session: str) -> None:
    """End a session."""
    async with acquire(pool) as connection:
        await connection.execute("DELETE FROM sessions WHERE token_hash = $1", _hash(session))
