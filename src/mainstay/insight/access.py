"""How the connections by OAuth 2 stand. Tokens are not read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.model.access import NEEDS_PERSON

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A connection that somebody connected, or whose app got in by itself.

    ``state`` is ``connected`` or ``needs a person``, ``since`` then; ``error`` the vendor's last refusal. The access
    token is renewed at ``expires_at`` at the latest; at ``ends_at`` a person must connect it anew (None: never), and
    people have been told when that ``ends_soon``.
    """

    name: str
    state: str
    since: datetime
    error: str
    connected_at: datetime
    refreshed_at: datetime | None
    expires_at: datetime
    ends_at: datetime | None
    ends_soon: bool
    scopes: tuple[str, ...]

    @property
    def needs_person(self) -> bool:
        """Tell whether no call gets in until somebody connects it."""
        return self.state == NEEDS_PERSON


async def list_access(connection: Connection, workspace_id: UUID) -> tuple[AccessRow, ...]:
    """Return how the connections of a workspace stand that have been connected, by name."""
    rows = await connection.fetch(
        """
        SELECT connection AS name, state, state_since AS since, error, connected_at, refreshed_at, expires_at, ends_at,
               warned_of IS NOT NULL AS ends_soon, scopes
        FROM oauth_tokens WHERE workspace_id = $1 ORDER BY connection
        """,
        workspace_id,
    )
    return tuple(AccessRow(**{**dict(row), "scopes": tuple(row["scopes"])}) for row in rows)
