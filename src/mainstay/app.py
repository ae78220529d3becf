"""The composition root: takes a stack and a database, and hands every part what it needs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.access import Keys
from mainstay.approving import QUESTION, Approvals
from mainstay.contacts import Contacts, forget_old_keys
from mainstay.contacts.forwarding import FORWARD, Forwarder
from mainstay.db import GroupCommit, Pool, acquire, open_pool
from mainstay.db.tallies import add_up_hours
from mainstay.engine import Driver
from mainstay.engine.driver import utc_now
from mainstay.engine.keeping import RunKeeper
from mainstay.engine.programs import Programs
from mainstay.engine.retrying import BULK_RETRY, Retrier
from mainstay.errors import DatabaseUnavailableError
from mainstay.foreseeing import Foreseer
from mainstay.gates import Gates, gates_of
from mainstay.heartbeating import Heart
from mainstay.heartbeating import declare as declare_heartbeat
from mainstay.identity import IDENTITY, load_contact
from mainstay.inbound import Journey, read
from mainstay.intake import INBOUND, Intake, Receipt
from mainstay.intake.store import Suspect, clear_quarantine
from mainstay.mirrors import Mirrors
from mainstay.model import Lane, Run, new_id
from mainstay.monitors import Monitors
from mainstay.pulls import PULL_FAILURES, FailurePuller, Pulls
from mainstay.reach import Reach
from mainstay.recording import Recorder
from mainstay.records import push_failed, settling_effects
from mainstay.records.deleting import DELETE_ELSEWHERE, DeleterElsewhere
from mainstay.records.merging import MERGE_ELSEWHERE, MergerElsewhere
from mainstay.records.push import Pusher
from mainstay.records.store import PUSH
from mainstay.retelling import TELL_ANEW, Reteller
from mainstay.retention import Forgetting
from mainstay.runs import Settlement
from mainstay.scheduling import Scheduler
from mainstay.silence import Silence
from mainstay.watch import (
    ALERT,
    Alerter,
    mark_handled,
    resolve_healed,
    trouble_of_quarantine,
)
from mainstay.watch.outages import Outages
from mainstay.watch.self_test import SelfTest
from mainstay.watch.standing_in import StandIn
from mainstay.weekly import WEEKLY_REVIEW, WeeklyReviews
from mainstay.workflows import Workflows
from mainstay.workspace import IMPORTED, Bundle, Workspace

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.engine import StepRunner
    from mainstay.engine.history import Clock

__all__ = ["IMPORTED", "App", "Bundle", "Workspace"]


class App(Reach):
    """Everything of one process: the same object behind the web, the worker, the commands and the tests."""

    def __init__(self, pool: Pool, *, public_url: str, clock: Clock | None = None, keys: Keys | None = None) -> None:
        super().__init__(pool, public_url, keys or Keys(), clock)
        self.commit = GroupCommit(pool)
        self.by_slug: dict[str, Workspace] = {}
        self.clock = clock or utc_now
        self.alerter = Alerter(pool, self, clock)
        self.outages = Outages(pool, self, self.alerter, clock)
        self.self_test = SelfTest(pool, self, self.alerter, clock)
        self.foreseer = Foreseer(pool, self.tokens, self.alerter, self.workspaces, clock)
        self.heart = Heart(pool, self, self.session)
        self.watched_at: float | None = None
        self.pinged = Monitors(pool, self, self.alerter, self.tokens.keys, clock)
        self.intake = Intake(pool, self.commit, read, on_quarantined=self._quarantined)
        self.pusher = Pusher(pool, self.commit, self, load_contact)
        self.journey = Journey(self.commit, self, self.alerter.raise_trouble)
        self.contacts = Contacts(pool, self.commit, self)
        self.silence = Silence(
            pool,
            self.workspaces,
            self.alerter,
            intake=self.intake,
            contacts=self.contacts,
            session=self.session,
            public_url=self.public_url,
            now=self.clock,
            clock=clock,
        )
        self.book = Recorder(pool, self.commit, lambda each: self.routing(each).records)
        self.copies = Mirrors(pool, self, self.contacts, self.book, self.alerter.drifted)
        self.puller = Pulls(pool, self, self.alerter.missed, self.alerter.lost)
        self.failures = FailurePuller(pool, self, self.intake, self.clock)
        self.reteller = Reteller(pool, self)
        self.approvals = Approvals(pool, self, self.clock)
        self.scheduler = Scheduler(pool, self, clock)
        self.weekly = WeeklyReviews(pool, self, self.clock)
        own = {
            INBOUND: self.journey.program,
            PUSH: self.pusher.program,
            MERGE_ELSEWHERE: MergerElsewhere(pool, self).program,
            DELETE_ELSEWHERE: DeleterElsewhere(pool, self).program,
            **self.copies.programs,
            **self.puller.programs,
            PULL_FAILURES: self.failures.program,
            TELL_ANEW: self.reteller.program,
            FORWARD: Forwarder(pool, self).program,
            ALERT: self.alerter.program,
            QUESTION: self.approvals.program,
            WEEKLY_REVIEW: self.weekly.program,
        }
        self.own = (*own, BULK_RETRY)
        self.keeper = RunKeeper(pool, self.routing, own=self.own, clock=self.clock)
        self.retrier = Retrier(pool, self.keeper.deadline, own=self.own)
        own[BULK_RETRY] = self.retrier.program
        self.retry_run, self.answer_run = self.retrier.retry_failed, self.retrier.answer
        self.gates = Gates(pool, clock=clock)
        self.forgetting = Forgetting(pool, self.workspaces, self.clock)
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
        self.stand_in = StandIn(pool, self, self.alerter, self.driver)
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
            for declare in (
                app.copies.declare,
                app.puller.declare,
                app.pinged.declare,
                app.reteller.declare,
                app.silence.declare,
            ):
                await declare(workspace_id)
        return app

    async def close(self) -> None:
        """Close what was opened."""
        await self.flows.close()
        if self._session is not None:
            await self._session.close()
        await self.pool.close()

    async def external_id(self, steps: StepRunner, contact_id: UUID, connection: str, *, step: int, name: str) -> str:
        """See :class:`mainstay.engine.context.Surroundings`."""
        if self.workspace(steps.run.workspace_id).connector(connection).is_builtin:
            return str(contact_id)
        return await self.pusher.external_id(steps, contact_id, connection, step=step, name=name)

    async def _failed(self, connection: Connection, run: Run, settlement: Settlement) -> None:
        if run.workflow == PUSH and run.contact_id is not None:
            await push_failed(connection, run.id, run.contact_id, settlement.error)
        if run.workflow == INBOUND and run.delivery_id is not None:
            query = "UPDATE deliveries SET state = 'failed', reason = $2 WHERE id = $1"
            await connection.execute(query, run.delivery_id, settlement.error)
        if run.is_canary:
            # Its own incident names the hop; a lead that meets the same has one of its own.
            await connection.execute("UPDATE runs SET handled_at = now() WHERE id = $1", run.id)
            return
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

    async def watch_once(self) -> None:
        """Close what has healed, tell what is new, forget what is over; called by the worker with each heartbeat.

        Raises:
            ExceptionGroup: what failed, once all the others have looked: no fault of one keeps an alert back.
            DatabaseUnavailableError: nobody can look.
        """
        faults: list[Exception] = []
        for look in self._looks():
            try:
                await look()
            except DatabaseUnavailableError:
                raise
            except Exception as fault:  # noqa: BLE001 - raised with the others
                faults.append(fault)
        if faults:
            message = "not everything could be looked at"
            raise ExceptionGroup(message, faults)
        self.watched_at = time.monotonic()

    def _looks(self) -> Iterator[Callable[[], Awaitable[object]]]:
        yield self._tidy_up
        for watching in (self.forgetting, self.pinged, self.silence, self.outages, self.self_test, self.alerter):
            yield watching.look
        for workspace_id in self.workspaces:
            for each in (self.copies, self.puller, self.failures, self.reteller):
                yield partial(each.begin_due, workspace_id)
        yield self.weekly.begin_due
        yield self.keeper.keep

    async def _tidy_up(self) -> None:
        async with acquire(self.pool) as connection, connection.transaction():
            await add_up_hours(connection)
        async with acquire(self.pool) as connection:
            await resolve_healed(connection)
            await clear_quarantine(connection, datetime.now(UTC))
            await forget_old_keys(connection)

    async def ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Return the address at which a monitor is pinged; empty where its key can be opened no more."""
        key = (await self.pinged.keys(workspace_id)).get(monitor, "")
        return f"{self.public_url}/ping/{self.workspace(workspace_id).slug}/{key}/{monitor}" if key else ""

    async def renew_ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Give a monitor another address and return it; see :meth:`Monitors.renew`."""
        await self.pinged.renew(workspace_id, monitor)
        return await self.ping_url(workspace_id, monitor)
