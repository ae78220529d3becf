"""Reading what a sender put in a delivery: JSON, form-encoded and multipart bodies, texts and times.

Whatever arrives, the only exception is MalformedError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mainstay.errors import MalformedError
from mainstay.model import RawRequest

MAX_FIELDS = 1_000
MAX_CHARS = 500
_MAX_SHOWN_KEYS = 20
_MAX_SHOWN_CHARS = 60
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
# Escaped backslashes and whole pairs are passed over, so that what the group finds is a half without its other.
_HALF = re.compile(
    rb"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_URLENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """A decoded form. A field sent several times has a list; ``files`` has a note of name and size per file field."""

    fields: Mapping[str, str | list[str]]
    files: Mapping[str, str]


def read_json(body: bytes) -> Any:
    """Decode JSON, with or without a byte order mark; half an emoji becomes the mark of an unknown character."""
    plain = body.removeprefix(b"\xef\xbb\xbf")
    try:
        try:
            return orjson.loads(plain)
        except orjson.JSONDecodeError:
            # Senders cut texts to a length, and through an emoji: no reason to lose a lead.
            if b"\\ud" not in plain.lower():
                raise
            return orjson.loads(_HALF.sub(lambda found: b"\\ufffd" if found[1] else found[0], plain))
    except orjson.JSONDecodeError as error:
        what = "the body is empty" if not body.strip() else f"the body is not valid JSON: {error}"
        raise MalformedError(f"{what}. Send JSON in UTF-8.") from None


def read_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object."""
    return as_object(read_json(body), "the body")


def object_in(body: bytes) -> dict[str, Any]:
    """Decode a JSON object, for who only looks whether something stands in it; empty where it is none."""
    try:
        return read_object(body)
    except MalformedError:
        return {}


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Return ``value`` when it is a JSON object; the error names ``where`` it stood."""
    if not isinstance(value, dict):
        raise MalformedError(f"{where} should be a JSON object, but is {kind_of(value)}")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """Return ``value`` when it is a JSON list; the error names ``where`` it stood."""
    if not isinstance(value, list):
        raise MalformedError(f"{where} should be a JSON list, but is {kind_of(value)}")
    return value


def kind_of(value: Any) -> str:
    """Say what a JSON value is, in words, without showing it."""
    if value is None:
        return "null"
    names = {bool: "true/false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def read_form(request: RawRequest) -> Form:
    """Decode a form-encoded or multipart body by its content type."""
    if request.content_type == "multipart/form-data":
        return _read_multipart(request)
    try:
        # Latin-1 maps each byte to one character and back, so that the real encoding can be chosen per value.
        pairs = parse_qsl(
            request.body.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="latin-1"
        )
    except ValueError:
        raise MalformedError(f"the form has more than {MAX_FIELDS} fields") from None
    fields: dict[str, str | list[str]] = {}
    for name, value in pairs:
        _add(fields, _decode(name.encode("latin-1")), _decode(value.encode("latin-1")))
    return Form(fields, {})


def text(value: Any) -> str:
    """Write a JSON scalar as text: trimmed, without NUL, at most MAX_CHARS long; objects and lists give ''."""
    if isinstance(value, str):
        return value.replace("\x00", "").strip()[:MAX_CHARS]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))[:MAX_CHARS]
    if isinstance(value, int | float):
        return str(value)[:MAX_CHARS]
    return ""


def moment(value: Any) -> datetime | None:
    """Read an ISO 8601 time (without zone: UTC) or epoch seconds; None when it is neither."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def show_keys(keys: Mapping[str, Any]) -> str:
    """List a payload's keys for an error message: bounded, and printable whatever the sender wrote."""
    shown = [f'"{_UNPRINTABLE.sub(" ", key)[:_MAX_SHOWN_CHARS]}"' for key in list(keys)[:_MAX_SHOWN_KEYS]]
    rest = f" and {len(keys) - _MAX_SHOWN_KEYS} more" if len(keys) > _MAX_SHOWN_KEYS else ""
    return (", ".join(shown) + rest) or "no keys"


def _add(fields: dict[str, str | list[str]], name: str, value: str) -> None:
    earlier = fields.get(name)
    if earlier is None:
        fields[name] = value
    elif isinstance(earlier, list):
        earlier.append(value)
    else:
        fields[name] = [earlier, value]


def _decode(value: bytes) -> str:
    """Browsers send the page's own encoding and do not say which: UTF-8, else Windows-1252."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    try:
        return value.decode("cp1252")
    except UnicodeDecodeError:
        raise MalformedError('the form is not in UTF-8. Add accept-charset="utf-8" to it.') from None


class _Parts:
    """Collects the parts of one multipart body."""

    def __init__(self) -> None:
        self.fields: dict[str, str | list[str]] = {}
        self.files: dict[str, str] = {}
        self.is_complete = False
        self._headers: dict[bytes, bytes] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._data = bytearray()
        self._count = 0

    def begin(self) -> None:
        self._count += 1
        if self._count > MAX_FIELDS:
            raise MalformedError(f"the form has more than {MAX_FIELDS} fields")
        self._headers = {}
        self._data = bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise MalformedError("a part of the multipart form has no name")
        name = _decode(options[b"name"])
        filename = options.get(b"filename")
        if filename is None:
            _add(self.fields, name, _decode(bytes(self._data)))
        elif filename or self._data:
            note = f"{_decode(filename)} ({len(self._data)} bytes)"
            self.files[name] = f"{self.files[name]}, {note}" if name in self.files else note

    def finish(self) -> None:
        self.is_complete = True


def _read_multipart(request: RawRequest) -> Form:
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedError("the content type multipart/form-data lacks its boundary")
    parts = _Parts()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_field,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_end": parts.finish,
            },
        )
        parser.write(request.body)
        parser.finalize()
    except FormParserError as error:
        raise MalformedError(f"the multipart form cannot be read: {error}") from None
    if not parts.is_complete:
        raise MalformedError("the multipart form is cut off before its closing boundary")
    return Form(parts.fields, parts.files)


def is_form(content_type: str) -> bool:
    """Say whether a media type (without parameters) is one of the two form encodings."""
    return content_type in {_URLENCODED, "multipart/form-data"}
