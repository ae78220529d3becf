"""A stack: one client's ``stack.toml``, read, checked and bound to its connectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mainstay.settings.hours import Hours

if TYPE_CHECKING:
    from mainstay.heartbeating import Heartbeat
    from mainstay.kit import ConnectionSettings, Connector, SourceKind, SourceSettings
    from mainstay.mirrors import Mirror
    from mainstay.model import RecordType, Retry
    from mainstay.monitors import Canary, Monitor, OutcomeRule, SourceRule
    from mainstay.monitors.calendars import DaysOff
    from mainstay.pulls import Pull, RecordPull
    from mainstay.records import Ownership
    from mainstay.retention import Retention
    from mainstay.settings.environment import Environment
    from mainstay.settings.schema import ElsewhereTable, IdentityTable
    from mainstay.watch.routes import Alerts

FILE_NAME = "stack.toml"
OWN_STORE = "mainstay"
"""The connection that is Mainstay's own store; there without being declared."""


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    """One connection with its settings, an instance of ``connector.settings``."""

    name: str
    connector: Connector
    settings: ConnectionSettings = field(repr=False)

    @property
    def can_pull(self) -> bool:
        """Tell whether it can be asked what changed there."""
        return "crm.pull_contacts" in self.connector.idempotency and self.connector.can_pull(self.settings)


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source with its settings, an instance of ``kind.settings``.

    ``speaks_for`` is the connection whose word it is what its deliveries say of records: the one that it names, else
    the only one at its vendor; empty where there is none, or several.
    """

    name: str
    kind: SourceKind
    settings: SourceSettings = field(repr=False)
    speaks_for: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """What a stack declares.

    Attributes:
        slug: the workspace's name in addresses.
        name: the workspace's name as people write it.
        region: two letters; how local phone numbers are read.
        timezone: where the workspace's clock hangs.
        hours: when the business is open; None for always.
        days_off: when no lead is awaited whatever the weekday, and when it is closed.
        connections: by name; Mainstay's own store is among them only where something uses it.
        roles: role to the name of the connection that workflows get for it.
        system_of_record: the connection where contacts truly live.
        records: which system is right about each other type of record.
        owners: field of a contact to the connection that is right about it, whichever is about the rest.
        foreign_writes: what becomes of what a mirror says, and of an edit by hand of an owned field: ``refuse`` or
            ``forward``.
        identity: by what contacts are told apart.
        pull: how changes in the system of record are pulled; None where it cannot tell, or shall not.
        record_pulls: how changes of each other type of record are pulled, where they are.
        sources: by name.
        alerts: who hears of trouble.
        mirrors: the copies of records that are kept alike, by name.
        monitors: the jobs that ping, by name.
        heartbeat: who is told that work moves; None for nobody.
        outcomes: what should become of each lead, by name.
        canary: the synthetic lead; None for none.
        expected: how each source is watched; one that may be silent is not here.
        retention: how long what has ended is kept.
        retries: how calls are tried again, of ``default`` and of roles.
        elsewhere: logic that lives in other systems.
        folder: where ``stack.toml`` stands, with ``workflows/`` beside it.
    """

    slug: str
    name: str
    region: str
    timezone: ZoneInfo
    hours: Hours | None
    days_off: DaysOff
    connections: Mapping[str, ConnectionEntry]
    roles: Mapping[str, str]
    system_of_record: str
    records: Mapping[str, Ownership]
    owners: Mapping[str, str]
    foreign_writes: str
    identity: IdentityTable
    pull: Pull | None
    record_pulls: Mapping[RecordType, RecordPull]
    sources: Mapping[str, SourceEntry]
    alerts: Alerts
    mirrors: Mapping[str, Mirror]
    monitors: Mapping[str, Monitor]
    heartbeat: Heartbeat | None
    expected: Mapping[str, SourceRule]
    outcomes: Mapping[str, OutcomeRule]
    canary: Canary | None
    retention: Retention
    retries: Mapping[str, Retry]
    elsewhere: tuple[ElsewhereTable, ...]
    folder: Path


def load_stack(path: Path, environment: Environment) -> Stack:
    """Read ``stack.toml`` (``path`` is the file, or its folder).

    Raises:
        ConfigError: all that is wrong with it, in the order of the file: where, which key, what, and the mend.
    """
    # The connectors bring the HTTP client with them: commands that read no stack start without.
    from mainstay.settings.assembly import assemble  # noqa: PLC0415
    from mainstay.settings.document import Document  # noqa: PLC0415

    file = path / FILE_NAME if path.is_dir() else path
    return assemble(Document(file, environment), file.parent)
