"""Sends canaries, follows each on its way, tells people of the hop that broke, and cleans up after it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import acquire, storable, transact
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.monitors import store
from mainstay.monitors.canary_rules import (
    CANARY_KIND,
    Canary,
    Flight,
    Seen,
    Sight,
    follow,
    hops_of,
    trouble_of_canary,
)
from mainstay.monitors.looking import Looking
from mainstay.monitors.rules import fingerprint_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.history import Clock
    from mainstay.watch import Alerter

log = logging.getLogger(__name__)

_LOOK_AGAIN = timedelta(seconds=5)
_KEPT = timedelta(days=30)


class Flying(Protocol):
    """What the composition root knows of canaries."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def canary(self, workspace_id: UUID) -> Canary | None:
        """Return a workspace's canary; None where it has none."""
        ...

    async def send_canary(self, workspace_id: UUID, canary: Canary, key: str) -> UUID:
        """Post it to its source, as a sender would; returns the delivery that it became.

        Raises:
            Exception: it was not taken; the text says why.
        """
        ...


Delete = Callable[[UUID, UUID], Awaitable[object]]
"""Deletes a contact of a workspace, here and in the systems where that can be done."""


class Canaries:
    """The canaries of a process's workspaces. Any number of processes may work on one database."""

    def __init__(
        self, pool: Pool, flying: Flying, alerter: Alerter, delete: Delete, clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._flying = flying
        self._alerter = alerter
        self._delete = delete
        self._due = Looking(pool, CANARY_KIND, flying.workspaces, clock)
        self._to_send: list[tuple[UUID, UUID]] = []

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace's canary be that of its stack."""
        canary = self._flying.canary(workspace_id)
        rules = {CANARY_KIND: canary.in_words()} if canary else {}

        async def write(connection: Connection) -> None:
            now = await self._due.now(connection)
            for name in await store.declare_kind(connection, workspace_id, CANARY_KIND, rules, now):
                await self._alerter.recover(connection, workspace_id, fingerprint_of(CANARY_KIND, name))

        await transact(self._pool, write)

    async def look(self) -> int:
        """Send what is due, follow what flies, clean up after what is over; returns how many were lost."""
        lost = await self._due.look(self._look)
        to_send, self._to_send = self._to_send, []
        for workspace_id, canary_id in to_send:
            await self._send(workspace_id, canary_id)
        for workspace_id in self._flying.workspaces:
            if self._flying.canary(workspace_id) is not None:
                await self._clean(workspace_id)
        return lost

    async def _look(self, connection: Connection, row: Row, now: datetime) -> bool:
        workspace_id = row["workspace_id"]
        canary = self._flying.canary(workspace_id)
        if canary is None:
            await store.look_again(connection, workspace_id, CANARY_KIND, CANARY_KIND, now + timedelta(minutes=1))
            return False
        flying = await connection.fetchrow(
            "SELECT * FROM canaries WHERE workspace_id = $1 AND cleaned_at IS NULL AND state = 'flying' LIMIT 1",
            workspace_id,
        )
        place = store.Place(row["state"], row["seen_at"], None, now + _LOOK_AGAIN)
        if flying is None:
            canary_id = new_id()
            await connection.execute(
                "INSERT INTO canaries (id, workspace_id, source, sent_at) VALUES ($1, $2, $3, $4)",
                canary_id,
                workspace_id,
                canary.source,
                now,
            )
            self._to_send.append((workspace_id, canary_id))
            await store.stand_as(connection, workspace_id, CANARY_KIND, CANARY_KIND, place)
            return False
        flight = follow(canary, await _sight(connection, workspace_id, canary, flying))
        if not flight.is_over and now < flying["sent_at"] + canary.within:
            await store.stand_as(connection, workspace_id, CANARY_KIND, CANARY_KIND, place)
            return False
        next_at = max(now, flying["sent_at"] + canary.every)
        # Whoever was to send it died before: that says nothing of the way.
        was_sent = flying["delivery_id"] is not None or bool(flying["error"])
        is_lost = bool(flight.hop) and was_sent
        await _end(connection, flying, flight, now)
        state = "down" if is_lost else "up" if was_sent else row["state"]
        seen_at = row["seen_at"] if flight.hop else now
        over = store.Place(state, seen_at, next_at, next_at)
        await store.stand_as(connection, workspace_id, CANARY_KIND, CANARY_KIND, over)
        if is_lost:
            await self._alerter.raise_trouble(connection, workspace_id, trouble_of_canary(flight))
        elif was_sent:
            await self._alerter.recover(connection, workspace_id, fingerprint_of(CANARY_KIND, CANARY_KIND))
        return is_lost

    async def _send(self, workspace_id: UUID, canary_id: UUID) -> None:
        canary = self._flying.canary(workspace_id)
        if canary is None:
            return
        delivery_id, error = None, ""
        try:
            delivery_id = await self._flying.send_canary(workspace_id, canary, str(canary_id))
        except Exception as refusal:  # noqa: BLE001 - whatever it is, it is what a sender would have met
            error = str(refusal) or type(refusal).__name__
        async with acquire(self._pool) as connection:
            await connection.execute(
                "UPDATE canaries SET delivery_id = $2, error = $3 WHERE id = $1",
                canary_id,
                delivery_id,
                storable(error[:500]),
            )

    async def _clean(self, workspace_id: UUID) -> None:
        """Delete what was made of canaries that are over."""
        canary = self._flying.canary(workspace_id)
        async with acquire(self._pool) as connection:
            over = await connection.fetch(
                """
                SELECT id FROM canaries WHERE workspace_id = $1 AND cleaned_at IS NULL AND state <> 'flying' LIMIT 10
                """,
                workspace_id,
            )
            if not over or canary is None:
                return
            contact_id = await _contact_of(connection, workspace_id, canary.email)
        if contact_id is not None:
            with suppress(PermanentError):  # It is gone already.
                await self._delete(workspace_id, contact_id)
        async with acquire(self._pool) as connection:
            await connection.execute(
                "UPDATE canaries SET cleaned_at = now() WHERE id = ANY($1)", [row["id"] for row in over]
            )


async def _end(connection: Connection, flying: Row, flight: Flight, now: datetime) -> None:
    await connection.execute(
        "UPDATE canaries SET state = $2, ended_at = $3, hop = $4, error = $5, hops = $6 WHERE id = $1",
        flying["id"],
        "lost" if flight.hop else "arrived",
        now,
        flight.hop,
        storable(flight.error[:500]),
        hops_of(flight.passed, flying["sent_at"]),
    )
    await connection.execute(
        "DELETE FROM canaries WHERE workspace_id = $1 AND sent_at < $2 AND cleaned_at IS NOT NULL",
        flying["workspace_id"],
        now - _KEPT,
    )


async def _contact_of(connection: Connection, workspace_id: UUID, email: str) -> UUID | None:
    found: UUID | None = await connection.fetchval(
        "SELECT contact_id FROM identifiers WHERE workspace_id = $1 AND kind = 'email' AND value = $2 LIMIT 1",
        workspace_id,
        email,
    )
    return found


async def _sight(connection: Connection, workspace_id: UUID, canary: Canary, flying: Row) -> Sight:
    """Look where a canary has left a mark."""
    delivery_id = flying["delivery_id"]
    if delivery_id is None:
        return Sight(refusal=flying["error"])
    delivery = await connection.fetchrow("SELECT state, reason FROM deliveries WHERE id = $1", delivery_id)
    if delivery is None:
        return Sight()
    rows = await connection.fetch(
        """
        SELECT runs.workflow, runs.state, waiting_for, held_at, runs.error, finished_at,
               last.connection, last.name, last.error AS trouble
        FROM runs LEFT JOIN LATERAL (
            SELECT connection, name, error FROM attempts
            WHERE run_id = runs.id AND attempts.state IN ('retry', 'failed')
            ORDER BY step DESC, number DESC LIMIT 1
        ) AS last ON runs.state <> 'done'
        WHERE runs.delivery_id = $1 ORDER BY runs.id
        """,
        delivery_id,
    )
    told_at = await connection.fetchval(
        """
        SELECT min(attempts.started_at + duration_ms * interval '1 millisecond') FROM runs
        JOIN attempts ON attempts.run_id = runs.id
        WHERE runs.delivery_id = $1 AND starts_with(attempts.name, 'chat.') AND attempts.state = 'ok'
        """,
        delivery_id,
    )
    contact_id = await _contact_of(connection, workspace_id, canary.email)
    in_crm = bool(canary.crm) and await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2
                       AND connection = $3 AND external_id IS NOT NULL)
        """,
        workspace_id,
        contact_id,
        canary.crm,
    )
    runs = tuple(
        Seen(
            row["workflow"],
            row["state"],
            row["waiting_for"],
            row["held_at"],
            row["error"],
            row["finished_at"],
            row["connection"] or "",
            row["name"] or "",
            row["trouble"] or "",
        )
        for row in rows
    )
    return Sight(
        "", delivery["state"], delivery["reason"], runs, in_crm=in_crm, told_at=told_at, has_contact=bool(contact_id)
    )
