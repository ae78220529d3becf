"""``[mirrors.NAME]``: what the copies named by ``[records.TYPE] mirrors`` hold, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.mirrors import KEY, MIRRORED_TYPES, USUAL_COLUMNS, Drift, Mirror, MirroredType, fields_of
from mainstay.mirrors.fields import OPT_OUT
from mainstay.mirrors.rules import Role
from mainstay.model.record import CUSTOM
from mainstay.records import OURS, Ownership
from mainstay.settings.document import Document, suggest
from mainstay.settings.positions import KeyPath
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

if TYPE_CHECKING:
    from mainstay.settings.stack import ConnectionEntry

    MirroredBy = Callable[[KeyPath, str, MirroredType], tuple[Role, ConnectionEntry] | None]

_LEAST = timedelta(seconds=5)


def _check_titles(columns: Mapping[str, str]) -> Mapping[str, str]:
    for title in columns:
        if title == KEY or not title.strip():
            problem = f'"{title}" is no title for a column: "{KEY}" is the one that rows are found by'
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
    table: str = Field("", description='The table there (a sheet, a file); else named by the type: "Invoices".')
    columns: Annotated[dict[str, str] | None, AfterValidator(_check_titles), Field(min_length=1)] = Field(
        None,
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
    document: Document, mirrored_by: MirroredBy, system_of_record: str, ownership: Mapping[str, Ownership]
) -> Mapping[str, Mirror]:
    """Return the mirrors of all types; ``mirrored_by`` notes a problem where a connection can be no mirror.

    One in the system of record of its type is left out: :mod:`mainstay.settings.ownership` told of it.
    """
    tables = document.data.get("mirrors", {})
    if not isinstance(tables, dict):
        document.add(("mirrors",), "should be a table", "write [mirrors.NAME]")
        tables = {}
    named = list(_named(document))
    kinds = {name: kind for kind, _, name in reversed(named)}
    for name in tables:
        if name not in kinds:
            hint = suggest(name, kinds) or f'name it:  [records.contact]  mirrors = ["{name}"]'
            document.add(("mirrors", name), "no record names this mirror", hint)
    found: dict[str, Mirror] = {}
    systems = {kind: each.system_of_record for kind, each in ownership.items()} | {"contact": system_of_record}
    for each in named:
        kind, at, name = each
        if kinds[name] != kind:
            hint = f'give it a name of its own:  mirrors = ["{name}_{kind}"]  and  [mirrors.{name}_{kind}]  '
            document.add(at, f"{name} is a mirror of {kinds[name]} already", f'{hint}connection = "{name}"')
        elif (mirror := _mirror(document, each, tables.get(name, {}), mirrored_by, systems)) is not None:
            found[name] = mirror
    _check_places(document, found)
    return MappingProxyType(found)


class _Named(NamedTuple):
    """A mirror's name, and where which type of record names it."""

    kind: MirroredType
    at: KeyPath
    name: str


def _named(document: Document) -> Iterator[_Named]:
    """Yield the mirrors that record types name."""
    records = document.data.get("records", {})
    for kind in MIRRORED_TYPES:
        table = records.get(kind, {}) if isinstance(records, dict) else {}
        names = table.get("mirrors", []) if isinstance(table, dict) else []
        for place, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str):
                yield _Named(kind, ("records", kind, "mirrors", place), name)


def _mirror(
    document: Document, named: _Named, data: object, mirrored_by: MirroredBy, systems: Mapping[str, str]
) -> Mirror | None:
    kind, named_at, name = named
    table = check(document, ("mirrors", name), MirrorTable, data)
    if table is None:
        return None
    at: KeyPath = ("mirrors", name, "connection") if table.connection else named_at
    connection, system = table.connection or name, systems.get(kind, OURS)
    if kind != "contact" and connection == system:
        return None
    is_right = _check_columns(document, kind, name, table.columns or {})
    by = mirrored_by(at, connection, kind)
    if by is None or not is_right:
        return None
    role, entry = by
    if role == "crm":
        if problem := _problem_of_crm(name, connection, table, system):
            document.add(at, *problem)
            return None
        return crm_mirror(entry, table)
    columns = table.columns or {}
    return Mirror(name, connection, table.table, columns, table.every, table.compare, table.drift, record=kind)


def _check_columns(document: Document, kind: MirroredType, name: str, columns: Mapping[str, str]) -> bool:
    known = fields_of(kind)
    wrong = {
        title: field
        for title, field in columns.items()
        if field not in known and not (field.startswith(CUSTOM) and field != CUSTOM)
    }
    for title, field in wrong.items():
        hint = suggest(field, known) or f"Known: {', '.join(sorted(known))}, or custom. and a field of yours."
        article = "an" if kind[0] in "aeiou" else "a"
        document.add(("mirrors", name, "columns", title), f'{article} {kind} has no field "{field}"', hint)
    return not wrong


def _check_places(document: Document, found: Mapping[str, Mirror]) -> None:
    """Note a problem where two copies are in one table: each would take the other's rows for strange ones."""
    taken: dict[tuple[str, str], str] = {}
    for name, mirror in found.items():
        if mirror.role == "crm":
            continue
        other = taken.setdefault((mirror.connection, mirror.table), name)
        if other != name:
            problem = f'it is in the same place as {other}: the table "{mirror.table}" of {mirror.connection}'
            document.add(("mirrors", name), problem, "give one another table")


def _problem_of_crm(name: str, connection: str, table: MirrorTable, system_of_record: str) -> tuple[str, str] | None:
    if connection == system_of_record:
        return f'"{connection}" is the system of record, which needs no mirror', "take it out of mirrors"
    if name != connection:
        hint = f'write  mirrors = ["{connection}"]  and [mirrors.{connection}]'
        return f'"{connection}" is a CRM, and a mirror in a CRM has the name of its connection', hint
    if {"table", "columns"} & table.model_fields_set:
        return f'"{connection}" is a CRM, which has no table and no columns', "its fields are mapped in [connections]"
    return None
