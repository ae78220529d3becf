"""``[mirrors.NAME]``: what the copies named by ``[records.TYPE] mirrors`` hold, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.mirrors import KEY, MIRRORED_TYPES, Drift, Mirror, MirroredType, fields_of
from mainstay.model.record import CUSTOM
from mainstay.settings.document import Document, suggest
from mainstay.settings.positions import KeyPath
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

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

    connection: str = Field("", description="The connection that offers the role table; else that of the same name.")
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


def read_mirrors(document: Document, offers: Callable[[KeyPath, str, str], bool]) -> Mapping[str, Mirror]:
    """Return the mirrors of all types; ``offers`` notes a problem where a connection has not got a role."""
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
    for kind, at, name in named:
        if kinds[name] != kind:
            hint = f'give it a name of its own:  mirrors = ["{name}_{kind}"]  and  [mirrors.{name}_{kind}]  '
            document.add(at, f"{name} is a mirror of {kinds[name]} already", f'{hint}connection = "{name}"')
        elif (mirror := _mirror(document, kind, at, name, tables.get(name, {}), offers)) is not None:
            found[name] = mirror
    _check_places(document, found)
    return MappingProxyType(found)


def _named(document: Document) -> Iterator[tuple[MirroredType, KeyPath, str]]:
    """Yield the mirrors that record types name, with where they do."""
    records = document.data.get("records", {})
    for kind in MIRRORED_TYPES:
        table = records.get(kind, {}) if isinstance(records, dict) else {}
        names = table.get("mirrors", []) if isinstance(table, dict) else []
        for place, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str):
                yield kind, ("records", kind, "mirrors", place), name


def _mirror(
    document: Document,
    kind: MirroredType,
    named_at: KeyPath,
    name: str,
    data: object,
    offers: Callable[[KeyPath, str, str], bool],
) -> Mirror | None:
    table = check(document, ("mirrors", name), MirrorTable, data)
    if table is None:
        return None
    at: KeyPath = ("mirrors", name, "connection") if table.connection else named_at
    connection = table.connection or name
    known = fields_of(kind)
    is_right = True
    for title, field in (table.columns or {}).items():
        if field not in known and not (field.startswith(CUSTOM) and field != CUSTOM):
            is_right = False
            hint = suggest(field, known) or f"Known: {', '.join(sorted(known))}, or custom. and a field of yours."
            article = "an" if kind[0] in "aeiou" else "a"
            document.add(("mirrors", name, "columns", title), f'{article} {kind} has no field "{field}"', hint)
    if not offers(at, connection, "table") or not is_right:
        return None
    columns = table.columns or {}
    return Mirror(name, connection, table.table, columns, table.every, table.compare, table.drift, kind)


def _check_places(document: Document, found: Mapping[str, Mirror]) -> None:
    """Note a problem where two copies are in one table: each would take the other's rows for strange ones."""
    taken: dict[tuple[str, str], str] = {}
    for name, mirror in found.items():
        other = taken.setdefault((mirror.connection, mirror.table), name)
        if other != name:
            problem = f'it is in the same place as {other}: the table "{mirror.table}" of {mirror.connection}'
            document.add(("mirrors", name), problem, "give one another table")
