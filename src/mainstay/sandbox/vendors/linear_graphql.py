"""As much of GraphQL as Linear's simulator needs: one operation of fields, arguments and variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from mainstay.sandbox.wire import Json

_TOKEN = re.compile(r'\s*(?:([A-Za-z_]\w*)|(\$\w+)|(-?\d+(?:\.\d+)?)|("(?:[^"\\\n]|\\.)*")|([{}()\[\]:!=]))[\s,]*')
_WORDS = {"true": True, "false": False, "null": None}


class GraphQLError(ValueError):
    """The document cannot be read."""


@dataclass
class Field:
    """One field of a selection; ``fields`` is empty for a scalar."""

    name: str
    arguments: dict[str, Json] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)


def read(document: str, variables: Mapping[str, Json]) -> list[Field]:
    """Return the root fields of a document with one operation. Raises ``GraphQLError``."""
    return _Reader(document, variables).operation()


def selected(value: Json, fields: list[Field]) -> Json:
    """Return of a record what was asked for."""
    if not fields or value is None:
        return value
    if isinstance(value, list):
        return [selected(each, fields) for each in value]
    missing = [each.name for each in fields if each.name not in value]
    if missing:
        raise GraphQLError(f'Cannot query field "{missing[0]}"')
    return {each.name: selected(value[each.name], each.fields) for each in fields}


def matches(record: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
    """Tell whether a record fits a filter: and, or, null, eq, eqIgnoreCase, gte and in, and relations."""
    return all(_fits(record, name, told) for name, told in wanted.items())


def _fits(record: Mapping[str, Json], name: str, told: Json) -> bool:
    if name == "or":
        return any(matches(record, each) for each in told)
    if name == "and":
        return all(matches(record, each) for each in told)
    value = record.get(name)
    if isinstance(value, Mapping):
        return matches(value, told)
    folded = value.casefold() if isinstance(value, str) else value
    checks: dict[str, Callable[[Json], bool]] = {
        "eq": lambda given: bool(value == given),
        "eqIgnoreCase": lambda given: bool(folded == str(given).casefold()),
        # Of times, which are texts of one form.
        "gte": lambda given: value is not None and str(value) >= str(given),
        "in": lambda given: bool(value in given),
        "null": lambda given: bool((value is None) == given),
    }
    for comparator, given in told.items():
        if comparator not in checks:
            raise GraphQLError(f'Field "{comparator}" is not known to the sandbox')
        if not checks[comparator](given):
            return False
    return True


class _Reader:
    def __init__(self, document: str, variables: Mapping[str, Json]) -> None:
        self._variables = variables
        self._tokens: list[str] = []
        at = 0
        text = document.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise GraphQLError(f"Syntax Error: Unexpected character at {at}")
            self._tokens.append(next(group for group in found.groups() if group is not None))
            at = found.end()
        self._at = 0

    def operation(self) -> list[Field]:
        if self._peek() in {"query", "mutation"}:
            while self._peek() not in {"{", ""}:
                if self._take() == "(":
                    while self._take() != ")":
                        pass
        found = self._selection()
        if self._peek():
            raise GraphQLError("Syntax Error: one operation alone")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise GraphQLError(f'Syntax Error: Expected "{wanted or "more"}", found "{token or "<EOF>"}"')
        self._at += 1
        return token

    def _selection(self) -> list[Field]:
        self._take("{")
        fields = []
        while self._peek() != "}":
            one = Field(self._take())
            if self._peek() == "(":
                one.arguments = self._pairs("(", ")")
            if self._peek() == "{":
                one.fields = self._selection()
            fields.append(one)
        self._take("}")
        return fields

    def _pairs(self, opening: str, closing: str) -> dict[str, Json]:
        self._take(opening)
        pairs = {}
        while self._peek() != closing:
            name = self._take()
            self._take(":")
            pairs[name] = self._value()
        self._take(closing)
        return pairs

    def _value(self) -> Json:
        token = self._peek()
        if token == "{":  # noqa: S105 a mark of the language
            return self._pairs("{", "}")
        if token == "[":  # noqa: S105 as above
            self._take("[")
            values = []
            while self._peek() != "]":
                values.append(self._value())
            self._take("]")
            return values
        self._take()
        if token.startswith("$"):
            return self._variables.get(token[1:])
        if token in _WORDS:
            return _WORDS[token]
        return token if token[0].isalpha() or token[0] == "_" else orjson.loads(token)
