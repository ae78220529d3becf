"""Alerts are tested before they are needed: each channel once a week by itself, and by hand at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.errors import MainstayError
from mainstay.model import new_id
from mainstay.watch.alert import Alerting
from mainstay.watch.channels import Message, calls
from mainstay.watch.routes import Route
from mainstay.watch.wording import message_of_test

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.kit import Http
    from mainstay.watch.alert import Alerter

TEST = "test"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test of one channel; ``error`` is empty where it took the message, within ``seconds``."""

    channel: str
    role: str
    seconds: float
    error: str = ""


class Reaching(Alerting, Protocol):
    """What the composition root knows of a workspace's alerts and of how its vendors are reached."""

    def open_http(self, workspace_id: UUID, connection: str, idempotency_key: str) -> Http:
        """Return the HTTP client of one attempt."""
        ...


class SelfTest:
    """Tests the channels of a process's workspaces. ``clock`` is a test's."""

    def __init__(
        self, pool: Pool, reaching: Reaching, alerter: Alerter, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._pool = pool
        self._reaching = reaching
        self._alerter = alerter
        self._clock = clock
        self._next: dict[UUID, datetime] = {}

    async def look(self) -> None:
        """Begin the weekly tests that are due: durable runs, so one that fails is an incident, told over the others."""
        for workspace_id in self._reaching.workspaces:
            due_at = self._next.get(workspace_id)
            if due_at is None or due_at <= self._now():
                next_at = await transact(self._pool, partial(self._test_due, workspace_id=workspace_id))
                self._next[workspace_id] = next_at or _NEVER

    async def _test_due(self, connection: Connection, workspace_id: UUID) -> datetime | None:
        now = self._now()
        alerts = self._reaching.workspace(workspace_id).alerts
        next_at = alerts.next_test(now)
        if next_at is None:
            return None
        # Of many workers one tests; the moment follows the stack, whichever was stored.
        is_due = await connection.fetchval(
            """
            INSERT INTO alert_tests AS known (workspace_id, due_at) VALUES ($1, $2)
            ON CONFLICT (workspace_id) DO UPDATE SET due_at = excluded.due_at
            WHERE known.due_at <> excluded.due_at RETURNING xmax <> 0
                AND (SELECT due_at FROM alert_tests WHERE workspace_id = $1) <= $3
            """,
            workspace_id,
            next_at,
            now,
        )
        if is_due:
            for route in alerts:
                await self._alerter.send(connection, workspace_id, TEST, (), route, self._message(workspace_id, route))
        return next_at

    async def test_now(self, workspace_id: UUID) -> list[Tested]:
        """Send a test over each channel from this process, one after the other; each may take half a minute."""
        return [await self._test(workspace_id, route) for route in self._reaching.workspace(workspace_id).alerts]

    async def _test(self, workspace_id: UUID, route: Route) -> Tested:
        message = self._message(workspace_id, route)
        began = time.perf_counter()
        try:
            for place, (operation, arguments) in enumerate(calls(route, message)):
                http = self._reaching.open_http(workspace_id, route.connection, f"{new_id()}-{place}")
                vendor = self._reaching.vendor(workspace_id, route.connection, route.role, http)
                await getattr(vendor, operation)(*arguments)
        except MainstayError as error:
            return Tested(route.written, route.role, time.perf_counter() - began, str(error))
        return Tested(route.written, route.role, time.perf_counter() - began)

    def _now(self) -> datetime:
        return self._clock() if self._clock else datetime.now(UTC)

    def _message(self, workspace_id: UUID, route: Route) -> Message:
        url = self._reaching.page_url(workspace_id, "incidents")
        key = f"mainstay-test-{workspace_id}-{route.connection}"
        return message_of_test(self._reaching.workspace(workspace_id).name, route.written, key, url)
