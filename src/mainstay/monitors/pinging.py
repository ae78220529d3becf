"""Takes pings, finds those that do not come, and tells people of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.access.keys import WrongKeyError
from mainstay.db import acquire, transact
from mainstay.kit.redaction import Redactor
from mainstay.monitors import store
from mainstay.monitors.looking import Looking
from mainstay.monitors.rules import (
    BODY_BYTES,
    PING,
    Monitor,
    Ping,
    Signal,
    after_ping,
    fingerprint_of,
    trouble_of_failure,
    trouble_of_late,
)
from mainstay.watch import recover, report

if TYPE_CHECKING:
    from mainstay.access import Keys
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.history import Clock
    from mainstay.watch import Alerter

KEPT = 100
"""Pings that are kept of each monitor."""
_MARGIN = 1_000


class Outcome(StrEnum):
    """What became of a ping: it was taken, or no monitor has this address."""

    TAKEN = "taken"
    UNKNOWN = "unknown"


class Watched(Protocol):
    """What the composition root knows of monitors."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def monitors(self, workspace_id: UUID) -> Mapping[str, Monitor]:
        """Return a workspace's monitors by name."""
        ...

    def secrets(self, workspace_id: UUID) -> Sequence[str]:
        """Return what must never be kept, wherever a job says it."""
        ...


class Monitors:
    """The monitors of a process's workspaces. Any number of processes may work on one database."""

    def __init__(self, pool: Pool, watched: Watched, alerter: Alerter, keys: Keys, clock: Clock | None = None) -> None:
        self._pool = pool
        self._watched = watched
        self._alerter = alerter
        self._keys = keys
        self._due = Looking(pool, PING, watched.workspaces, clock)

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace's monitors be those of its stack; a new one gets an address."""
        monitors = self._watched.monitors(workspace_id)

        async def write(connection: Connection) -> None:
            known = await store.sealed_keys(connection, workspace_id)
            keys = {name: ("", "") if name in known else self._new_key(workspace_id, name)[1:] for name in monitors}
            for name in await store.declare(connection, workspace_id, PING, monitors, keys):
                await recover(connection, workspace_id, fingerprint_of(PING, name))

        await transact(self._pool, write)

    async def receive(self, workspace_id: UUID, name: str, key: str, ping: Ping) -> Outcome:
        """Take a ping that came to an address.

        Raises:
            DatabaseUnavailableError: it is not kept; whoever sent it should try again.
        """
        monitor = self._watched.monitors(workspace_id).get(name)
        if monitor is None:
            return Outcome.UNKNOWN
        ping = replace(ping, body=self._kept(workspace_id, ping.body))

        async def write(connection: Connection) -> Outcome:
            known = await connection.fetchval(
                "SELECT key_hash FROM monitors WHERE workspace_id = $1 AND kind = $2 AND name = $3",
                workspace_id,
                PING,
                name,
            )
            # Before the row is held: whoever guesses keys must not hold up those who know them.
            if known is None or not compare_digest(known, _hash(key)):
                return Outcome.UNKNOWN
            row = await store.hold(connection, workspace_id, PING, name)
            if row is None:
                return Outcome.UNKNOWN
            now = await self._due.now(connection)
            before = store.standing_of(row)
            after = after_ping(monitor, before, ping, now)
            took = after.took if ping.signal in {Signal.SUCCESS, Signal.FAIL} else None
            await store.keep_ping(connection, workspace_id, name, ping, took=took, at=now, kept=KEPT)
            was_late = before.state != "down" and before.alert_at is not None and before.alert_at <= now
            if was_late and ping.signal is Signal.SUCCESS:
                # No worker was there to find it. It is told on the pages; what is well again needs no alert.
                await report(connection, workspace_id, trouble_of_late(monitor, before))
            await store.stand(connection, workspace_id, PING, name, after)
            if ping.signal is Signal.FAIL:
                await self._alerter.raise_trouble(connection, workspace_id, trouble_of_failure(monitor, ping))
            elif ping.signal is Signal.SUCCESS and (was_late or before.state == "down"):
                await recover(connection, workspace_id, fingerprint_of(PING, name))
            return Outcome.TAKEN

        return await transact(self._pool, write)

    async def look(self) -> int:
        """Report every monitor that is late; returns how many there were."""
        return await self._due.look(self._report)

    async def _report(self, connection: Connection, row: Row, _now: datetime) -> bool:
        """Report a monitor that is late."""
        workspace_id, name = row["workspace_id"], row["name"]
        monitor = self._watched.monitors(workspace_id).get(name)
        if monitor is None:
            # Declared by a process that started later: it is that one's to judge.
            return False
        standing = store.standing_of(row)
        await self._alerter.raise_trouble(connection, workspace_id, trouble_of_late(monitor, standing))
        await store.stand(connection, workspace_id, PING, name, replace(standing, state="down", alert_at=None))
        return True

    async def next_moment(self) -> datetime | None:
        """Return when the next monitor is late."""
        return await self._due.next_moment()

    async def keys(self, workspace_id: UUID) -> dict[str, str]:
        """Return the unguessable part of each monitor's address; empty where it was sealed with a key that is gone."""
        async with acquire(self._pool) as connection:
            sealed = await store.sealed_keys(connection, workspace_id)
        return {name: self._opened(workspace_id, name, text) for name, text in sealed.items()}

    async def renew(self, workspace_id: UUID, name: str) -> str:
        """Give a monitor another address, and let the old one end; returns its unguessable part.

        Raises:
            LookupError: the stack has no such monitor.
        """
        key, key_hash, sealed = self._new_key(workspace_id, name)
        async with acquire(self._pool) as connection:
            if not await store.replace_key(connection, workspace_id, name, key_hash, sealed):
                raise LookupError(name)
        return key

    def _new_key(self, workspace_id: UUID, name: str) -> tuple[str, str, str]:
        key = token_urlsafe(16)
        return key, _hash(key), self._keys.seal(key, _purpose(workspace_id, name))

    def _opened(self, workspace_id: UUID, name: str, sealed: str) -> str:
        try:
            return self._keys.open(sealed, _purpose(workspace_id, name))
        except WrongKeyError:
            return ""

    def _kept(self, workspace_id: UUID, body: str) -> str:
        """Return what is kept of a body. Masked before it is cut: else the first half of a secret would stay."""
        masked = Redactor(self._watched.secrets(workspace_id)).loose(body[: BODY_BYTES + _MARGIN])
        return masked.encode()[:BODY_BYTES].decode(errors="ignore")


def _hash(key: str) -> str:
    return sha256(key.encode(errors="replace")).hexdigest()


def _purpose(workspace_id: UUID, name: str) -> str:
    return f"monitor {workspace_id} {name}"
