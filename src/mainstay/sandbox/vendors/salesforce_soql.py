"""Salesforce's query languages, as far as it is asked here: SOQL's SELECT of one object, SOSL's FIND of phones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from mainstay.sandbox.wire import Json

Test = Callable[[Mapping[str, Json]], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\\n]|\\.)*')|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<number>-?\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_SOSL = re.compile(r"FIND \{(\d+)\} IN PHONE FIELDS RETURNING (\w+)\(([\w, ]+)\)")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
}


class MalformedQuery(ValueError):  # noqa: N818 Salesforce's own word
    """The query is not understood; the text is Salesforce's message."""


@dataclass(frozen=True)
class Query:
    """A parsed SELECT. ``names`` are all fields that it mentions."""

    fields: tuple[str, ...]
    sobject: str
    where: Test
    order: tuple[tuple[str, bool], ...]
    limit: int | None
    names: frozenset[str]

    def run(self, records: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Return the records that it finds, sorted and cut."""
        found = [record for record in records if self.where(record)]
        for name, descending in reversed(self.order):
            found.sort(key=lambda record, name=name: _sortable(record.get(name)), reverse=descending)  # type: ignore[misc]
        return found if self.limit is None else found[: self.limit]


def parse(soql: str) -> Query:
    """Parse a query.

    Raises:
        MalformedQuery: it is none.
    """
    return _Parser(soql).query()


def parse_search(sosl: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the digits, the object and the fields of a FIND in phone fields."""
    found = _SOSL.fullmatch(sosl)
    if found is None:
        raise MalformedQuery("No search term found. The search term must be enclosed in braces.")
    return found[1], found[2], tuple(name.strip() for name in found[3].split(","))


class _Parser:
    def __init__(self, soql: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(soql.rstrip()):
            found = _TOKEN.match(soql, at)
            if found is None:
                raise MalformedQuery(f"line 1:{at} no viable alternative at character '{soql[at]}'")
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind]))
            at = found.end()
        self._at = 0
        self._names: set[str] = set()

    def query(self) -> Query:
        self._word("SELECT")
        fields = [self._name()]
        while self._is(","):
            fields.append(self._name())
        self._word("FROM")
        _, sobject = self._next()
        where: Test = lambda _record: True  # noqa: E731 the query without a condition
        if self._is("WHERE"):
            where = self._conditions()
        order: list[tuple[str, bool]] = []
        if self._is("ORDER"):
            self._word("BY")
            while True:
                name = self._name()
                descending = self._is("DESC")
                if not descending:
                    self._is("ASC")
                order.append((name, descending))
                if not self._is(","):
                    break
        limit = int(self._next()[1]) if self._is("LIMIT") else None
        if self._at < len(self._tokens):
            raise self._unexpected()
        return Query(tuple(fields), sobject, where, tuple(order), limit, frozenset(self._names))

    def _conditions(self) -> Test:
        """Read conditions joined by one word; SOQL wants brackets where AND and OR meet."""
        tests = [self._condition()]
        joint = ""
        while word := next((word for word in ("AND", "OR") if self._is(word)), ""):
            if joint and word != joint:
                raise MalformedQuery(f"unexpected token: '{word}'")
            joint = word
            tests.append(self._condition())
        if joint == "OR":
            return lambda record: any(test(record) for test in tests)
        return lambda record: all(test(record) for test in tests)

    def _condition(self) -> Test:
        if self._is("("):
            inner = self._conditions()
            self._word(")")
            return inner
        name = self._name()
        if self._is("IN"):
            self._word("(")
            values = [self._value()]
            while self._is(","):
                values.append(self._value())
            self._word(")")
            wanted = {_comparable(value) for value in values}
            return lambda record: _held(record, name) in wanted
        _, sign = self._next()
        if sign not in _COMPARED:
            raise MalformedQuery(f"unexpected token: '{sign}'")
        compared, value = _COMPARED[sign], _comparable(self._value())
        if name == "Id" and isinstance(value, str):
            # Ids are told apart by case, and may be written with 15 characters.
            length = 15 if len(value) == 15 else 18
            return lambda record: compared(str(record["Id"])[:length], _raw(value))
        return lambda record: compared(_held(record, name), value)

    def _value(self) -> Json:
        kind, token = self._next()
        if kind == "text":
            return _unquoted(token[1:-1])
        if kind == "time":
            return datetime.fromisoformat(token)
        if kind == "number":
            return int(token)
        words: dict[str, Json] = {"null": None, "true": True, "false": False}
        if token.lower() not in words:
            raise MalformedQuery(f"unexpected token: '{token}'")
        return words[token.lower()]

    def _name(self) -> str:
        kind, token = self._next()
        if kind != "name":
            raise MalformedQuery(f"unexpected token: '{token}'")
        self._names.add(token)
        return token

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise MalformedQuery("unexpected token: '<EOF>'")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        there = self._at < len(self._tokens) and self._tokens[self._at][1].upper() == word
        there = there and self._tokens[self._at][0] != "text"
        self._at += there
        return there

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise self._unexpected()

    def _unexpected(self) -> MalformedQuery:
        token = self._tokens[self._at][1] if self._at < len(self._tokens) else "<EOF>"
        return MalformedQuery(f"unexpected token: '{token}'")


class _Text(str):
    """A text that compares without case, and keeps how it was written."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, written: str) -> Self:
        self = super().__new__(cls, written.lower())
        self.written = written
        return self


def _raw(value: str) -> str:
    return value.written if isinstance(value, _Text) else value


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNESCAPED.get(found[1], found[1]), text)


def _comparable(value: Json) -> Json:
    return _Text(value) if isinstance(value, str) else value


def _held(record: Mapping[str, Json], name: str) -> Json:
    value = record.get(name)
    if isinstance(value, str) and name in {"SystemModstamp", "CreatedDate", "LastModifiedDate"}:
        return datetime.fromisoformat(value)
    return _comparable(value) if value != "" else None


def _sortable(value: Json) -> tuple[bool, str]:
    return value is not None, str(value or "")
