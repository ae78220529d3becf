"""``[records.TYPE]``: which system is right about each type of record, and about which field another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainstay.identity import OWNABLE
from mainstay.model import RECORD_FIELDS, RECORD_TYPES
from mainstay.records.ownership import CUSTOM, OURS, Ownership
from mainstay.settings.document import Document, suggest
from mainstay.settings.stack import OWN_STORE

if TYPE_CHECKING:
    from mainstay.mirrors import Mirror
    from mainstay.model import RecordType
    from mainstay.settings.positions import KeyPath
    from mainstay.settings.schema import RecordsTable, RecordTable
    from mainstay.settings.stack import SourceEntry

ROLES: Mapping[RecordType, tuple[str, ...]] = MappingProxyType(
    {
        "company": ("crm",),
        "deal": ("crm",),
        "invoice": ("accounting", "billing"),
        "payment": ("accounting", "billing"),
        "task": ("tasks",),
        "message": (),
        "appointment": (),
    }
)
"""The roles whose connection is the system of record where none is named, the first that there is."""


def read_ownership(
    document: Document, tables: RecordsTable, roles: Mapping[str, str], is_there: Callable[[KeyPath, str], bool]
) -> Mapping[str, Ownership]:
    """Return who is right about each type of record; ``is_there`` notes a problem where there is no such connection."""
    found: dict[str, Ownership] = {}
    for kind in RECORD_TYPES:
        table: RecordTable = getattr(tables, kind)
        at: KeyPath = ("records", kind)
        named = table.system_of_record
        if named and not is_there((*at, "system_of_record"), named):
            continue
        usual = next((roles[role] for role in ROLES[kind] if role in roles), OURS)
        system = named or usual
        for field, connection in table.owners.items():
            _check_field(document, (*at, "owners", field), kind, RECORD_FIELDS[kind])
            is_there((*at, "owners", field), connection)
        owners = {field: _ours(connection) for field, connection in table.owners.items()}
        mirrors = _mirrors(document, (*at, "mirrors"), table.mirrors, system, is_there)
        found[kind] = Ownership(_ours(system), MappingProxyType(owners), mirrors)
    return MappingProxyType(found)


def _ours(connection: str) -> str:
    return OURS if connection == OWN_STORE else connection


def _mirrors(
    document: Document, at: KeyPath, names: tuple[str, ...], system: str, is_there: Callable[[KeyPath, str], bool]
) -> tuple[str, ...]:
    """Return the connections that are copies: those named, or those of the ``[mirrors.NAME]`` that are."""
    tables = document.data.get("mirrors", {})
    found = []
    for place, name in enumerate(names):
        table = tables.get(name) if isinstance(tables, dict) else None
        named = table.get("connection") if isinstance(table, dict) else None
        connection = named if isinstance(named, str) and named else name
        if is_there(("mirrors", name, "connection") if named else (*at, place), connection):
            if connection == system:
                document.add((*at, place), f'"{connection}" is the system of record, no copy of it', "take it out")
            found.append(connection)
    return tuple(found)


def read_owners(
    document: Document,
    tables: RecordsTable,
    mirrors: Mapping[str, Mirror],
    sources: Mapping[str, SourceEntry],
    is_there: Callable[[KeyPath, str], bool],
) -> Mapping[str, str]:
    """Return which connection is right about which field of a contact, whichever is about the rest."""
    copies = {each.connection: each.name for each in mirrors.values()}
    found: dict[str, str] = {}
    for field, connection in tables.contact.owners.items():
        at: KeyPath = ("records", "contact", "owners", field)
        _check_field(document, at, "contact", OWNABLE)
        if connection == OWN_STORE:
            hint = "take the key out: what people set by hand changes only by hand as it is"
            document.add(at, "Mainstay's own store owns no field", hint)
        elif connection.startswith("source:"):
            hint = "name a connection, and in the source the same:  connection = ..."
            document.add(at, "a field of a contact is owned by a connection", hint)
        elif connection in copies:
            problem = f'"{connection}" is a mirror, and a mirror is right about nothing'
            document.add(at, problem, "name another, or none")
        elif is_there(at, connection):
            found[field] = connection
    for name, source in sources.items():
        if source.speaks_for in found.values() and not source.settings.connection:
            hint = f'say that it is its word:  connection = "{source.speaks_for}"'
            document.add(("sources", name), f'"{source.speaks_for}" owns fields of contacts', hint)
    return found


def _check_field(document: Document, at: KeyPath, kind: str, fields: Collection[str]) -> None:
    field = str(at[-1])
    if field not in fields and not (field.startswith(CUSTOM) and field != CUSTOM):
        hint = suggest(field, fields) or f"Known: {', '.join(fields)}, or custom. and a name."
        document.add(at, f'{kind} has no field "{field}"', hint)
