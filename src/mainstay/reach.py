"""What the programs ask of a workspace: what it declares, and its vendors. One object, asked by all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.access import Keys, Tokens
from mainstay.consequences import Routing
from mainstay.contacts.builtin import BuiltinStore
from mainstay.db import Pool
from mainstay.engine import Workflow
from mainstay.engine.context import RoleBinding
from mainstay.engine.guard import Terms
from mainstay.errors import WorkflowError
from mainstay.heartbeating import Heartbeat
from mainstay.intake import SourceBinding
from mainstay.kit import CRM, Http, HttpSettings, PullingCRM, Table
from mainstay.kit.http import Session, open_session
from mainstay.mirrors import Mirror
from mainstay.model import RecordType, Retry, Run
from mainstay.monitors import Monitor
from mainstay.pulls import FailurePull, Pull, RecordPull
from mainstay.settings.retrying import terms_of
from mainstay.watch import (
    Route,
)
from mainstay.workspace import Workspace

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mainstay.engine.history import Clock
    from mainstay.settings.hours import Hours


class Reach:
    """The workspaces that a process serves, and what they reach."""

    def __init__(self, pool: Pool, public_url: str, keys: Keys, clock: Clock | None) -> None:
        self.pool = pool
        self.public_url = public_url.rstrip("/")
        self.workspaces: dict[UUID, Workspace] = {}
        self._session: Session | None = None
        self._no_http = HttpSettings("")
        self.tokens = Tokens(pool, keys, self.session, clock=clock)

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

    def record_pulls(self, workspace_id: UUID) -> Mapping[RecordType, RecordPull]:
        """See :class:`mainstay.pulls.records.RecordSystems`."""
        return self.workspace(workspace_id).stack.record_pulls

    def pulling_crm(self, workspace_id: UUID, connection: str, http: Http) -> PullingCRM:
        """See :class:`mainstay.pulls.pulling.Systems`."""
        found: PullingCRM = self.vendor(workspace_id, connection, "crm", http)
        return found

    def failure_pulls(self, workspace_id: UUID) -> Mapping[str, FailurePull]:
        """See :class:`mainstay.pulls.failures.Layers`."""
        return self.workspace(workspace_id).failure_pulls

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

    def alert_routes(self, workspace_id: UUID) -> Sequence[Route]:
        """See :class:`mainstay.approving.Reach`."""
        return [route for route in self.workspace(workspace_id).alerts if route.role != "pager"]

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
