"""From the tables of a stack to a Stack: each is checked alone, then against the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from mainstay.connectors import all_connectors, all_source_kinds
from mainstay.errors import ConfigError, Problem
from mainstay.kit import Connector, SourceKind, SourceSettings
from mainstay.kit.source import AskedSourceSettings
from mainstay.mirrors import MirroredType
from mainstay.mirrors.rules import Role
from mainstay.settings.alerting import read_alerts
from mainstay.settings.canary import read_canary
from mainstay.settings.days_off import read_days_off
from mainstay.settings.document import Document, suggest
from mainstay.settings.elsewhere import read_elsewhere
from mainstay.settings.expecting import read_source_rules
from mainstay.settings.hours import read_hours
from mainstay.settings.mirroring import read_mirrors
from mainstay.settings.monitoring import read_heartbeat, read_monitors
from mainstay.settings.outcomes import read_outcomes
from mainstay.settings.ownership import read_owners, read_ownership
from mainstay.settings.positions import KeyPath
from mainstay.settings.pulling import pull_of, record_pulls
from mainstay.settings.retaining import read_retention
from mainstay.settings.retrying import read_retries
from mainstay.settings.schema import (
    SECTIONS,
    RecordsTable,
    WorkspaceTable,
    slug_of,
)
from mainstay.settings.stack import OWN_STORE, ConnectionEntry, SourceEntry, Stack
from mainstay.settings.wording import Model, check

BUILTIN = "builtin"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def assemble(document: Document, folder: Path) -> Stack:
    """Check the whole document; raise ConfigError with all that was found, else return the stack."""
    for key in document.data:
        if key not in SECTIONS:
            hint = suggest(key, SECTIONS) or f"Known here: {', '.join(SECTIONS)}."
            document.add((key,), f'there is no section "{key}"', hint)
    workspace = _workspace(document)
    wiring = _Wiring(document)
    roles = wiring.roles()
    records = _section(document, "records", RecordsTable)
    system_of_record = wiring.system_of_record(roles)
    sources = wiring.sources()
    ownership = read_ownership(document, records, roles, wiring.is_there) if records else {}
    timezone = ZoneInfo(workspace.timezone) if workspace is not None else ZoneInfo("UTC")
    alerts = read_alerts(document, wiring.declared, roles, timezone, wiring.connections)
    mirrors = read_mirrors(document, wiring.mirrored_by, system_of_record, ownership)
    owners = read_owners(document, records, mirrors, sources, wiring.is_there) if records else {}
    retention, elsewhere = read_retention(document), read_elsewhere(document)
    retries = read_retries(document, roles)
    days_off = read_days_off(workspace.holidays, workspace.days_off, workspace.region) if workspace else None
    hours = (
        read_hours(workspace.hours, timezone, days_off.said.includes)
        if workspace is not None and days_off is not None and workspace.hours.strip()
        else None
    )
    monitors = read_monitors(document, _tables(document, "monitors"), timezone, hours)
    heartbeat = read_heartbeat(document)
    expected = read_source_rules(document, sources, timezone, hours, days_off)
    outcomes = read_outcomes(document, _tables(document, "outcomes"), list(sources), hours)
    canary = read_canary(document, sources, wiring.connections, roles, system_of_record)
    document.require_no_problems()
    if workspace is None or records is None or days_off is None:
        raise ConfigError(Problem(document.name, "", "the file cannot be read"))
    return Stack(
        slug=workspace.slug or slug_of(workspace.name),
        name=workspace.name,
        region=workspace.region,
        timezone=timezone,
        hours=hours,
        days_off=days_off,
        connections=MappingProxyType(wiring.connections),
        roles=MappingProxyType(roles),
        system_of_record=system_of_record,
        records=ownership,
        owners=owners,
        foreign_writes=records.contact.foreign_writes,
        identity=records.contact.identity,
        pull=pull_of(records.contact.reconcile, wiring.connections[system_of_record], sources),
        record_pulls=MappingProxyType(dict(record_pulls(records, ownership, wiring.connections, sources))),
        sources=MappingProxyType(sources),
        alerts=alerts,
        mirrors=mirrors,
        monitors=monitors,
        heartbeat=heartbeat,
        expected=expected,
        outcomes=outcomes,
        canary=canary,
        retention=retention,
        retries=retries,
        elsewhere=elsewhere,
        folder=folder,
    )


def _workspace(document: Document) -> WorkspaceTable | None:
    if "workspace" not in document.data:
        hint = 'begin with:  [workspace]  name = "Acme Plumbing"  timezone = "America/Chicago"  region = "US"'
        document.add(("workspace",), "[workspace] is missing", hint)
        return None
    return check(document, ("workspace",), WorkspaceTable, document.data["workspace"])


def _section(document: Document, name: str, model: type[Model]) -> Model | None:
    return check(document, (name,), model, document.data.get(name, {}))


def _tables(document: Document, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the named tables of a section whose names can be used."""
    tables = document.data.get(section, {})
    if not isinstance(tables, dict):
        document.add((section,), "should be a table", f"write [{section}]")
        return
    for name, table in tables.items():
        path = (section, name)
        if not _NAME.fullmatch(name):
            example = slug_of(name).lstrip("0123456789-")[:40] or "website"
            hint = f"lower-case letters, digits, hyphens and underscores, 40 at most; for example {example}"
            document.add(path, "a name here begins with a letter and is short and plain", hint)
        elif isinstance(table, dict):
            yield name, table
        else:
            example = {"sources": 'kind = "..."', "monitors": 'every = "1h"', "outcomes": 'expect = ["message"]'}.get(
                section, 'connector = "..."'
            )
            document.add(path, "should be a table", f"write {{ {example} }}")


