"""The gates of connections, read: what stops a connection, how much of its budget is used, which runs are held."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import COUNT_LIMIT, Count, count_of

if TYPE_CHECKING:
    from mainstay.db import Connection

PAUSED, OUT, RESTING, OPEN = "paused", "out", "resting", "open"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of an account's budget: of ``allowed`` calls in ``seconds``, ``used`` were leased of late."""

    allowed: int
    seconds: float
    used: int


@dataclass(frozen=True, slots=True)
class GateRow:
    """A connection's gate.

    ``state`` is ``paused`` (by hand, ``by`` whom and for what ``reason``), ``out`` (the breaker is open, ``reason`` is
    the vendor's error), ``resting`` (the vendor asked for it) or ``open``; since and until when, where that is known.
    ``shared`` counts the other connections of the same account.
    """

    name: str
    state: str
    since: datetime | None
    until: datetime | None
    by: str
    reason: str
    held: Count
    windows: tuple[Window, ...]
    shared: int


async def list_gates(connection: Connection, workspace_id: UUID, *, name: str = "") -> tuple[GateRow, ...]:
    """Return the gates of a workspace, or the one that is named, by name."""
    rows = await connection.fetch(
        """
        SELECT gate.*, accounts.closed_until, now() AS now,
               (SELECT count(*) FROM (SELECT FROM runs WHERE runs.workspace_id = $1 AND held_at = gate.name
                AND held_at <> '' AND state = 'waiting' LIMIT $3) AS capped) AS held,
               (SELECT count(*) - 1 FROM connections AS other WHERE other.account = gate.account) AS shared
        FROM connections AS gate JOIN accounts USING (account)
        WHERE workspace_id = $1 AND ($2 = '' OR name = $2) ORDER BY name
        """,
        workspace_id,
        name,
        COUNT_LIMIT + 1,
    )
    windows = defaultdict(list)
    for row in await connection.fetch(
        """
        SELECT account, allowed, seconds, (SELECT coalesce(sum(n), 0) FROM unnest(given_at, tokens) AS slot (g, n)
                                           WHERE g > now() - make_interval(secs => seconds)) AS used
        FROM budgets WHERE account = ANY($1) ORDER BY account, seconds
        """,
        [row["account"] for row in rows],
    ):
        windows[row["account"]].append(Window(row["allowed"], row["seconds"], row["used"]))
    found = []
    for row in rows:
        state, since, until, reason = OPEN, None, None, ""
        if row["paused_at"] is not None:
            state, since, reason = PAUSED, row["paused_at"], row["pause_reason"]
        elif row["opened_at"] is not None:
            state, since, until, reason = OUT, row["opened_at"], row["probe_at"], row["error"]
        elif row["closed_until"] is not None and row["closed_until"] > row["now"]:
            state, until = RESTING, row["closed_until"]
        each = tuple(windows[row["account"]])
        held = count_of(row["held"])
        found.append(GateRow(row["name"], state, since, until, row["paused_by"], reason, held, each, row["shared"]))
    return tuple(found)
