"""The composition root: takes a stack and a database, and hands every part what it needs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.access import Keys, Tokens
from mainstay.approving import QUESTION, Approvals
from mainstay.consequences import Routing
from mainstay.contacts import Contacts, forget_old_keys
from mainstay.contacts.builtin import BuiltinStore
from mainstay.contacts.forwarding import FORWARD, Forwarder
from mainstay.db import GroupCommit, Pool, acquire, open_pool
from mainstay.db.tallies import add_up_hours
from mainstay.engine import Driver, StepRunner, Workflow
from mainstay.engine.context import RoleBinding
from mainstay.engine.driver import utc_now
from mainstay.engine.guard import Terms
from mainstay.engine.keeping import RunKeeper
from mainstay.engine.programs import Programs
from mainstay.engine.retrying import BULK_RETRY, Retrier
from mainstay.errors import WorkflowError
from mainstay.foreseeing import Foreseer
from mainstay.gates import Gates, gates_of
from mainstay.heartbeating import Heart, Heartbeat
from mainstay.heartbeating import declare as declare_heartbeat
from mainstay.identity import IDENTITY, load_contact
from mainstay.inbound import Journey, read
from mainstay.intake import INBOUND, Intake, Receipt, SourceBinding
from mainstay.intake.store import Suspect, clear_quarantine
from mainstay.kit import CRM, Http, HttpSettings, PullingCRM, PullingLayer, Table
from mainstay.kit.http import Session, open_session
from mainstay.mirrors import Mirror, Mirrors
from mainstay.model import Lane, Retry, Run, new_id
from mainstay.monitors import Monitor, Monitors
from mainstay.pulls import PULL_FAILURES, RECONCILE, FailurePull, FailurePuller, Pull, Puller
from mainstay.recording import Recorder
from mainstay.records import push_failed, settling_effects
from mainstay.records.deleting import DELETE_ELSEWHERE, DeleterElsewhere
from mainstay.records.merging import MERGE_ELSEWHERE, MergerElsewhere
from mainstay.records.push import Pusher
from mainstay.records.store import PUSH
from mainstay.retelling import TELL_ANEW, Reteller
from mainstay.runs import Settlement
from mainstay.scheduling import Scheduler
from mainstay.settings.retrying import terms_of
from mainstay.watch import (
    ALERT,
    Alerter,
    mark_handled,
    resolve_by_hand,
    resolve_healed,
    trouble_of_quarantine,
)
from mainstay.watch.alert import Route
from mainstay.workflows import Workflows
from mainstay.workspace import IMPORTED, Bundle, Workspace

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mainstay.db import Connection
    from mainstay.engine.history import Clock
    from mainstay.settings.hours import Hours

__all__ = ["IMPORTED", "App", "Bundle", "Workspace"]


class App:
    """Everything of one process: the same object behind the web, the worker, the commands and the tests."""

    def __init__(self, pool: Pool, *, public_url: str, clock: Clock | None = None, keys: Keys | None = None) -> None:
        self.pool = pool
        self.public_url = public_url.rstrip("/")
        self.commit = GroupCommit(pool)
        self.workspaces: dict[UUID, Workspace] = {}
        self.by_slug: dict[str, Workspace] = {}
        self.clock = clock or utc_now
        self._session: Session | None = None
        self._no_http = HttpSettings("")
        self.tokens = Tokens(pool, keys or Keys(), self.session, clock=clock)
        self.alerter = Alerter(self)
        self.foreseer = Foreseer(pool, self.tokens, self.alerter, self.workspaces, clock)
        self.heart = Heart(pool, self, self.session)
        self.watched_at: float | None = None
        self.pinged = Monitors(pool, self, self.alerter, self.tokens.keys, clock)
        self.intake = Intake(pool, self.commit, read, on_quarantined=self._quarantined)
        self.pusher = Pusher(pool, self.commit, self, load_contact)
        self.journey = Journey(self.commit, self, self.alerter.raise_trouble)
        self.contacts = Contacts(pool, self.commit, self)
        self.book = Recorder(pool, self.commit, lambda each: self.routing(each).records)
        self.copies = Mirrors(pool, self, self.contacts, self.book, self.alerter.drifted)
        self.puller = Puller(pool, self, self.alerter.missed)
        self.failures = FailurePuller(pool, self, self.intake, self.clock)
        self.reteller = Reteller(pool, self)
        self.approvals = Approvals(pool, self, self.clock)
        self.scheduler = Scheduler(pool, self, clock)
        own = {
            INBOUND: self.journey.program,
            PUSH: self.pusher.program,
            MERGE_ELSEWHERE: MergerElsewhere(pool, self).program,
            DELETE_ELSEWHERE: DeleterElsewhere(pool, self).program,
            **self.copies.programs,
            RECONCILE: self.puller.program,
            PULL_FAILURES: self.failures.program,
            TELL_ANEW: self.reteller.program,
            FORWARD: Forwarder(pool, self).program,
            ALERT: self.alerter.program,
            QUESTION: self.approvals.program,
        }
        self.own = (*own, BULK_RETRY)
        self.keeper = RunKeeper(pool, self.routing, own=self.own, clock=self.clock)
        self.retrier = Retrier(pool, self.keeper.deadline, own=self.own)
        own[BULK_RETRY] = self.retrier.program
        self.retry_run, self.answer_run = self.retrier.retry_failed, self.retrier.answer
        self.gates = Gates(pool, clock=clock)
        self.driver = Driver(
            pool,
            self.commit,
            Programs(own, self),
            open_http=self.open_http,
            terms=self.terms,
            on_failed=self._failed,
            clock=self.clock,
        )
        self.driver.gate = self.gates
        self.driver.settle_effects = settling_effects(lambda each: self.routing(each).records, locks=IDENTITY)
        self.flows = Workflows(pool, self.driver, self, self.clock)

    @classmethod
    async def open(
        cls,
        dsn: str,
        bundles: Sequence[Bundle],
        *,
        public_url: str = "",
        clock: Clock | None = None,
        pool_size: int = 8,
        keys: Keys | None = None,
    ) -> App:
        """Connect, make the workspaces known, bind their stacks.

        ``keys`` seal the tokens of connections; without, one is made up that ends with this process.
        """
        app = cls(await open_pool(dsn, size=pool_size), public_url=public_url, clock=clock, keys=keys)
        for bundle in bundles:
            async with acquire(app.pool) as connection, connection.transaction():
                workspace_id = await connection.fetchval(
                    """
                    INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $3)
                    ON CONFLICT (slug) DO UPDATE SET name = excluded.name RETURNING id
                    """,
                    new_id(),
                    bundle.stack.slug,
                    bundle.stack.name,
                )
                await declare_heartbeat(connection, workspace_id)
            workspace = Workspace(workspace_id, bundle, app.clock)
            app.workspaces[workspace_id] = app.by_slug[workspace.slug] = workspace
            app.gates.serve(workspace_id, gates_of(workspace_id, bundle.stack))
            for declare in (app.copies.declare, app.puller.declare, app.pinged.declare, app.reteller.declare):
                await declare(workspace_id)
        return app

    async def close(self) -> None:
        """Close what was opened."""
        await self.flows.close()
        if self._session is not None:
            await self._session.close()
        await self.pool.close()

    def workspace(self, workspace_id: UUID) -> Workspace:
        """Return a workspace that this process serves."""
        found = self.workspaces.get(workspace_id)
        if found is None:
            message = f"the workspace {workspace_id} is not among the stacks this process was started with"
            raise WorkflowError(message)
        return found

    # What the stages ask for -------------------------------------------------------------------------------------

    def routing(self, workspace_id: UUID) -> Routing:
        """See :class:`mainstay.inbound.Workspaces`."""
        return self.workspace(workspace_id).routing

    def workflows(self, workspace_id: UUID) -> Mapping[str, Workflow]:
        """See :class:`mainstay.workflows.Declared`."""
        return self.workspace(workspace_id).workflows

    def source(self, workspace_id: UUID, name: str) -> SourceBinding:
        """See :class:`mainstay.inbound.Workspaces`."""
        found = self.workspace(workspace_id).all_sources.get(name)
        if found is None:
            message = f'the source "{name}" is no longer in stack.toml; restore it, then retry'
            raise WorkflowError(message)
        return found

    def open_http(self, workspace_id: UUID, connection: str, idempotency_key: str) -> Http:
        """Return the HTTP client of one attempt."""
        if not connection:
            return Http(self.session(), self._no_http, idempotency_key=idempotency_key)
        workspace = self.workspace(workspace_id)
        http = Http(self.session(), workspace.http_settings(connection), idempotency_key=idempotency_key)
        oauth = workspace.oauth.get(connection)
        if oauth is not None:
            http.authorize = partial(self.tokens.access, workspace_id, connection, oauth)
        return http

    def session(self) -> Session:
        """Return this process's pool of connections to vendors."""
        if self._session is None:
            self._session = open_session(limit=0)
        return self._session

    def terms(self, workspace_id: UUID, connection: str, name: str, said: Sequence[Retry]) -> Terms:
        """See :class:`mainstay.engine.guard.TermsOf`."""
        return terms_of(self.workspace(workspace_id).stack, connection, name, said)

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http, run: Run | None = None) -> Any:
        """Return a connection's object for a role, for one attempt; ``run`` is the one that calls, for the record."""
        workspace = self.workspace(workspace_id)
        entry = workspace.stack.connections.get(connection)
        if entry is None or role not in entry.connector.roles:
            message = f'stack.toml has no connection "{connection}" for the role {role}'
            raise WorkflowError(message)
        store = BuiltinStore(self.pool, workspace_id, run) if entry.connector.is_builtin else None
        return entry.connector.roles[role](entry.settings, http, store)

    def crm(self, workspace_id: UUID, connection: str, http: Http) -> CRM:
        """See :class:`mainstay.records.push.Systems`."""
        found: CRM = self.vendor(workspace_id, connection, "crm", http)
        return found

    def deleting(self, workspace_id: UUID) -> Collection[str]:
        """See :class:`mainstay.records.deleting.DeletingSystems`."""
        return self.routing(workspace_id).deleting

    def table(self, workspace_id: UUID, connection: str, http: Http) -> Table:
        """See :class:`mainstay.mirrors.writing.Tables`."""
        found: Table = self.vendor(workspace_id, connection, "table", http)
        return found

    def mirrors(self, workspace_id: UUID) -> Mapping[str, Mirror]:
        """See :class:`mainstay.mirrors.writing.Tables`."""
        return self.workspace(workspace_id).mirrors

    def followed(self, workspace_id: UUID) -> str:
        """See :class:`mainstay.mirrors.writing.Tables`."""
        return self.workspace(workspace_id).routing.system_of_record

    def can_pull(self, workspace_id: UUID, connection: str) -> bool:
        """See :class:`mainstay.mirrors.writing.Tables`."""
        return self.workspace(workspace_id).stack.connections[connection].can_pull

    def monitors(self, workspace_id: UUID) -> Mapping[str, Monitor]:
        """See :class:`mainstay.monitors.pinging.Watched`."""
        return self.workspace(workspace_id).stack.monitors

    def heartbeat(self, workspace_id: UUID) -> Heartbeat | None:
        """See :class:`mainstay.heartbeating.Beating`."""
        return self.workspace(workspace_id).stack.heartbeat

    def secrets(self, workspace_id: UUID) -> Sequence[str]:
        """See :class:`mainstay.monitors.pinging.Watched`."""
        return self.workspace(workspace_id).secrets()

    def pull(self, workspace_id: UUID) -> Pull | None:
        """See :class:`mainstay.pulls.pulling.Systems`."""
        return self.workspace(workspace_id).stack.pull

    def pulling_crm(self, workspace_id: UUID, connection: str, http: Http) -> PullingCRM:
        """See :class:`mainstay.pulls.pulling.Systems`."""
        found: PullingCRM = self.vendor(workspace_id, connection, "crm", http)
        return found

    def failure_pulls(self, workspace_id: UUID) -> Mapping[str, FailurePull]:
        """See :class:`mainstay.pulls.failures.Layers`."""
        return self.workspace(workspace_id).failure_pulls

    def pulling_layer(self, workspace_id: UUID, connection: str, http: Http) -> PullingLayer:
        """See :class:`mainstay.pulls.failures.Layers`."""
        found: PullingLayer = self.vendor(workspace_id, connection, "layer", http)
        return found

    def role(self, workspace_id: UUID, role: str, run: Run | None = None) -> RoleBinding:
        """See :class:`mainstay.engine.context.Surroundings`."""
        workspace = self.workspace(workspace_id)
        connection = workspace.stack.roles.get(role)
        if connection is None:
            message = f'no connection has the role {role}: add  {role} = "NAME"  to [roles] in stack.toml'
            raise WorkflowError(message)
        return RoleBinding(
            role,
            connection,
            lambda http: self.vendor(workspace_id, connection, role, http, run),
            workspace.copies(connection),
        )

    def hours(self, workspace_id: UUID) -> Hours | None:
        """See :class:`mainstay.engine.awaiting.Calendar`."""
        return self.workspace(workspace_id).stack.hours

    def timezone(self, workspace_id: UUID) -> ZoneInfo:
        """See :class:`mainstay.engine.awaiting.Calendar`."""
        return self.workspace(workspace_id).stack.timezone

    async def external_id(self, steps: StepRunner, contact_id: UUID, connection: str, *, step: int, name: str) -> str:
        """See :class:`mainstay.engine.context.Surroundings`."""
        if self.workspace(steps.run.workspace_id).connector(connection).is_builtin:
            return str(contact_id)
        return await self.pusher.external_id(steps, contact_id, connection, step=step, name=name)

    def alert_routes(self, workspace_id: UUID) -> Sequence[Route]:
        """See :class:`mainstay.watch.alert.AlertRoutes`."""
        return [
            Route(route.connection, route.role, route.target) for route in self.workspace(workspace_id).stack.alerts
        ]

    def incident_url(self, workspace_id: UUID, incident_id: UUID) -> str:
        """See :class:`mainstay.watch.alert.AlertRoutes`."""
        return self.page_url(workspace_id, f"incidents/{incident_id}")

    def page_url(self, workspace_id: UUID, path: str) -> str:
        """Return the address of a workspace's page."""
        return f"{self.public_url}/w/{self.workspace(workspace_id).slug}/{path}"

    def record_url(self, workspace_id: UUID, connection: str, external_id: str) -> str:
        """Return the address of a record in its system's own screens; empty when it has none."""
        entry = self.workspace(workspace_id).stack.connections.get(connection)
        if entry is None or entry.connector.record_url is None:
            return ""
        return entry.connector.record_url(entry.settings, external_id)

    # What happens in the transaction that records a failure --------------------------------------------------------

    async def _failed(self, connection: Connection, run: Run, settlement: Settlement) -> None:
        if run.workflow == PUSH and run.contact_id is not None:
            await push_failed(connection, run.id, run.contact_id, settlement.error)
        if run.workflow == INBOUND and run.delivery_id is not None:
            await connection.execute(
                "UPDATE deliveries SET state = 'failed', reason = $2 WHERE id = $1", run.delivery_id, settlement.error
            )
        await self.alerter.run_failed(connection, run, settlement)

    async def _quarantined(self, connection: Connection, suspect: Suspect) -> None:
        trouble = trouble_of_quarantine(suspect.source.name, suspect.reason)
        await self.alerter.raise_trouble(connection, suspect.source.workspace_id, trouble)

    # Verbs of the screens and commands ----------------------------------------------------------------------------

    async def replay_delivery(self, workspace_id: UUID, delivery_id: UUID, *, lane: Lane = Lane.LEAD) -> UUID:
        """Read a kept delivery again with today's settings; see :meth:`Intake.replay`."""
        return await self.intake.replay(self.workspace(workspace_id).all_sources, workspace_id, delivery_id, lane=lane)

    async def release_quarantined(self, workspace_id: UUID, quarantine_id: UUID) -> Receipt:
        """Take a request out of quarantine on a person's word; see :meth:`Intake.release`."""
        return await self.intake.release(self.workspace(workspace_id).sources, workspace_id, quarantine_id)

    async def mark_handled(self, workspace_id: UUID, run_id: UUID) -> bool:
        """Note that a person has dealt with a failed run; False when it is not a failed run."""
        async with acquire(self.pool) as connection, connection.transaction():
            return await mark_handled(connection, workspace_id, run_id)

    async def resolve_incident(self, workspace_id: UUID, incident_id: UUID) -> bool:
        """Close an incident by hand, its failed runs handled; False when it is not open."""
        async with acquire(self.pool) as connection, connection.transaction():
            return await resolve_by_hand(connection, workspace_id, incident_id)

    async def watch_once(self) -> None:
        """Close what has healed and forget what is over; called by the worker with each heartbeat."""
        async with acquire(self.pool) as connection, connection.transaction():
            await add_up_hours(connection)
        async with acquire(self.pool) as connection:
            await resolve_healed(connection)
            await clear_quarantine(connection, datetime.now(UTC))
            await forget_old_keys(connection)
        await self.pinged.look()
        for workspace_id in self.workspaces:
            for each in (self.copies, self.puller, self.failures, self.reteller):
                await each.begin_due(workspace_id)
        await self.keeper.keep()
        self.watched_at = time.monotonic()

    async def ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Return the address at which a monitor is pinged; empty where its key can be opened no more."""
        key = (await self.pinged.keys(workspace_id)).get(monitor, "")
        return self._ping_url(workspace_id, monitor, key) if key else ""

    async def renew_ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Give a monitor another address and return it; see :meth:`Monitors.renew`."""
        return self._ping_url(workspace_id, monitor, await self.pinged.renew(workspace_id, monitor))

    def _ping_url(self, workspace_id: UUID, monitor: str, key: str) -> str:
        return f"{self.public_url}/ping/{self.workspace(workspace_id).slug}/{key}/{monitor}"
