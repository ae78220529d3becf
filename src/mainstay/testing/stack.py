"""A whole stack under test: real database, simulated vendors, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from pydantic import SecretStr

from mainstay.access import Grant
from mainstay.app import App, Bundle
from mainstay.db import acquire
from mainstay.engine.awaiting import duration
from mainstay.engine.inline import InlineEngine, VirtualClock
from mainstay.identity import contact_of
from mainstay.intake import Receipt
from mainstay.kit import RawRequest
from mainstay.model import Contact
from mainstay.sandbox.vendors import simulators
from mainstay.settings.environment import Environment
from mainstay.settings.policy import require_policy
from mainstay.settings.stack import load_stack
from mainstay.settings.workflows import load_workflows
from mainstay.testing.alerts import CapturedAlert, captured_alerts

if TYPE_CHECKING:
    from mainstay.sandbox.client import Sandbox
    from mainstay.settings.stack import Stack

# What vendors tell of an account when a person connects it.
_ACCOUNT = {
    "realmId": "9341455600000000",
    "locationId": "ve9EPM428h8vShlRW1KT",
    "hub_id": "123456",
    "instance_url": "https://example.my.salesforce.com",
}


@dataclass(frozen=True, slots=True)
class Lead:
    """What became of a submission: the receipt, and the contact that it is."""

    receipt: Receipt
    contact: Contact


class SampleEnvironment(Environment):
    """Gives a harmless value for every variable that a stack names and the test has not set."""

    def get(self, name: str) -> str | None:
        return super().get(name) or f"sample-{name.lower()}"


class StackUnderTest:
    """Drives a stack in this process.

    Attributes:
        app: the running application.
        clock: the time as the stack sees it.
        sandbox: the simulated vendors: their state, their faults.
        alerts: what people were told of trouble, oldest first, as of the last submit, settle or advance.
    """

    def __init__(self, app: App, clock: VirtualClock, sandbox: Sandbox) -> None:
        self.app = app
        self.clock = clock
        self.sandbox = sandbox
        self.alerts: list[CapturedAlert] = []
        self._engine = InlineEngine(app.pool, app.driver, clock, app.scheduler, app.gates, (app.pinged, app.alerter))
        self._workspace = next(iter(app.workspaces.values()))

    @classmethod
    async def open(cls, folder: Path, dsn: str, sandbox: Sandbox) -> StackUnderTest:
        """Load the stack of ``folder``; every connection that the sandbox simulates is pointed at it."""
        stack = point_at_sandbox(load_stack(folder, SampleEnvironment.load(folder, {})), sandbox)
        clock = VirtualClock()
        workflows = tuple(load_workflows(folder))
        require_policy(stack, workflows)
        app = await App.open(dsn, [Bundle(stack, workflows)], clock=clock, pool_size=4)
        await app.scheduler.declare()
        return cls(app, clock, sandbox)

    async def close(self) -> None:
        """Close what was opened."""
        await self.app.close()

    async def connect(self) -> None:
        """Let every account that a person connects (``mainstay connect``) be connected, as long as the test lasts.

        The fixture ``stack`` has done so.
        """
        grant = Grant("sample-access-token", timedelta(days=36500), answer=_ACCOUNT)
        for name, oauth in self._workspace.oauth.items():
            if oauth.needs_person:
                await self.app.tokens.keep(self._workspace.id, name, oauth, grant, _ACCOUNT)

    async def deliver(
        self,
        source: str,
        body: bytes,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Hand a raw body to a source's intake and drive what follows from it.

        No signature is made for it: give it in ``headers``, in whose place nothing else is sent.
        """
        binding = self._workspace.sources[source]
        headers = {name.lower(): value for name, value in (headers or {"content-type": content_type}).items()}
        # Not before anything that has happened already: what is older only fills gaps.
        received_at = max(self.clock(), datetime.now(UTC))
        request = RawRequest("POST", f"http://test/in/{self._workspace.slug}/{source}", headers, body, received_at)
        receipt = await self.app.intake.receive(binding, request)
        await self.settle()
        return receipt

    async def submit(self, source: str, **fields: str) -> Lead:
        """Submit a lead to a ``form`` or ``json`` source without a secret; returns it with its contact."""
        receipt = await self.deliver(source, orjson.dumps(fields))
        async with acquire(self.app.pool) as connection:
            row = await connection.fetchrow(
                """
                SELECT contacts.* FROM contacts JOIN changes ON changes.contact_id = contacts.id
                WHERE changes.delivery_id = $1 LIMIT 1
                """,
                receipt.delivery_id,
            )
        if row is None:
            message = f"no contact came of it: {receipt.state} {receipt.reason}".strip()
            raise AssertionError(message)
        return Lead(receipt, contact_of(row))

    async def settle(self) -> None:
        """Drive everything that is due now."""
        await self._engine.settle()
        self.alerts = await captured_alerts(self.app.pool, self._workspace.id)

    async def advance(self, length: str | float | timedelta) -> None:
        """Let ``"11m"``, seconds or a timedelta pass, driving what becomes due on the way."""
        await self._engine.advance(duration(length))
        self.alerts = await captured_alerts(self.app.pool, self._workspace.id)

    async def retry(self, workflow: str = "") -> None:
        """Retry every failed run, of one workflow if named, from the step that failed; drive what follows from it."""
        for run_id, _, state in await self.runs(workflow):
            if state == "failed":
                await self.app.retrier.retry(self._workspace.id, run_id, by="test")
        await self.settle()

    async def start_at(self, moment: datetime) -> None:
        """Put the clock to a moment before anything has happened; schedules begin there."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._workspace.stack.timezone)
        self.clock.now = moment.astimezone(UTC)
        async with acquire(self.app.pool) as connection:
            await connection.execute("DELETE FROM schedules WHERE workspace_id = $1", self._workspace.id)
        await self.app.scheduler.declare()

    async def advance_to(self, moment: datetime) -> None:
        """Let time pass until a moment; one without a zone is by the workspace's clock."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._workspace.stack.timezone)
        await self.advance(moment.astimezone(UTC) - self.clock.now)

    async def answer(self, *, approved: bool, by: str = "test", note: str = "") -> None:
        """Answer the one question that is open, and drive what follows from it."""
        async with acquire(self.app.pool) as connection:
            rows = await connection.fetch("SELECT id, question FROM approvals WHERE state = 'open'")
        if len(rows) != 1:
            questions = ", ".join(repr(row["question"]) for row in rows)
            raise AssertionError(f"{len(rows)} questions are open, not one: {questions}" if rows else "nobody is asked")
        await self.app.approvals.decide(self._workspace.id, rows[0]["id"], approved=approved, by=by, note=note)
        await self.settle()

    async def approve(self, note: str = "", *, by: str = "test") -> None:
        """Answer the one question that is open with a yes."""
        await self.answer(approved=True, by=by, note=note)

    async def decline(self, note: str = "", *, by: str = "test") -> None:
        """Answer the one question that is open with a no."""
        await self.answer(approved=False, by=by, note=note)

    async def runs(self, workflow: str = "") -> list[tuple[UUID, str, str]]:
        """Return the runs so far as (id, workflow, state), oldest first; of one workflow if named."""
        async with acquire(self.app.pool) as connection:
            rows = await connection.fetch(
                "SELECT id, workflow, state FROM runs WHERE $1 = '' OR workflow = $1 ORDER BY id", workflow
            )
        return [(row["id"], row["workflow"], row["state"]) for row in rows]


def point_at_sandbox(stack: Stack, sandbox: Sandbox) -> Stack:
    """Return the same stack with its vendors' addresses replaced by the simulators'."""
    connections = {}
    simulated = {simulator.name for simulator in simulators()}
    for name, entry in stack.connections.items():
        # The simulators take more than the vendors; what a stack says itself counts.
        update: dict[str, object] = {"rate": entry.settings.rate or "off"}
        if entry.connector.name in simulated:
            update["base_url"] = sandbox.url(entry.connector.name)
        webhook_url = getattr(entry.settings, "webhook_url", None)
        if webhook_url is not None and webhook_url.get_secret_value():
            # The whole address, which a base address would only move.
            update = {"webhook_url": SecretStr(sandbox.slack_webhook_url())}
        connections[name] = replace(entry, settings=entry.settings.model_copy(update=update))
    return replace(stack, connections=connections)
