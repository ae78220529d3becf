"""One client's stack, bound to its workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.connectors import all_source_kinds
from mainstay.consequences import Routing
from mainstay.engine import Workflow
from mainstay.engine.calls.copies import Copies
from mainstay.engine.driver import utc_now
from mainstay.engine.versions import beginning
from mainstay.errors import WorkflowError
from mainstay.inbound import FILE
from mainstay.intake import SourceBinding
from mainstay.kit import Connector, HttpSettings
from mainstay.kit.oauth import OAuth
from mainstay.kit.source import AskedSourceSettings
from mainstay.pulls import FailurePull
from mainstay.settings.identity import policy_of
from mainstay.settings.mirroring import crm_mirror
from mainstay.workflows import answers_of

if TYPE_CHECKING:
    from mainstay.engine.history import Clock
    from mainstay.settings.stack import Stack
    from mainstay.watch import Alerts

IMPORTED = FILE
"""The source, and its kind, of files that people bring in by hand."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A stack with its workflows: what one workspace runs."""

    stack: Stack
    workflows: Sequence[Workflow]


class Workspace:
    """One client's stack, bound: every look-up of the running system goes through here."""

    def __init__(self, workspace_id: UUID, bundle: Bundle, clock: Clock = utc_now) -> None:
        self.id = workspace_id
        self.stack = bundle.stack
        self.slug = bundle.stack.slug
        self.retention = bundle.stack.retention
        self.workflows = {declared.name: declared for declared in bundle.workflows}
        begins = beginning(bundle.workflows)
        by_event: dict[str, list[str]] = {}
        for declared in begins:
            if declared.on:
                by_event.setdefault(declared.on, []).append(declared.name)
        answering = {each.name: each for each in begins if each.is_sync}
        record_system = bundle.stack.system_of_record
        is_builtin = bundle.stack.connections[record_system].connector.is_builtin
        is_forwarding = bundle.stack.foreign_writes == "forward"
        tables = [each for each in bundle.stack.mirrors.values() if each.role == "table"]
        copies = {} if is_forwarding else {each.connection: each.name for each in tables}
        own = "" if is_builtin else record_system
        policy = policy_of(bundle.stack.identity, bundle.stack.owners, copies, own)
        self.routing = Routing(
            own,
            by_event,
            bundle.stack.region,
            policy,
            bundle.stack.identity.merge_elsewhere,
            frozenset(
                name
                for name, entry in bundle.stack.connections.items()
                if "crm.merge_contacts" in entry.connector.idempotency
            ),
            {declared.name: declared.turns for declared in bundle.workflows},
            clock,
            frozenset(answering),
            bundle.stack.records,
            frozenset()
            if is_forwarding
            else frozenset(each.connection for each in bundle.stack.mirrors.values() if each.role == "crm"),
            {
                name
                for name in bundle.stack.owners.values()
                if is_forwarding and "crm" in bundle.stack.connections[name].connector.roles
            },
            _deleting(bundle.stack, own),
        )
        self.mirrors = dict(bundle.stack.mirrors)
        if not is_builtin and record_system not in self.mirrors:
            followed = crm_mirror(bundle.stack.connections[record_system], is_followed=True)
            self.mirrors[record_system] = followed
        self.sources = {
            name: SourceBinding(
                workspace_id,
                name,
                entry.kind,
                entry.settings,
                bundle.stack.region,
                # What only names a record is read from its vendor first: that is no time to keep a sender waiting.
                {} if entry.kind.fetch else answers_of(answering.values()),
                entry.speaks_for,
                canary.email if (canary := bundle.stack.canary) is not None and canary.source == name else "",
            )
            for name, entry in bundle.stack.sources.items()
        }
        self.failure_pulls = {
            name: FailurePull(source, source.settings.connection, source.settings.every)
            for name, source in self.sources.items()
            if isinstance(source.settings, AskedSourceSettings) and source.settings.connection
        }
        # What `mainstay import` brings in needs no declaration; it has no address either, so it is not among `sources`.
        imported = all_source_kinds()[IMPORTED]
        settings = imported.settings.model_validate({"kind": IMPORTED})
        by_hand = SourceBinding(workspace_id, IMPORTED, imported, settings, bundle.stack.region)
        self.all_sources = {IMPORTED: by_hand, **self.sources}
        self._http: dict[str, HttpSettings] = {}
        self._copies: dict[str, Copies] = {}
        self.oauth: dict[str, OAuth] = {
            name: oauth
            for name, entry in bundle.stack.connections.items()
            if entry.connector.oauth is not None and (oauth := entry.connector.oauth(entry.settings)) is not None
        }

    @property
    def name(self) -> str:
        """See :class:`mainstay.watch.alert.Alerted`."""
        return self.stack.name

    @property
    def alerts(self) -> Alerts:
        """See :class:`mainstay.watch.alert.Alerted`."""
        return self.stack.alerts

    def is_critical(self, workflow: str) -> bool:
        """See :class:`mainstay.watch.alert.Alerted`."""
        return workflow in self.workflows and self.workflows[workflow].critical

    def connector(self, connection: str) -> Connector:
        """Return the connector of a connection."""
        return self.stack.connections[connection].connector

    def copies(self, connection: str) -> Copies:
        """Return what a connection has copies of."""
        if connection not in self._copies:
            self._copies[connection] = Copies(
                {
                    kind: ownership.system_of_record
                    for kind, ownership in self.stack.records.items()
                    if connection in ownership.mirrors
                },
                {mirror.table: name for name, mirror in self.stack.mirrors.items() if mirror.connection == connection},
            )
        return self._copies[connection]

    def http_settings(self, connection: str) -> HttpSettings:
        """Return how to reach a connection, or a source's vendor (``source:NAME``)."""
        if connection not in self._http:
            kind, _, name = connection.rpartition(":")
            if kind == "source":
                source = self.sources[name]
                if source.kind.http is None:
                    message = f'source "{name}" must name its connection: add connection = "..." to [sources.{name}]'
                    raise WorkflowError(message)
                self._http[connection] = source.kind.http(source.settings)
            else:
                entry = self.stack.connections.get(connection)
                if entry is None:
                    message = f'the connection "{connection}" is no longer in stack.toml; restore it, then retry'
                    raise WorkflowError(message)
                http = entry.connector.http
                found = http(entry.settings) if http else HttpSettings("")
                oauth = self.oauth.get(connection)
                self._http[connection] = (
                    replace(found, secrets=(*found.secrets, oauth.client_secret)) if oauth else found
                )
        return self._http[connection]

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets of all connections, for whatever is kept of what others say."""
        return tuple(secret for name in self.stack.connections for secret in self.http_settings(name).secrets)


def _deleting(stack: Stack, system_of_record: str) -> frozenset[str]:
    """Return the connections in which a contact is deleted that is deleted here."""
    if stack.identity.delete_elsewhere == "never":
        return frozenset()
    copies = {each.connection for each in stack.mirrors.values() if each.role == "crm"}
    names = {system_of_record, *copies} & stack.connections.keys()
    return frozenset(name for name in names if "crm.delete_contact" in stack.connections[name].connector.idempotency)
