"""The watch over silence: sources, outcomes, the canary and the checks, over the workspaces of a process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.kit import Http, HttpSettings, RawRequest
from mainstay.monitors import Canaries, Canary, Checking, Listening, OutcomeRule, Outcomes, SourceRule

if TYPE_CHECKING:
    from mainstay.contacts import Contacts
    from mainstay.db import Pool
    from mainstay.engine.history import Clock
    from mainstay.intake import Intake
    from mainstay.kit.http import Session
    from mainstay.watch import Alerter
    from mainstay.workspace import Workspace


class Silence:
    """Says what is expected of each workspace, and looks whether it comes. ``clock`` is a test's."""

    def __init__(  # noqa: PLR0913 - all that a canary passes
        self,
        pool: Pool,
        workspaces: Mapping[UUID, Workspace],
        alerter: Alerter,
        *,
        intake: Intake,
        contacts: Contacts,
        session: Callable[[], Session],
        public_url: str,
        now: Clock,
        clock: Clock | None = None,
    ) -> None:
        self.workspaces = workspaces
        self._intake = intake
        self._session = session
        self._public_url = public_url
        self._now = now
        self.sources = Listening(pool, self, alerter, clock)
        self.outcomes = Outcomes(pool, self, alerter, clock)
        self.canaries = Canaries(pool, self, alerter, contacts.delete, clock)
        self.checks = Checking(pool, self, alerter, clock)

    async def declare(self, workspace_id: UUID) -> None:
        """Let what is expected of a workspace be what its stack says."""
        await self.sources.declare(workspace_id)
        await self.outcomes.declare(workspace_id)
        await self.canaries.declare(workspace_id)

    async def look(self) -> None:
        """Look at all that is due."""
        await self.sources.look()
        await self.outcomes.look()
        await self.canaries.look()
        await self.checks.look_if_due()

    # What the parts ask for --------------------------------------------------------------------------------------

    def source_rules(self, workspace_id: UUID) -> Mapping[str, SourceRule]:
        """See :class:`mainstay.monitors.listening.Expecting`."""
        return self.workspaces[workspace_id].stack.expected

    def outcome_rules(self, workspace_id: UUID) -> Mapping[str, OutcomeRule]:
        """See :class:`mainstay.monitors.outcomes.Promising`."""
        return self.workspaces[workspace_id].stack.outcomes

    def crm_of(self, workspace_id: UUID) -> str:
        """See :class:`mainstay.monitors.outcomes.Promising`."""
        return self.workspaces[workspace_id].routing.system_of_record

    def reached(self, workspace_id: UUID) -> Collection[str]:
        """See :class:`mainstay.monitors.checking.Checked`."""
        connections = self.workspaces[workspace_id].stack.connections
        return [name for name, entry in connections.items() if entry.connector.http is not None]

    def pulled(self, workspace_id: UUID) -> Mapping[str, Sequence[str]]:
        """See :class:`mainstay.monitors.checking.Checked`."""
        pull = self.workspaces[workspace_id].stack.pull
        return {pull.connection: pull.sources} if pull is not None and pull.sources else {}

    def canary(self, workspace_id: UUID) -> Canary | None:
        """See :class:`mainstay.monitors.canaries.Flying`."""
        return self.workspaces[workspace_id].stack.canary

    async def send_canary(self, workspace_id: UUID, canary: Canary, key: str) -> UUID:
        """See :class:`mainstay.monitors.canaries.Flying`. Without a public address it is handed to intake itself."""
        workspace = self.workspaces[workspace_id]
        path = f"/in/{workspace.slug}/{canary.source}"
        now = self._now()
        sent = canary.compose(key, now)
        if not self._public_url:
            lower = {name.lower(): value for name, value in sent.headers.items()}
            request = RawRequest("POST", f"http://mainstay{path}", lower, sent.body, now)
            return (await self._intake.receive(workspace.sources[canary.source], request)).delivery_id
        proof = tuple(value for name, value in sent.headers.items() if name.lower() != "content-type")
        settings = HttpSettings(self._public_url, secrets=proof, timeout=15.0)
        answer = await Http(self._session(), settings).request("POST", path, body=sent.body, headers=sent.headers)
        return UUID(answer.data["delivery"])
