"""``[records.TYPE]`` of what is no contact: which system is right about each type, and about which field another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainstay.model import RECORD_FIELDS, RECORD_TYPES
from mainstay.records.ownership import CUSTOM, OURS, Ownership
from mainstay.settings.document import Document, suggest
from mainstay.settings.stack import OWN_STORE

if TYPE_CHECKING:
    from mainstay.model import RecordType
    from mainstay.settings.positions import KeyPath
    from mainstay.settings.schema import RecordsTable, RecordTable

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
            if field not in RECORD_FIELDS[kind] and not field.startswith(CUSTOM):
                hint = (
                    suggest(field, RECORD_FIELDS[kind])
                    or f"Known: {', '.join(RECORD_FIELDS[kind])}, or custom. and a name."
                )
                document.add((*at, "owners", field), f'{kind} has no field "{field}"', hint)
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
