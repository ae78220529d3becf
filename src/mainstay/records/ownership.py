"""Whose word counts for what, and what stands of all that systems say of one record. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from mainstay.model.record import CUSTOM

__all__ = ["CUSTOM", "OURS", "Folded", "Ownership", "Said", "fold"]

OURS = ""
"""The system of record of what our own book is right about."""
_FOREIGN, _ANYBODY, _SYSTEM, _OWNER = range(4)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which system is right about one type of record.

    Attributes:
        system_of_record: the connection; :data:`OURS` for our own book: what is written in it by hand or by a workflow
            counts most, and of what systems say the latest.
        owners: field to the connection that is right about it, whichever is about the rest.
        mirrors: connections that are copies: a write to one is refused.
    """

    system_of_record: str = OURS
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mirrors: tuple[str, ...] = ()

    def rank(self, name: str, connection: str) -> int:
        """Return how much a connection's word on a field counts: above all others its owner's."""
        if (owner := self.owners.get(name)) is not None:
            return _OWNER if owner == connection else _FOREIGN
        if self.system_of_record == connection:
            return _SYSTEM
        return _ANYBODY if self.system_of_record == OURS else _FOREIGN

    def owner_of(self, name: str) -> str:
        """Return which connection is right about a field; :data:`OURS` for our own book."""
        return self.owners.get(name, self.system_of_record)


@dataclass(frozen=True, slots=True)
class Said:
    """One system's word on a record.

    ``id`` is the change's, in the order of arrival; ``at`` when it came to be so. ``connection`` is :data:`OURS` for
    what is written in our own book. ``initial`` as in :class:`mainstay.model.RecordState`.
    """

    id: str
    connection: str
    values: Mapping[str, str]
    at: datetime
    initial: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of one word.

    ``values`` and ``origins`` are the record after it, ``before`` and ``after`` what changed; ``refused`` is field to
    the value that does not stand although it says otherwise, because another system is right about it.
    """

    values: Mapping[str, str]
    origins: Mapping[str, Mapping[str, Any]]
    before: Mapping[str, str]
    after: Mapping[str, str]
    refused: Mapping[str, str]


def fold(
    values: Mapping[str, str], origins: Mapping[str, Mapping[str, Any]], said: Said, ownership: Ownership
) -> Folded:
    """Take one word up. Of all words on a field that stands which counts most, then the latest, then the last to come.

    So the order in which words arrive is of no matter. What does not count stands only where nobody else has spoken.
    """
    stands, because = dict(values), dict(origins)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name, value in said.values.items():
        rank = ownership.rank(name, said.connection)
        origin: dict[str, Any] = {"change": said.id, "connection": said.connection, "rank": rank}
        origin["at"] = said.at.isoformat()
        if name in said.initial:
            origin["initial"] = True
        known = because.get(name)
        if known is not None and _key(known) >= _key(origin):
            if stands.get(name, "") != value and known["rank"] > rank:
                refused[name] = value
            continue
        if known is not None and stands.get(name, "") == value and known["rank"] == rank:
            # An echo: it counts as late as the last that said so, and shows who said it first.
            because[name] = {**origin, "since": known["since"]}
            continue
        because[name] = {**origin, "since": said.id}
        if stands.get(name, "") != value:
            before[name], after[name] = stands.get(name, ""), value
        stands[name] = value
    return Folded(stands, because, before, after, refused)


def _key(origin: Mapping[str, Any]) -> tuple[int, bool, datetime, str]:
    at = datetime.fromisoformat(str(origin["at"]))
    return int(origin["rank"]), not origin.get("initial"), at, str(origin["change"])