class _Wiring:
    """The connections of a stack, and what leans on them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._connectors = all_connectors()
        self._kinds = all_source_kinds()
        self._roles = sorted({role for connector in self._connectors.values() for role in connector.roles})
        self.declared: dict[str, Connector | None] = {}
        self.connections: dict[str, ConnectionEntry] = {}
        self._sources: dict[str, SourceEntry] = {}
        for name, table in _tables(document, "connections"):
            connector = self._connector(("connections", name), table)
            self.declared[name] = connector
            if connector is not None and connector.settings is not None:
                settings = check(document, ("connections", name), connector.settings, table)
                if settings is not None:
                    self.connections[name] = ConnectionEntry(name, connector, settings)

    def _connector(self, path: KeyPath, table: Mapping[str, Any]) -> Connector | None:
        usable = {name for name, connector in self._connectors.items() if connector.settings is not None}
        found: Connector | None = self._named(path, table, "connector", self._connectors, usable)
        if found is not None and found.settings is None:
            kinds = " or ".join(f'kind = "{kind.name}"' for kind in found.sources)
            hint = f"write [sources.{path[-1]}] with {kinds}" if kinds else ""
            self._document.add((*path, "connector"), f"{found.title} is a source, not a connection", hint)
            return None
        if found is not None and path[-1] == OWN_STORE and not found.is_builtin:
            hint = f'give this connection another name, or connector = "{BUILTIN}"'
            self._document.add(path, f'"{OWN_STORE}" is the name of Mainstay\'s own store', hint)
            return None
        return found

    def _named(
        self, path: KeyPath, table: Mapping[str, Any], key: str, known: Mapping[str, Any], shown: set[str]
    ) -> Any:
        """Look up what ``key`` of a table names; note a problem and give None when it names nothing."""
        at = (*path, key)
        if key not in table:
            self._document.add(at, f"{key} is missing", f"Known here: {', '.join(sorted(shown))}.")
        elif not isinstance(table[key], str):
            self._document.add(at, "should be a text in quotes")
        elif at not in self._document.broken and table[key] not in known:
            hint = suggest(table[key], shown) or f"Known here: {', '.join(sorted(shown))}."
            self._document.add(at, f"there is no {key} {self._document.shown(at)}", hint)
        else:
            return known.get(table[key])
        return None

    def _find(self, at: KeyPath, name: str) -> Connector | None:
        """Return the connector of a connection that a key names; note a problem when there is no such."""
        if name in self.declared:
            return self.declared[name]
        if name == OWN_STORE:
            return self._own_store()
        if at not in self._document.broken:
            self._document.add(at, f"there is no connection {self._document.shown(at)}", self._suggest_connection(name))
        return None

    def _suggest_connection(self, name: str) -> str:
        by_connector = [each for each, connector in self.declared.items() if connector and connector.name == name]
        hint = f'Did you mean "{by_connector[0]}"?' if by_connector else suggest(name, self.declared)
        for each, connector in self.declared.items():
            if connector and hint == f'Did you mean "{each}"?':
                return f'Did you mean "{each}" (connector {connector.name})?'
        if self.declared:
            return hint or f"Declared: {', '.join(self.declared)}."
        return f'declare it:  [connections]  {name if _NAME.fullmatch(name) else "name"} = {{ connector = "..." }}'

    def _own_store(self) -> Connector:
        connector = self._connectors[BUILTIN]
        if connector.settings is not None and OWN_STORE not in self.declared:
            settings = connector.settings(connector=BUILTIN)
            self.declared[OWN_STORE] = connector
            self.connections[OWN_STORE] = ConnectionEntry(OWN_STORE, connector, settings)
        return connector

    def _offers(self, at: KeyPath, name: str, connector: Connector, role: str) -> bool:
        if role in connector.roles:
            return True
        offered = " and ".join(connector.roles) or "no role"
        others = [each for each, other in self.declared.items() if other and role in other.roles]
        hint = f"{role} is offered by: {', '.join(others)}" if others else f"declare a connection that offers {role}"
        self._document.add(at, f'connection "{name}" (connector {connector.name}) offers {offered}, not {role}', hint)
        return False

    def roles(self) -> dict[str, str]:
        """Return each role's connection: the chosen one, else the only one that offers it; for crm, else our store."""
        written = self._document.data.get("roles", {})
        if not isinstance(written, dict):
            self._document.add(("roles",), "should be a table", "write [roles]")
            written = {}
        chosen: dict[str, str] = {}
        for role, name in written.items():
            at = ("roles", role)
            if role not in self._roles:
                hint = suggest(role, self._roles) or f"Roles: {', '.join(self._roles)}."
                self._document.add(at, f'no connector offers a role "{role}"', hint)
            elif not isinstance(name, str):
                self._document.add(at, "should be the name of a connection, in quotes")
            else:
                connector = self._find(at, name)
                if connector is not None and self._offers(at, name, connector, role):
                    chosen[role] = name
        self._choose_the_rest(chosen, written)
        return chosen

    def _choose_the_rest(self, chosen: dict[str, str], written: Mapping[str, Any]) -> None:
        is_any_unclear = any(connector is None for connector in self.declared.values())
        for role in self._roles:
            offering = [name for name, found in self.declared.items() if found and role in found.roles]
            if role in written:
                continue
            if len(offering) == 1:
                chosen[role] = offering[0]
            elif len(offering) > 1:
                names = ", ".join(f'"{name}"' for name in offering)
                hint = f'say which one workflows get:  [roles]  {role} = "{offering[0]}"'
                self._document.add(("roles",), f"{len(offering)} connections offer {role}: {names}", hint)
            elif role == "crm" and not is_any_unclear:
                self._own_store()
                chosen[role] = OWN_STORE

    def system_of_record(self, roles: Mapping[str, str]) -> str:
        """Return the connection where contacts live: the named one, else the role crm's."""
        found = roles.get("crm", "")
        at = ("records", "contact", "system_of_record")
        if isinstance(name := self._written(at), str) and self.offers(at, name, "crm"):
            found = name
        return found

    def is_there(self, at: KeyPath, name: str) -> bool:
        """Tell whether there is a connection, or a source that speaks for itself; note a problem where there is not."""
        kind, _, source = name.rpartition(":")
        if kind != "source":
            return self._find(at, name) is not None
        declared = self._written(("sources",))
        known = list(declared) if isinstance(declared, dict) else []
        if source not in known:
            hint = suggest(source, known) or (f"Declared: {', '.join(known)}." if known else "")
            self._document.add(at, f'there is no source "{source}"', hint)
            return False
        if other := self._sources[source].speaks_for if source in self._sources else "":
            self._document.add(at, f'source "{source}" brings the word of "{other}"', f'name that:  "{other}"')
            return False
        return True

    def offers(self, at: KeyPath, name: str, role: str) -> bool:
        """Tell whether a connection that a key names has a role; note a problem where it has not."""
        connector = self._find(at, name)
        return connector is not None and self._offers(at, name, connector, role)

    def mirrored_by(self, at: KeyPath, name: str, kind: MirroredType) -> tuple[Role, ConnectionEntry] | None:
        """Return by which role a connection that a key names is a mirror; note a problem where it can be none."""
        connector = self._find(at, name)
        if connector is None:
            return None
        is_crm = kind == "contact" and "crm" in connector.roles and "table" not in connector.roles
        role: Role = "crm" if is_crm else "table"
        if not self._offers(at, name, connector, role) or name not in self.connections:
            return None
        return role, self.connections[name]

    def _written(self, path: KeyPath) -> Any:
        """Return what stands at a path, or None; of the wrong type too, which the section's own check has noted."""
        value: Any = self._document.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def sources(self) -> dict[str, SourceEntry]:
        """Return the sources, each with its kind."""
        found = self._sources
        for name, table in _tables(self._document, "sources"):
            path = ("sources", name)
            kind: SourceKind | None = self._named(path, table, "kind", self._kinds, set(self._kinds))
            if kind is None:
                continue
            settings = check(self._document, path, kind.settings, table)
            if settings is not None:
                self._check_source(path, kind, settings)
                found[name] = SourceEntry(name, kind, settings, self._speaks_for(kind, settings))
        return found

    def _speaks_for(self, kind: SourceKind, settings: SourceSettings) -> str:
        if settings.connection:
            return settings.connection
        same = [name for name, entry in self.connections.items() if kind in entry.connector.sources]
        return same[0] if len(same) == 1 else ""

    def _check_source(self, path: KeyPath, kind: SourceKind, settings: SourceSettings) -> None:
        at = (*path, "connection")
        if settings.record not in RecordsTable.model_fields:
            hint = (
                suggest(settings.record, RecordsTable.model_fields) or f"Known: {', '.join(RecordsTable.model_fields)}."
            )
            self._document.add((*path, "record"), "there is no such type of record", hint)
        elif settings.record != "contact" and not settings.takes_records:
            message = f"{kind.title}'s deliveries say themselves what they are about"
            self._document.add((*path, "record"), message, 'take the key out, or use kind = "json"')
        vendor = next(each for each in self._connectors.values() if kind in each.sources)
        if not settings.connection:
            if kind.fetch is not None and kind.http is None:
                self._document.add(
                    at, "connection is missing: these deliveries carry an id only", "name the one to read them with"
                )
            return
        connector = self._find(at, settings.connection)
        if isinstance(settings, AskedSourceSettings):
            self._check_asked(at, settings.connection)
        elif connector is not None and vendor.settings is not None and connector.name != vendor.name:
            message = f'connection "{settings.connection}" is {connector.title}, and this source is {vendor.title}'
            self._document.add(at, message, f'name a connection with connector = "{vendor.name}"')

    def _check_asked(self, at: KeyPath, name: str) -> None:
        """Note a problem where a source's connection cannot be asked for what the source is of."""
        if not self.offers(at, name, "layer"):
            return
        entry = self.connections.get(name)
        is_able = entry is not None and "layer.pull_failures" in entry.connector.idempotency
        if entry is not None and not (is_able and entry.connector.can_pull(entry.settings)):
            message = f'connection "{name}" cannot be asked what failed there'
            self._document.add(at, message, "name an n8n connection with its api_key; or take connection out")
