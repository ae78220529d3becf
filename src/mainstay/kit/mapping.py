"""From a sender's keys to a Submission: ``map = { email = "Email Address", source = "'website'" }``.

Left stands what Mainstay calls it: a field of Submission, or ``custom.KEY``. Right stands where the value is: a key of
the payload, a dotted path into nested JSON (``answers.0.email``), a quoted literal, or a list of these, of which the
first that is not empty counts. Keys match exactly, else regardless of case, spaces, underscores and hyphens.
Without a map, the usual spellings are recognised, but for ``occurred_at`` and ``consent``: consent lifts an opt-out, so
it is never guessed. Whatever is left over becomes a custom field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mainstay.errors import MalformedError
from mainstay.kit.opting import consent, opts_out, said_at
from mainstay.kit.paths import path_in, value_at
from mainstay.kit.payload import MAX_CHARS, show_keys, text
from mainstay.kit.source import SourceSettings
from mainstay.kit.spelling import IGNORED, WRAPPERS, guess, squash
from mainstay.model import Submission

TARGETS = (
    *("email", "phone", "name", "first_name", "last_name", "company", "source", "tags"),
    *("occurred_at", "do_not_contact", "consent"),
)
MAX_CUSTOM = 50
MAX_CUSTOM_KEY = 100
MAX_TAGS = 50
_MAX_DEPTH = 8
_MAX_COMPARED = 200
CUSTOM = "custom."
_REACH = frozenset({"email", "phone"})
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Place:
    """One place to look for a value. ``path`` is empty for a literal."""

    written: str
    literal: str
    path: tuple[str, ...]

    @classmethod
    def read(cls, target: str, written: Any) -> Place:
        """Read what a map says for a target; raise ValueError for what says nothing."""
        if not isinstance(written, str) or not written.strip():
            message = f"map.{target} should be a key of the payload, a path or a 'literal', or a list of these"
            raise ValueError(message)
        stripped = written.strip()
        if len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\"":
            return cls(written, stripped[1:-1], ())
        return cls(written, "", tuple(stripped.split(".")))


class FieldMap:
    """A compiled map; build it once, apply it to each payload.

    Raises:
        ValueError: for an unknown target or an empty place, in words for the person who wrote the map.
    """

    def __init__(self, entries: Mapping[str, str | Sequence[str]] = _NONE) -> None:
        self.rules = tuple(
            (
                _known(target),
                tuple(Place.read(target, one) for one in ([places] if isinstance(places, str) else places)),
            )
            for target, places in entries.items()
        )
        for target, alternatives in self.rules:
            if not alternatives:
                message = f"map.{target} is an empty list: name at least one key of the payload"
                raise ValueError(message)

    def apply(
        self,
        payload: Mapping[str, Any],
        *,
        aliases: Mapping[str, str] = _NONE,
        hints: Mapping[str, str] = _NONE,
        occurred_at: datetime | None = None,
    ) -> Submission:
        """Give the Submission of one payload.

        Args:
            payload: the sender's keys and values, decoded.
            aliases: other names that a map may use for a key of the payload.
            hints: keys of the payload whose target the sender's own types tell; the map goes before them.
            occurred_at: when it was sent, by the sender's clock.

        Raises:
            MalformedError: no e-mail, phone or name results, or the map asks for an e-mail or phone under keys that
                this payload does not have at all. Keys are named, values never.
        """
        reading = Reading(payload, aliases)
        for target, alternatives in self.rules:
            reading.follow(target, alternatives)
        for key, target in hints.items():
            reading.take(target, payload.get(key), key)
        if not self.rules:
            reading.recognise()
        return reading.result(occurred_at)


Places = tuple[str, Sequence[str]]
"""A target, and the keys of the payload that may hold it, the first of which that is not empty counts."""


def places_in(field_map: FieldMap, keys: Sequence[str]) -> list[Places] | None:
    """Return where a map looks in payloads that have just these keys, with texts; None where it holds a literal."""
    payload = dict.fromkeys(keys, "")
    if not field_map.rules:
        return [(target, (path,)) for target, path, _ in _ranked(payload, "")]
    if any(not place.path for _, alternatives in field_map.rules for place in alternatives):
        return None
    reading = Reading(payload, _NONE)
    return [
        (target, [path for place in alternatives if (path := reading.find(place))])
        for target, alternatives in field_map.rules
    ]


def _known(target: str) -> str:
    if target in TARGETS or (target.startswith(CUSTOM) and target[len(CUSTOM) :].strip()):
        return target
    close = get_close_matches(target, TARGETS, 1)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    message = f'map has no target "{target}". {hint}Targets: {", ".join(TARGETS)} and custom.KEY.'
    raise ValueError(message)


class Reading:
    """The state of one payload's mapping."""

    def __init__(self, payload: Mapping[str, Any], aliases: Mapping[str, str]) -> None:
        self._payload = payload
        self._aliases = aliases
        self._squashed: dict[str, str] | None = None
        self._values: dict[str, str] = {}
        self._tags: tuple[str, ...] = ()
        self._custom: dict[str, str] = {}
        self._used: set[str] = set()
        self._absent: list[tuple[str, str]] = []
        self._structured: list[str] = []
        self._has_map = False
        self._found: set[str] = set()

    def follow(self, target: str, alternatives: tuple[Place, ...]) -> None:
        self._has_map = True
        is_found = False
        for place in alternatives:
            if not place.path:
                value: Any = place.literal
                path = ""
                is_found = True
            else:
                path = self.find(place)
                if not path:
                    continue
                is_found = True
                value = value_at(self._payload, path)
            if self.take(target, value, path):
                break
        if is_found:
            self._found.add(target)
        else:
            self._absent.append((target, alternatives[0].written))

    def take(self, target: str, value: Any, path: str) -> bool:
        """Use ``value`` for ``target`` unless that has one or the value is empty; say whether it was used."""
        if target == "tags":
            tags = split_tags(value)
            if tags and not self._tags:
                self._tags = tags
                self._used.add(path)
                return True
            return False
        store, key = self._values, target
        if target.startswith(CUSTOM):
            store, key = self._custom, target[len(CUSTOM) :].strip()[:MAX_CUSTOM_KEY]
        if key in store:
            return False
        if isinstance(value, dict) and target in TARGETS:
            self._structured.append(path)
        single = _joined(value) if store is self._custom else _first_text(value)
        if not single:
            return False
        store[key] = consent(single, path[:MAX_CUSTOM_KEY] or "map") if target == "consent" else single
        self._used.add(path)
        return True

    def recognise(self) -> None:
        """Fill what is still empty by the usual spellings.

        Where the sender wraps the form in an object, the form is the first level that has an e-mail or a phone: a name
        above it is that of something else (the form's own title, mostly).
        """
        levels = [("", self._payload), *_wrappers(self._payload)]
        ranked = [_ranked(values, prefix) for prefix, values in levels]
        reachable = (found for found in ranked if any(target in _REACH and _first_text(v) for target, _, v in found))
        best = next(reachable, None) or next((found for found in ranked if found), [])
        for target, path, value in best:
            if isinstance(value, dict):
                if target == "name":
                    self._recognise_parts(value, path)
                continue
            self.take(target, value, path)
        for target, path, value in ranked[0]:
            if target in {"source", "tags", "do_not_contact"}:
                self.take(target, value, path)

    def _recognise_parts(self, parts: Mapping[str, Any], path: str) -> None:
        for part, target in (("first", "first_name"), ("last", "last_name")):
            for key in (part, f"{part}Name", f"{part}_name"):
                self.take(target, parts.get(key), f"{path}.{key}")

    def find(self, place: Place) -> str:
        """Return the flattened path of the place in this payload; empty when it is not there."""
        written = place.written.strip()
        if written in self._payload:
            return written
        if written in self._aliases:
            return self._aliases[written]
        if self._squashed is None:
            self._squashed = {squash(alias): key for alias, key in self._aliases.items()}
            self._squashed |= {squash(key): key for key in reversed(list(self._payload))}
        plain = self._squashed.get(squash(written))
        if plain is not None and squash(written):
            return plain
        if len(place.path) == 1:
            return ""
        return path_in(self._payload, place.path, self._aliases)

    def result(self, occurred_at: datetime | None) -> Submission:
        values = self._values
        if not any(values.get(key) for key in ("email", "phone", "name", "first_name", "last_name")):
            raise MalformedError(self._explain("no e-mail, phone or name was found"))
        asked = {target for target, _ in self._absent} & _REACH
        if asked and not (self._found & _REACH) and not (_REACH & values.keys()):
            raise MalformedError(self._explain("neither e-mail nor phone was found"))
        self._gather_custom()
        return Submission(
            email=values.get("email", ""),
            phone=values.get("phone", ""),
            name=values.get("name", ""),
            first_name=values.get("first_name", ""),
            last_name=values.get("last_name", ""),
            company=values.get("company", ""),
            source=values.get("source", ""),
            tags=self._tags,
            custom=self._custom or _NONE,
            occurred_at=self._time() or occurred_at,
            do_not_contact=opts_out(values.get("do_not_contact", "")),
            consent=values.get("consent", ""),
        )

    def _time(self) -> datetime | None:
        written = self._values.get("occurred_at")
        time = said_at(written) if written else None
        if written and time is None:
            raise MalformedError(self._explain("occurred_at is not a time as ISO 8601 has it, nor seconds since 1970"))
        return time

    def _gather_custom(self) -> None:
        for path, value in _leaves(self._payload):
            if len(self._custom) >= MAX_CUSTOM:
                return
            if path in self._used:
                continue
            key = path.replace("\x00", "").strip()[:MAX_CUSTOM_KEY]
            if key and value and squash(key) not in IGNORED:
                self._custom.setdefault(key, value)

    def _explain(self, what: str) -> str:
        parts = [what]
        if self._absent:
            missing = ", ".join(f'"{written}" (for {target}){self._close(written)}' for target, written in self._absent)
            parts.append(f"the map names keys that are not in the payload: {missing}")
        if self._structured:
            nested = show_keys(dict.fromkeys(self._structured))
            parts.append(f"{nested} is an object: name a key inside it with a dot")
        parts.append(f"the payload has {show_keys(self._payload)}")
        mend = (
            "Mend the source's map in stack.toml, then replay this delivery."
            if self._has_map
            else 'Say which key is which: add map = { email = "...", phone = "..." } to the source in stack.toml, '
            "then replay this delivery."
        )
        return "; ".join(parts) + ". " + mend

    def _close(self, written: str) -> str:
        known = {squash(key): key for key in islice(self._payload, _MAX_COMPARED)}
        close = get_close_matches(squash(written), list(known), 1, 0.75)
        return f", did you mean {show_keys({known[close[0]]: None})}?" if close else ""


