"""Who is held goes on: as many as a gate lets through, leads first, oldest first; one usher per account at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mainstay.gates.store import TICK_SECONDS, State, lease
from mainstay.model import Lane
from mainstay.runs import let_one_through, let_through

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.gates.account import Account

# Of an account without a budget: so that what gathered in an outage does not come down on it all at once.
BATCH = 100


async def usher(
    connection: Connection,
    unusual: Mapping[str, Sequence[State]],
    accounts: Mapping[str, Account],
    *,
    at: datetime | None,
) -> int:
    """Let through whom the gates have room for; returns how many."""
    held = [name for name, found in unusual.items() if any(each.lead_held or each.backfill_held for each in found)]
    if not held:
        return 0
    mine = await connection.fetch(
        """
        UPDATE accounts SET ushered_at = coalesce($2::timestamptz, clock_timestamp()) FROM (
            SELECT account FROM accounts
            WHERE account = ANY($1)
              AND ($2::timestamptz IS NOT NULL OR ushered_at < clock_timestamp() - make_interval(secs => $3))
            FOR UPDATE SKIP LOCKED
        ) AS free WHERE accounts.account = free.account RETURNING accounts.account
        """,
        held,
        at,
        TICK_SECONDS,
    )
    return sum([await _usher(connection, accounts[row["account"]], unusual[row["account"]], at) for row in mine])


async def _usher(connection: Connection, account: Account, found: Sequence[State], at: datetime | None) -> int:
    through = 0
    for state in found:
        if state.probe_in is not None and state.probe_in <= 0 and not state.is_paused:
            # One goes and looks. Whoever else has gone in the meantime is held again.
            lane = Lane.LEAD if state.lead_held else Lane.BACKFILL
            through += await let_one_through(connection, state.workspace_id, state.name, lane, at)
    free = [state for state in found if not state.is_paused and not state.is_broken and not state.closed_for]
    gates = [(state.workspace_id, state.name) for state in free]
    room = BATCH
    for lane in (Lane.LEAD, Lane.BACKFILL):
        if not any(state.lead_held if lane is Lane.LEAD else state.backfill_held for state in free):
            continue
        if account.has_budget:
            peek = await lease(connection, account.name, lane, needed=0, ahead=0, at=at)
            room = min(room, peek.room)
        passed = await let_through(connection, gates, lane, room, at)
        room -= passed
        through += passed
    return through


async def opens_in(connection: Connection, account: str, at: datetime | None, state: State) -> float:
    """Return in how many seconds a gate at which runs are held opens by itself."""
    if state.probe_in is not None:
        return max(0.0, state.probe_in)
    lane = Lane.LEAD if state.lead_held else Lane.BACKFILL
    return max(state.closed_for, (await lease(connection, account, lane, needed=0, ahead=0, at=at)).wait)
