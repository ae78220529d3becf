"""A map applied to the rows of one table: what its titles decide is decided once, not for each of ten million rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainstay.kit.mapping import (
    CUSTOM,
    MAX_CUSTOM,
    MAX_CUSTOM_KEY,
    FieldMap,
    Places,
    places_in,
    split_tags,
)
from mainstay.kit.opting import consent, opts_out, said_at
from mainstay.kit.payload import MAX_CHARS, text
from mainstay.kit.spelling import IGNORED, squash
from mainstay.model import Submission

_REACH = ("email", "phone")
_TAGS = "tags"
_CONSENT = "consent"
_TOLD = frozenset({"occurred_at", "do_not_contact"})


def map_of(field_map: FieldMap, columns: Sequence[str]) -> Callable[[Mapping[str, Any]], Submission]:
    """Return what gives of each row what ``field_map`` gives of it as a payload.

    ``columns`` are the keys that every row has; its values are texts, trimmed and without NUL.
    """
    places = places_in(field_map, columns)
    return field_map.apply if places is None else _ColumnMap(field_map, columns, places).apply


class _ColumnMap:
    def __init__(self, field_map: FieldMap, columns: Sequence[str], found: Sequence[Places]) -> None:
        self._map = field_map
        self._fields: list[Places] = []
        self._custom: list[Places] = []
        self._tags: list[Sequence[str]] = []
        for target, places in found:
            if target == _TAGS:
                self._tags.append(places)
            elif target.startswith(CUSTOM):
                self._custom.append((target[len(CUSTOM) :].strip()[:MAX_CUSTOM_KEY], places))
            else:
                self._fields.append((target, places))
        named = [(column, column.replace("\x00", "").strip()[:MAX_CUSTOM_KEY]) for column in columns]
        self._left = [(column, key) for column, key in named if key and squash(key) not in IGNORED]

    def apply(self, row: Mapping[str, Any]) -> Submission:
        used: set[str] = set()
        values = _first_given(self._fields, row, used)
        if not any(target in values for target in _REACH):
            # Few rows; whether such a one will do, and what is wrong with it otherwise, is a longer story.
            return self._map.apply(row)
        custom = _first_given(self._custom, row, used)
        tags = self._tags_of(row, used)
        for column, key in self._left:
            if len(custom) >= MAX_CUSTOM:
                break
            if column not in used and (found := _short(row[column])):
                custom.setdefault(key, found)
        fields: dict[str, Any] = values
        if not _TOLD.isdisjoint(values):
            at = said_at(values["occurred_at"]) if "occurred_at" in values else None
            if at is None and "occurred_at" in values:
                return self._map.apply(row)  # which says what is wrong with it
            fields |= {"occurred_at": at, "do_not_contact": opts_out(values.get("do_not_contact", ""))}
        return Submission(**fields, tags=tags, custom=custom)

    def _tags_of(self, row: Mapping[str, Any], used: set[str]) -> tuple[str, ...]:
        for places in self._tags:
            for column in places:
                if row[column] and (tags := split_tags(row[column])):
                    used.add(column)
                    return tags
        return ()


def _first_given(wanted: Sequence[Places], row: Mapping[str, Any], used: set[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for target, places in wanted:
        if target not in values:
            for column in places:
                if found := _short(row[column]):
                    values[target] = consent(found, column[:MAX_CUSTOM_KEY]) if target == _CONSENT else found
                    used.add(column)
                    break
    return values


def _short(value: str) -> str:
    return value if len(value) <= MAX_CHARS else text(value)
