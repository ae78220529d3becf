"""The pages, the API and intake on a running app: what the server serves."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.access import Connecting
from mainstay.telemetry import is_tracing, span
from mainstay.web.api import PREFIX as API_PREFIX
from mainstay.web.api import create_api
from mainstay.web.app import create_pages
from mainstay.web.backend import ConnectionCard, SourceCard, WorkspaceCard
from mainstay.web.declared import Section, sections_of
from mainstay.web.intake import PREFIX, IntakeEndpoint, Receive, Scope, Send
from mainstay.web.metrics import PATH as METRICS_PATH
from mainstay.web.metrics import Metrics
from mainstay.web.pinging import PREFIX as PING_PREFIX
from mainstay.web.pinging import PingEndpoint

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from mainstay.app import App
    from mainstay.db import Pool
    from mainstay.kit.oauth import OAuth
    from mainstay.records import Ownership
    from mainstay.web.render import Site


class AppBackend:
    """An :class:`mainstay.app.App` as the pages see it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.contacts = app.contacts
        self.connecting = Connecting(app.tokens)
        self.gates = app.gates
        self.keeper = app.keeper
        self.retrier = app.retrier
        self.book = app.book
        self.approvals = app.approvals
        self.copies = app.copies
        self.retry_run = app.retry_run
        self.answer_run = app.answer_run
        self.mark_handled = app.mark_handled
        self.replay_delivery = app.replay_delivery
        self.release_quarantined = app.release_quarantined
        self.resolve_incident = app.alerter.resolve
        self.acknowledge_incident = app.alerter.acknowledge
        self.record_url = app.record_url
        self.ping_url = app.ping_url
        self.renew_ping_url = app.renew_ping_url

    @property
    def pool(self) -> Pool:
        """The database."""
        return self._app.pool

    @property
    def public_url(self) -> str:
        """The address people reach the pages at."""
        return self._app.public_url

    def workspace_cards(self) -> Sequence[WorkspaceCard]:
        """Return the workspaces that this process serves."""
        return [
            WorkspaceCard(
                entry.id,
                entry.slug,
                entry.stack.name,
                str(entry.stack.timezone),
                entry.stack.region,
                entry.stack.days_off,
            )
            for entry in self._app.workspaces.values()
        ]

    def source_cards(self, workspace_id: UUID) -> Sequence[SourceCard]:
        """Return a workspace's declared sources."""
        workspace = self._app.workspace(workspace_id)
        return [
            SourceCard(name, entry.kind.title, f"{self.public_url}{PREFIX}{workspace.slug}/{name}")
            for name, entry in workspace.stack.sources.items()
        ]

    def ownership(self, workspace_id: UUID) -> Mapping[str, Ownership]:
        """Return which system is right about each type of record that is no contact."""
        return self._app.workspace(workspace_id).stack.records

    def connection_cards(self, workspace_id: UUID) -> Sequence[ConnectionCard]:
        """Return a workspace's declared connections."""
        workspace = self._app.workspace(workspace_id)
        stack, oauth = workspace.stack, workspace.oauth
        return [
            ConnectionCard(
                name,
                entry.connector.title,
                tuple(role for role, chosen in stack.roles.items() if chosen == name),
                is_system_of_record=name == stack.system_of_record,
                is_by_person=name in oauth and oauth[name].grant == "authorization_code",
            )
            for name, entry in stack.connections.items()
        ]

    def declared(self, workspace_id: UUID) -> Sequence[Section]:
        """Return what a workspace's stack declares, section by section."""
        workspace = self._app.workspace(workspace_id)
        return sections_of(workspace.stack, workspace.workflows)

    def oauth(self, workspace_id: UUID, connection: str) -> OAuth | None:
        """Return how an account is connected; None of a connection with a fixed token."""
        return self._app.workspace(workspace_id).oauth.get(connection)

    def merging_systems(self, workspace_id: UUID) -> frozenset[str]:
        """Return the connections that merge their own two records of a person when two contacts are merged by hand."""
        routing = self._app.routing(workspace_id)
        return frozenset() if routing.merge_elsewhere == "never" else routing.merging_systems

    def deleting_systems(self, workspace_id: UUID) -> Collection[str]:
        """Return the connections in which a contact is deleted that is deleted here."""
        return self._app.deleting(workspace_id)


class Server:
    """The whole web side as one ASGI application. Intake goes first and bare: it passes no framework at all."""

    def __init__(self, app: App, *, trust_url: bool, metrics_token: str = "") -> None:
        """Bind to ``app``; with ``trust_url`` senders see this server at its public URL, else at their Host header.

        ``metrics_token`` is what has to be shown to read the metrics; without, nobody may.
        """
        intake = IntakeEndpoint(
            app.intake, app.by_slug, public_url=app.public_url if trust_url else "", workflows=app.flows
        )
        backend = AppBackend(app)
        self._metrics = Metrics(
            app.pool, lambda: {each.id: each.slug for each in app.workspaces.values()}, metrics_token
        )
        self._pages = create_pages(backend)
        self._parts: tuple[tuple[str, str, ASGIApp], ...] = (
            (PREFIX, "intake", intake),
            (PING_PREFIX, "ping", PingEndpoint(app.pinged, app.by_slug)),
            (API_PREFIX, "api", create_api(backend, app.contacts, app.flows)),
            ("", "pages", self._pages),
        )

    def end_streams(self) -> None:
        """End what stays open by itself, so that the process can leave."""
        site: Site = self._pages.state.site
        site.news.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._parts[-1][2](scope, receive, send)
            return
        path = scope["path"]
        if path == METRICS_PATH:
            await self._metrics(scope, receive, send)
            return
        part, app = next((part, app) for prefix, part, app in self._parts if path.startswith(prefix))
        began, status = time.perf_counter(), 500

        async def send_noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if not is_tracing():
                await app(scope, receive, send_noting)
                return
            method = scope["method"]
            parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
            # The path is not told: a ping's holds its key, and others hold what people typed.
            facts = {"http.request.method": method, "mainstay.part": part}
            with span(f"{method} {part}", facts, "server", parent=parent) as current:
                await app(scope, receive, send_noting)
                current.note({"http.response.status_code": status})
                if status >= 500:
                    current.fail(str(status))
        finally:
            self._metrics.answered(part, status, time.perf_counter() - began)