def _ranked(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str, Any]]:
    """Target, path and value of each key whose spelling is known, the surest first."""
    found = [(known, prefix + key, value) for key, value in values.items() if (known := guess(key)) is not None]
    found.sort(key=lambda entry: entry[0][1])
    return [(known[0], path, value) for known, path, value in found]


def _first_text(value: Any) -> str:
    if isinstance(value, list):
        return next((found for found in (text(item) for item in value) if found), "")
    return text(value)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(found for found in (text(item) for item in value[:MAX_CUSTOM]) if found)[:MAX_CHARS]
    return text(value)


def split_tags(value: Any) -> tuple[str, ...]:
    """Return the tags of a list, or of a text with commas."""
    parts = value if isinstance(value, list) else text(value).split(",")
    found = dict.fromkeys(tag for tag in (text(part) for part in parts[:MAX_TAGS]) if tag)
    return tuple(found)


def _wrappers(payload: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Objects in which senders like to put the form itself, outermost first, two levels deep."""
    outer = [
        (f"{key}.", value)
        for key, value in payload.items()
        if isinstance(value, dict) and "." not in key and squash(key) in WRAPPERS
    ]
    yield from outer
    for prefix, inner in outer:
        for key, value in inner.items():
            if isinstance(value, dict) and "." not in key and squash(key) in WRAPPERS:
                yield f"{prefix}{key}.", value


def _leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text below ``value`` by its dotted path; what lies deeper than eight levels is left out."""
    if depth > _MAX_DEPTH:
        return
    prefix = f"{path}." if path else ""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}{key}", depth + 1)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value[:MAX_CUSTOM]):
            yield from _leaves(item, f"{prefix}{number}", depth + 1)
    else:
        yield path, _joined(value)


class MappedSettings(SourceSettings):
    """Settings of a source whose payload a map reads."""

    map: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Which key of the payload is which field of the contact; the usual spellings without it.",
    )

    @model_validator(mode="after")
    def _compile_map(self) -> Self:
        try:
            self.compile_map()
        except ValueError as error:
            kind = "map"
            raise PydanticCustomError(kind, "{problem}", {"problem": str(error)}) from None
        return self

    def compile_map(self) -> None:
        """Raise ValueError where the map is none, in words for the person who wrote it."""
        _ = self.mapping

    @cached_property
    def mapping(self) -> FieldMap:
        """The compiled map."""
        return FieldMap(self.map)
