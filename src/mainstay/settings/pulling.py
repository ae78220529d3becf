"""What is pulled by a stack: from which connection, how often, and which sources bring its webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from mainstay.model import RECORD_TYPES, RecordType
from mainstay.pulls import Pull, RecordPull

if TYPE_CHECKING:
    from mainstay.records import Ownership
    from mainstay.settings.schema import RecordsTable, RecordTable
    from mainstay.settings.stack import ConnectionEntry, SourceEntry


def pull_of(every: timedelta | str, entry: ConnectionEntry, sources: Mapping[str, SourceEntry]) -> Pull | None:
    """Return how contacts are pulled from their system of record; None where it cannot tell, or shall not."""
    if isinstance(every, str) or not entry.can_pull:
        return None
    bringing = tuple(source for source, found in sources.items() if found.settings.connection == entry.name)
    return Pull(entry.name, every, bringing)


def record_pulls(
    records: RecordsTable,
    ownership: Mapping[str, Ownership],
    connections: Mapping[str, ConnectionEntry],
    sources: Mapping[str, SourceEntry],
) -> Iterator[tuple[RecordType, RecordPull]]:
    """Give each other type of record that is pulled, with how."""
    for kind in RECORD_TYPES:
        table: RecordTable = getattr(records, kind)
        name = ownership[kind].system_of_record
        entry = connections.get(name)
        able = entry.connector.pulls.get(kind) if entry else None
        if entry and able and able.when(entry.settings) and not isinstance(table.reconcile, str):
            bringing = tuple(source for source, found in sources.items() if found.speaks_for == name)
            yield kind, RecordPull(kind, name, able.role, able.by_status, table.reconcile, bringing)
