"""What the pages ask of the composition root: the verbs, and what each workspace's stack declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.access import Connecting
    from mainstay.approving import Approvals
    from mainstay.contacts import Contacts
    from mainstay.db import Pool
    from mainstay.engine.keeping import RunKeeper
    from mainstay.engine.retrying import Retrier
    from mainstay.gates import Gates
    from mainstay.intake import Receipt
    from mainstay.kit.oauth import OAuth
    from mainstay.mirrors import Mirrors
    from mainstay.monitors.calendars import DaysOff
    from mainstay.recording import Recorder
    from mainstay.records import Ownership
    from mainstay.web.declared import Section


@dataclass(frozen=True, slots=True)
class WorkspaceCard:
    """A workspace as the pages name it. ``timezone`` is an IANA name, ``region`` reads local phone numbers.

    ``days_off`` is when no lead is awaited; None where nobody told the pages.
    """

    id: UUID
    slug: str
    name: str
    timezone: str = "UTC"
    region: str = ""
    days_off: DaysOff | None = None


@dataclass(frozen=True, slots=True)
class SourceCard:
    """A declared source: its name, its kind in words, and the address that its sender posts to."""

    name: str
    kind: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionCard:
    """A declared connection: its name, its connector in words, the roles it has; whether records live there.

    ``is_by_person``: somebody connects it at its vendor's page.
    """

    name: str
    connector: str
    roles: tuple[str, ...] = ()
    is_system_of_record: bool = False
    is_by_person: bool = False


class Backend(Protocol):
    """The application behind the pages. All verbs are limited to the workspace they are given."""

    @property
    def pool(self) -> Pool:
        """The database."""
        ...

    @property
    def public_url(self) -> str:
        """The address people reach the pages at, without a slash at its end."""
        ...

    def workspace_cards(self) -> Sequence[WorkspaceCard]:
        """Return the workspaces that this process serves; the first is where people arrive."""
        ...

    def source_cards(self, workspace_id: UUID) -> Sequence[SourceCard]:
        """Return a workspace's declared sources."""
        ...

    def ownership(self, workspace_id: UUID) -> Mapping[str, Ownership]:
        """Return which system is right about each type of record that is no contact."""
        ...

    def connection_cards(self, workspace_id: UUID) -> Sequence[ConnectionCard]:
        """Return a workspace's declared connections."""
        ...

    def declared(self, workspace_id: UUID) -> Sequence[Section]:
        """Return what a workspace's stack declares, section by section."""
        ...

    def merging_systems(self, workspace_id: UUID) -> frozenset[str]:
        """Return the connections that merge their own two records of a person when two contacts are merged by hand."""
        ...

    def deleting_systems(self, workspace_id: UUID) -> Collection[str]:
        """Return the connections in which a contact is deleted that is deleted here."""
        ...

    def record_url(self, workspace_id: UUID, connection: str, external_id: str) -> str:
        """Return the address of a record in its system's own screens; empty when it has none."""
        ...

    def oauth(self, workspace_id: UUID, connection: str) -> OAuth | None:
        """Return how an account is connected; None of a connection with a fixed token."""
        ...

    @property
    def connecting(self) -> Connecting:
        """The verbs that connect an account: begin and finish."""
        ...

    @property
    def gates(self) -> Gates:
        """The verbs for connections: pause and resume."""
        ...

    @property
    def contacts(self) -> Contacts:
        """The verbs for contacts: edit, merge and un-merge, accept and reject, delete."""
        ...

    @property
    def approvals(self) -> Approvals:
        """The verb for what runs ask people: decide."""
        ...

    @property
    def book(self) -> Recorder:
        """The verbs for records that are no contacts: create, change."""
        ...

    @property
    def copies(self) -> Mirrors:
        """The verbs for mirrors: compare; revert, take over, leave, undo."""
        ...

    @property
    def retrier(self) -> Retrier:
        """The verbs that retry runs, one or many."""
        ...

    @property
    def keeper(self) -> RunKeeper:
        """The verbs that cancel runs."""
        ...

    async def retry_run(self, workspace_id: UUID, run_id: UUID, *, by: str = "") -> bool:
        """Retry a failed run from the step that failed; False when it is not a failed run."""
        ...

    async def answer_run(self, workspace_id: UUID, run_id: UUID, *, happened: bool) -> bool:
        """Take a person's word on the call that a run asks about; False when it asks nothing."""
        ...

    async def mark_handled(self, workspace_id: UUID, run_id: UUID) -> bool:
        """Note that a person has dealt with a failed run; False when it is not a failed run."""
        ...

    async def replay_delivery(self, workspace_id: UUID, delivery_id: UUID) -> UUID:
        """Read a kept delivery again with today's settings; returns its new run.

        Raises:
            LookupError: there is no such delivery, or its source is no longer declared.
            MalformedError: it still cannot be read.
        """
        ...

    async def release_quarantined(self, workspace_id: UUID, quarantine_id: UUID) -> Receipt:
        """Take a request out of quarantine on a person's word; the receipt says what delivery it became.

        Raises:
            LookupError: there is no such request, or its source is no longer declared.
        """
        ...

    async def resolve_incident(self, workspace_id: UUID, incident_id: UUID) -> bool:
        """Close an incident by hand; False when it is not open."""
        ...

    async def acknowledge_incident(self, workspace_id: UUID, incident_id: UUID, *, by: str) -> bool:
        """Note that somebody sees to an incident; False when it is not open, or somebody does already."""
        ...

    async def ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Return the address at which a monitor is pinged; empty where it can be shown no more."""
        ...

    async def renew_ping_url(self, workspace_id: UUID, monitor: str) -> str:
        """Give a monitor another address and return it; the old one ends.

        Raises:
            LookupError: the stack has no such monitor.
        """
        ...
