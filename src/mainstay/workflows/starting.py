"""SQL that starts a workflow's run for a program, once for each idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from mainstay.errors import ConflictError, PermanentError
from mainstay.identity import load_contact
from mainstay.model import RunState, new_id
from mainstay.runs import NewRun, Turn, add_runs, enqueue_behind

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.engine.turns import Turns
    from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class Wish:
    """A run that a program wants, ``at`` a time. ``within`` is how long it waits for the result, if it does."""

    workspace_id: UUID
    workflow: str
    contact_id: UUID
    input: Mapping[str, Any]
    key: str
    within: timedelta | None
    turns: Turns
    at: datetime

    def digest(self) -> bytes:
        """Return what tells this wish from another."""
        said = orjson.dumps([self.workflow, str(self.contact_id), dict(self.input)], option=orjson.OPT_SORT_KEYS)
        return sha256(said).digest()


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started. ``execution_id`` is what to drive for a caller that waits ``answer_within``."""

    run_id: UUID
    workflow: str
    is_repeat: bool = False
    execution_id: str = ""
    answer_within: timedelta | None = None


async def start(connection: Connection, wish: Wish) -> Started:
    """Start a run, in the caller's transaction.

    Raises:
        ConflictError: the key was used for another start.
        PermanentError: there is no such contact.
    """
    if wish.key:
        earlier = await _started_before(connection, wish)
        if earlier is not None:
            return earlier
    contact = await load_contact(connection, wish.workspace_id, wish.contact_id)
    if contact is None:
        raise PermanentError("there is no such contact any more")
    execution_id = str(new_id())
    data = {"contact": contact.to_json(), "input": dict(wish.input)}
    run = NewRun(
        new_id(),
        wish.workspace_id,
        wish.workflow,
        data,
        execution_id,
        contact_id=contact.id,
        deadline_at=wish.turns.deadline_at(wish.at),
        turn=_turn(wish, contact),
    )
    begins = bool(await add_runs(connection, [run]))
    if not begins:
        await _require_place(connection, run)
    elif wish.within is not None:
        await enqueue_behind(connection, [(execution_id, wish.within)])
    else:
        await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, run.lane)
    if wish.key:
        await connection.execute(
            "INSERT INTO idempotency_keys (workspace_id, key, digest, answer, at) VALUES ($1, $2, $3, $4, now())",
            wish.workspace_id,
            wish.key,
            wish.digest(),
            {"run_id": str(run.id), "contact_id": str(contact.id)},
        )
    waits = begins and wish.within is not None
    return Started(run.id, wish.workflow, execution_id=execution_id if waits else "", answer_within=wish.within)


def _turn(wish: Wish, contact: Contact) -> Turn | None:
    """Return how the run takes turns; whoever calls it by name means now, so no quiet moment is waited for."""
    turn = wish.turns.turn(contact, wish.input, wish.at)
    return replace(turn, not_before=None) if turn else None


async def _require_place(connection: Connection, run: NewRun) -> None:
    """Refuse a run that is neither begun nor in line."""
    state = await connection.fetchval("SELECT state FROM runs WHERE id = $1", run.id)
    if state is None or state == RunState.CANCELLED:
        message = f'an earlier run of "{run.workflow}" has not ended, and it says overlap="skip"'
        raise PermanentError(message)


async def _started_before(connection: Connection, wish: Wish) -> Started | None:
    """Hold the key until the transaction's end, and return what it started before."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1 || ':' || $2, 42))", str(wish.workspace_id), wish.key
    )
    row = await connection.fetchrow(
        "SELECT digest, answer FROM idempotency_keys WHERE workspace_id = $1 AND key = $2",
        wish.workspace_id,
        wish.key,
    )
    if row is None:
        return None
    if row["digest"] != wish.digest():
        raise ConflictError("the Idempotency-Key was used for another start; use a new key for each")
    return Started(UUID(row["answer"]["run_id"]), wish.workflow, is_repeat=True)
