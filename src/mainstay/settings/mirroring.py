"""``[mirrors.NAME]``: what the copies named by ``[records.contact] mirrors`` hold, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.mirrors import FIELDS, KEY, USUAL_COLUMNS, Drift, Mirror
from mainstay.mirrors.rules import CUSTOM, OPT_OUT, Role
from mainstay.settings.document import Document, suggest
from mainstay.settings.positions import KeyPath
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

if TYPE_CHECKING:
    from mainstay.settings.stack import ConnectionEntry

_LEAST = timedelta(seconds=5)


def _check_columns(columns: Mapping[str, str]) -> Mapping[str, str]:
    for title, name in columns.items():
        if title == KEY or not title.strip():
            problem = f'"{title}" is no title for a column: "{KEY}" is the one that rows are found by'
        elif name not in FIELDS and not (name.startswith(CUSTOM) and name != CUSTOM):
            hint = suggest(name, FIELDS) or f"Known: {', '.join(sorted(FIELDS))}, or custom. and a field of yours."
            problem = f'a contact has no field "{name}". {hint}'
        else:
            continue
        raise PydanticCustomError("stack", "{problem}", {"problem": problem})
    return columns


def _check_every(every: timedelta) -> timedelta:
    if every < _LEAST:
        raise PydanticCustomError("stack", "{problem}", {"problem": 'five seconds at the least: every = "1m"'})
    return every


class MirrorTable(Table):
    """``[mirrors.NAME]``."""

    connection: str = Field(
        "", description="The connection that offers the role table or crm; else that of the same name."
    )
    table: str = Field("Contacts", min_length=1, description="The table there: a sheet, a file, a database.")
    columns: Annotated[dict[str, str], AfterValidator(_check_columns)] = Field(
        default_factory=lambda: dict(USUAL_COLUMNS),
        min_length=1,
        description='Titles and what stands under them: { "E-mail" = "email", "Roof" = "custom.roof" }',
    )
    every: Annotated[Duration, AfterValidator(_check_every)] = Field(
        timedelta(minutes=1), description="How long changes are gathered before they are written."
    )
    compare: Annotated[Duration, AfterValidator(_check_every)] = Field(
        timedelta(days=1), description="How often it is looked whether somebody changed the copy."
    )
    drift: Drift = Field(
        "raise",
        description="What then: raise an incident, revert what was changed, or propose it to the system of record.",
    )


def crm_mirror(entry: ConnectionEntry, table: MirrorTable | None = None, *, is_followed: bool = False) -> Mirror:
    """Return the mirror that a connection with the role crm is: it has the connection's name."""
    table = table or MirrorTable.model_validate({})
    kept = entry.connector.contact_fields(entry.settings)
    titles = {name: title for title, name in USUAL_COLUMNS.items()}
    fields = sorted({*kept, OPT_OUT}, key=lambda name: (name not in titles, [*titles, name].index(name), name))
    return Mirror(
        entry.name,
        entry.name,
        columns={titles.get(name, name.removeprefix(CUSTOM)): name for name in fields},
        every=table.every,
        compare_every=table.compare,
        drift=table.drift,
        role="crm",
        unwritable=frozenset({OPT_OUT} - kept),
        is_followed=is_followed,
    )


def read_mirrors(
    document: Document,
    mirrored_by: Callable[[KeyPath, str], tuple[Role, ConnectionEntry] | None],
    system_of_record: str,
) -> Mapping[str, Mirror]:
    """Return the mirrors of contacts; ``mirrored_by`` notes a problem where a connection can be no mirror."""
    tables = document.data.get("mirrors", {})
    if not isinstance(tables, dict):
        document.add(("mirrors",), "should be a table", "write [mirrors.NAME]")
        tables = {}
    records = document.data.get("records", {})
    contact = records.get("contact", {}) if isinstance(records, dict) else {}
    named = contact.get("mirrors", []) if isinstance(contact, dict) else []
    named = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    for name in tables:
        if name not in named:
            hint = suggest(name, named) or f'name it:  [records.contact]  mirrors = ["{name}"]'
            document.add(("mirrors", name), "no record names this mirror", hint)
    found: dict[str, Mirror] = {}
    for place, name in enumerate(named):
        table = check(document, ("mirrors", name), MirrorTable, tables.get(name, {}))
        if table is None:
            continue
        at: KeyPath = ("mirrors", name, "connection") if table.connection else ("records", "contact", "mirrors", place)
        connection = table.connection or name
        by = mirrored_by(at, connection)
        if by is None:
            continue
        role, entry = by
        if role == "table":
            found[name] = Mirror(name, connection, table.table, table.columns, table.every, table.compare, table.drift)
        elif problem := _problem_of_crm(name, connection, table, system_of_record):
            document.add(at, *problem)
        else:
            found[name] = crm_mirror(entry, table)
    return MappingProxyType(found)


def _problem_of_crm(name: str, connection: str, table: MirrorTable, system_of_record: str) -> tuple[str, str] | None:
    if connection == system_of_record:
        return f'"{connection}" is the system of record, which needs no mirror', "take it out of mirrors"
    if name != connection:
        hint = f'write  mirrors = ["{connection}"]  and [mirrors.{connection}]'
        return f'"{connection}" is a CRM, and a mirror in a CRM has the name of its connection', hint
    if {"table", "columns"} & table.model_fields_set:
        return f'"{connection}" is a CRM, which has no table and no columns', "its fields are mapped in [connections]"
    return None
