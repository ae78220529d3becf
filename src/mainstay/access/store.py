"""SQL of tokens. ``at`` is a test's clock; None is the database's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.model.access import FORESEEN

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class KeptRow:
    """What is kept of a connection's access. Tokens are sealed; ``left`` is how long the access token is good yet.

    ``version`` counts what was stored: whoever stores says which version they go by.
    """

    state: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    previous_refresh_token: str = field(repr=False)
    lifetime: timedelta
    left: timedelta
    facts: Mapping[str, str]
    callback: Mapping[str, str]
    error: str
    version: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is to be stored of a grant, each token sealed with the first key. Lengths are from now."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    previous_refresh_token: str = field(repr=False)
    lifetime: timedelta
    refresh_lifetime: timedelta | None
    is_rolling: bool
    scopes: Sequence[str]
    facts: Mapping[str, str]


async def find(connection: Connection, workspace_id: UUID, name: str, at: datetime | None) -> KeptRow | None:
    """Return what is kept of a connection, or None."""
    row = await connection.fetchrow(
        """
        SELECT *, expires_at - coalesce($3, clock_timestamp()) AS left, expires_at - issued_at AS lifetime
        FROM oauth_tokens WHERE workspace_id = $1 AND connection = $2
        """,
        workspace_id,
        name,
        at,
    )
    if row is None:
        return None
    return KeptRow(
        row["state"],
        row["access_token"],
        row["refresh_token"],
        row["previous_refresh_token"],
        row["lifetime"],
        row["left"],
        row["facts"],
        row["callback"],
        row["error"],
        row["version"],
    )


async def begin(connection: Connection, workspace_id: UUID, name: str, at: datetime | None) -> None:
    """Make room for an app's own token, which has ended until it is first renewed."""
    await connection.execute(
        """
        INSERT INTO oauth_tokens (workspace_id, connection, state_since, connected_at, issued_at, expires_at, is_by_app)
        SELECT $1, $2, moment, moment, moment, moment, true
        FROM (SELECT coalesce($3, clock_timestamp()) AS moment) AS now
        ON CONFLICT DO NOTHING
        """,
        workspace_id,
        name,
        at,
    )


async def connect(
    connection: Connection,
    workspace_id: UUID,
    name: str,
    sealed: Sealed,
    callback: Mapping[str, str],
    at: datetime | None,
) -> None:
    """Store what a person agreed to, in place of whatever was kept."""
    await connection.execute(
        """
        INSERT INTO oauth_tokens AS known (workspace_id, connection, access_token, refresh_token, state_since,
                                           connected_at, issued_at, expires_at, refresh_expires_at, scopes, facts,
                                           callback, is_rolling)
        SELECT $1, $2, $3, $4, moment, moment, moment, moment + $5, moment + $6::interval, $7, $8, $9,
               $11
        FROM (SELECT coalesce($10, clock_timestamp()) AS moment) AS now
        ON CONFLICT (workspace_id, connection) DO UPDATE SET
            state = 'connected', state_since = excluded.state_since, error = '', is_by_app = false,
            access_token = excluded.access_token, refresh_token = excluded.refresh_token, previous_refresh_token = '',
            connected_at = excluded.connected_at, refreshed_at = NULL,
            issued_at = excluded.issued_at, expires_at = excluded.expires_at,
            refresh_expires_at = excluded.refresh_expires_at, scopes = excluded.scopes, facts = excluded.facts,
            callback = excluded.callback, is_rolling = excluded.is_rolling,
            version = known.version + 1, renewing_by = NULL, renewing_until = NULL
        """,
        workspace_id,
        name,
        sealed.access_token,
        sealed.refresh_token,
        sealed.lifetime,
        sealed.refresh_lifetime,
        list(sealed.scopes),
        dict(sealed.facts),
        dict(callback),
        at,
        sealed.is_rolling,
    )


async def claim(
    connection: Connection, workspace_id: UUID, name: str, version: int, by: UUID, lasting: timedelta
) -> bool:
    """Take on the renewal of a version; False where another has it, or has done it.

    By the database's own clock: how long a process may be silent is no matter of a test's.
    """
    found = await connection.fetchval(
        """
        UPDATE oauth_tokens SET renewing_by = $4, renewing_until = clock_timestamp() + $5
        WHERE workspace_id = $1 AND connection = $2 AND version = $3
          AND (renewing_until IS NULL OR renewing_until <= clock_timestamp())
        RETURNING true
        """,
        workspace_id,
        name,
        version,
        by,
        lasting,
    )
    return bool(found)


async def renewed(
    connection: Connection, workspace_id: UUID, name: str, version: int, sealed: Sealed, at: datetime | None
) -> bool:
    """Store a renewed token; False where another version is there already.

    Not fenced by the claim: whoever was silent for longer than it lasted has the vendor's newest answer all the same.
    """
    found = await connection.fetchval(
        """
        UPDATE oauth_tokens SET state = 'connected', error = '', access_token = $4,
               state_since = CASE state WHEN 'connected' THEN state_since ELSE moment END,
               refresh_token = $5, previous_refresh_token = $12, issued_at = moment, expires_at = moment + $6,
               refresh_expires_at = moment + $7::interval, scopes = $8, facts = $9, refreshed_at = moment,
               is_rolling = $11 OR CASE WHEN moment - issued_at < interval '10 seconds' THEN is_rolling
                            ELSE coalesce(moment + $7::interval - refresh_expires_at > (moment - issued_at) / 2, false)
                            END,
               version = version + 1, renewing_by = NULL, renewing_until = NULL
        FROM (SELECT coalesce($10, clock_timestamp()) AS moment) AS now
        WHERE workspace_id = $1 AND connection = $2 AND version = $3
        RETURNING true
        """,
        workspace_id,
        name,
        version,
        sealed.access_token,
        sealed.refresh_token,
        sealed.lifetime,
        sealed.refresh_lifetime,
        list(sealed.scopes),
        dict(sealed.facts),
        at,
        sealed.is_rolling,
        sealed.previous_refresh_token,
    )
    return bool(found)


