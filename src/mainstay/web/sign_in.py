"""Signing in: one-time links, the sessions they open, and what those may do. Only hashes are stored."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from mainstay.db import acquire
from mainstay.web.scopes import ALL, checked, in_order

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=30)
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 200
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever has signed in: ``name`` stands beside what they decide, and is empty for one who gave none."""

    name: str
    scopes: frozenset[str]

    def may(self, *scopes: str) -> bool:
        """Tell whether the session has all these scopes."""
        return self.scopes.issuperset(scopes)


def _hash(token: str) -> str:
    return sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).hexdigest()


async def create_sign_in_link(pool: Pool, public_url: str, *, name: str = "", scopes: Iterable[str] = ALL) -> str:
    """Return an address that signs its first user in, for 15 minutes; ``public_url`` is where the pages are.

    ``name`` is who that is: it stands beside what they decide. ``scopes`` are what they may do.

    Raises:
        ValueError: there is no such scope.
    """
    held = in_order(checked(scopes))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with acquire(pool) as connection:
        await connection.execute("DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 day'")
        await connection.execute(
            "INSERT INTO sign_in_links (token_hash, expires_at, name, scopes) VALUES ($1, now() + $2, $3, $4)",
            _hash(token),
            LINK_LIFE,
            " ".join(name.split())[:_LONGEST_NAME],
            held,
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
        used = await connection.fetchrow(
            "UPDATE sign_in_links SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() "
            "RETURNING name, scopes",
            _hash(token),
        )
        if used is None:
            return None
        await connection.execute("DELETE FROM sessions WHERE expires_at < now()")
        await connection.execute(
            "INSERT INTO sessions (token_hash, expires_at, name, scopes) VALUES ($1, now() + $2, $3, $4)",
            _hash(session),
            SESSION_LIFE,
            used["name"],
            used["scopes"],
        )
    return session


async def who_signed_in(pool: Pool, session: str) -> Person | None:
    """Return whose session a token is; None when it is not ours, or has expired."""
    if not session:
        return None
    async with acquire(pool) as connection:
        found = await connection.fetchrow(
            "SELECT name, scopes FROM sessions WHERE token_hash = $1 AND expires_at > now()", _hash(session)
        )
    return Person(found["name"], frozenset(found["scopes"])) if found else None


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