async def not_renewed(connection: Connection, workspace_id: UUID, name: str, by: UUID, state: str, error: str) -> None:
    """Give a claim back, with what came of it."""
    await connection.execute(
        """
        UPDATE oauth_tokens SET state = $4, error = $5, renewing_by = NULL, renewing_until = NULL,
               state_since = CASE state WHEN $4 THEN state_since ELSE clock_timestamp() END
        WHERE workspace_id = $1 AND connection = $2 AND renewing_by = $3
        """,
        workspace_id,
        name,
        by,
        state,
        storable(error[:500]),
    )


async def forget(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Drop what is kept of a connection; False where nothing is."""
    found = await connection.fetchval(
        "DELETE FROM oauth_tokens WHERE workspace_id = $1 AND connection = $2 RETURNING true", workspace_id, name
    )
    return bool(found)


async def connected_at(connection: Connection, workspace_id: UUID, name: str) -> datetime | None:
    """Return when somebody last connected an account; None where nobody did."""
    found: datetime | None = await connection.fetchval(
        "SELECT connected_at FROM oauth_tokens WHERE workspace_id = $1 AND connection = $2", workspace_id, name
    )
    return found


async def waning(
    connection: Connection, workspace_id: UUID, within: timedelta, unused_for: timedelta, at: datetime | None
) -> dict[str, int]:
    """Return, with their versions, the connections whose refresh token ends ``within`` and was not used of late."""
    rows: Sequence[Any] = await connection.fetch(
        """
        SELECT connection, version FROM oauth_tokens
        WHERE workspace_id = $1 AND state = 'connected' AND refresh_token <> ''
          AND refresh_expires_at < coalesce($4, clock_timestamp()) + $2
          AND issued_at < coalesce($4, clock_timestamp()) - $3::interval
        ORDER BY connection
        """,
        workspace_id,
        within,
        unused_for,
        at,
    )
    return {row["connection"]: row["version"] for row in rows}


# One whose end moves with each use, and was used of late, goes on.
_ENDS_SOON = """
    coalesce(state = 'connected' AND ends_at < coalesce($3, clock_timestamp()) + $2
             AND NOT (is_rolling AND issued_at > coalesce($3, clock_timestamp()) - interval '2 days'), false)
"""


async def to_warn_of(connection: Connection, workspace_id: UUID, at: datetime | None) -> dict[str, datetime]:
    """Return the connections whose access ends soon, with its end, once for each end. In a transaction."""
    rows = await connection.fetch(
        f"""
        UPDATE oauth_tokens SET warned_of = ends_at
        WHERE workspace_id = $1 AND {_ENDS_SOON} AND warned_of IS DISTINCT FROM ends_at
        RETURNING connection, ends_at
        """,  # noqa: S608 - a part from this file
        workspace_id,
        FORESEEN,
        at,
    )
    return {row["connection"]: row["ends_at"] for row in rows}


async def to_clear(connection: Connection, workspace_id: UUID, at: datetime | None) -> list[str]:
    """Return the connections whose access was to end soon, and does no longer, once. In a transaction."""
    rows = await connection.fetch(
        f"""
        UPDATE oauth_tokens SET warned_of = NULL
        WHERE workspace_id = $1 AND warned_of IS NOT NULL AND NOT {_ENDS_SOON}
        RETURNING connection
        """,  # noqa: S608 - a part from this file
        workspace_id,
        FORESEEN,
        at,
    )
    return [row["connection"] for row in rows]


@dataclass(frozen=True, slots=True)
class Flow:
    """Somebody's way to a vendor's page and back. ``verifier`` is sealed."""

    state_hash: str
    workspace_id: UUID
    name: str
    verifier: str = field(repr=False)
    redirect_url: str


async def begin_flow(  # noqa: PLR0917 - all that there is to know of it
    connection: Connection,
    state_hash: str,
    of: tuple[UUID, str],
    verifier: str,
    redirect_url: str,
    by: str,
    lasting: timedelta,
) -> None:
    """Note that somebody is on their way; what others left unfinished for long is dropped."""
    await connection.execute("DELETE FROM oauth_flows WHERE expires_at < now()")
    await connection.execute(
        """
        INSERT INTO oauth_flows (state_hash, workspace_id, connection, verifier, redirect_url, by, created_at,
                                 expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7)
        """,
        state_hash,
        *of,
        verifier,
        redirect_url,
        storable(by[:200]),
        lasting,
    )


async def take_flow(connection: Connection, state_hash: str) -> Flow | None:
    """Return a way by its state, once; None where it is not known, over, or used."""
    row = await connection.fetchrow(
        "DELETE FROM oauth_flows WHERE state_hash = $1 AND expires_at > clock_timestamp() RETURNING *", state_hash
    )
    return None if row is None else _flow(row)


async def take_latest_flow(connection: Connection, workspace_id: UUID, name: str) -> Flow | None:
    """Return the way that somebody was last sent for a connection, once."""
    row = await connection.fetchrow(
        """
        DELETE FROM oauth_flows WHERE state_hash = (
            SELECT state_hash FROM oauth_flows WHERE workspace_id = $1 AND connection = $2
            AND expires_at > clock_timestamp() ORDER BY created_at DESC LIMIT 1)
        RETURNING *
        """,
        workspace_id,
        name,
    )
    return None if row is None else _flow(row)


def _flow(row: Any) -> Flow:
    return Flow(row["state_hash"], row["workspace_id"], row["connection"], row["verifier"], row["redirect_url"])
