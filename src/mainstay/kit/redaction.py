"""What is stored of an exchange: enough to debug, without secrets and without whole e-mails and phone numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson

MAX_STORED_CHARS = 8_000
MAX_DEPTH = 100
MAX_FIELD_NAME = 64
MASK = "•••"

_SECRET_WORD = r"token|secret|password|passwd|authorization|api[-_]?key|signature|cookie"  # noqa: S105 names, no secret
_SECRET_KEY = re.compile(_SECRET_WORD, re.IGNORECASE)
_PHONE_KEY = re.compile(r"phone|mobile|(?:^|[_-])(?:tel|cell|fax|msisdn)(?:$|[_-])", re.IGNORECASE)
# JSON that was cut, forms and queries: a secret's name, then its value, quoted or up to the next separator.
_SECRET_PAIR = re.compile(
    rf"""((?:{_SECRET_WORD})[\w.-]{{0,40}}["']?\s{{0,4}}[:=]\s{{0,4}})"""
    r"""("(?:[^"\\]|\\.)*"?|'[^'\n]*'?|(?:(?:bearer|basic)\s+)?[^\s"'&,;}\])]+)""",
    re.IGNORECASE,
)
# The look-behinds let a match start only where a word does: a long blob is then scanned once, not once per character.
_LOCAL = r"\w.+%!#$'*^`{|}~-"
_EMAIL = re.compile(rf"(?<![{_LOCAL}])([{_LOCAL}])[{_LOCAL}]*((?:@|%40)[\w-]+(?:\.[\w-]+)+)")
_PHONE = re.compile(r"(?<![\w.-])((?:\+|%2B)\d{2})[\d ().-]{4,14}(\d{2})(?![\w-])")
# Begins with a plain set of characters, by which the engine can skip; the look-behind therefore comes after the first.
_LOCAL_PHONE = re.compile(r"[0-9](?<![\w.+-][0-9])[0-9]{2}(\)[ ]?|[ .-])[0-9]{3}([ .-])[0-9]{2}([0-9]{2})(?![\w-])")


@lru_cache(maxsize=256)
def _needles(secrets: tuple[str, ...]) -> tuple[str, ...]:
    # A secret also travels in a URL (percent-encoded) and within JSON text (escaped).
    forms = {
        form
        for secret in secrets
        if secret
        for form in (secret, quote(secret, safe="", errors="replace"), json.dumps(secret, ensure_ascii=False)[1:-1])
    }
    return tuple(sorted(forms, key=len, reverse=True))


@lru_cache(maxsize=2048)
def _field(key: str, needles: tuple[str, ...]) -> tuple[bool, str]:
    """Tell of a field's name whether it may be shown as it is, and what its value is by the name: secret, phone or "".

    A vendor's field names come again and again; only other texts, which people chose, can be personal.
    """
    is_plain = len(key) < MAX_FIELD_NAME and key.isidentifier() and not any(needle in key for needle in needles)
    kind = "secret" if _SECRET_KEY.search(key) else "phone" if _PHONE_KEY.search(key) else ""
    return is_plain, kind


# Functions, since a template with groups costs ten times as much, also where nothing matches.
def _around_mask(match: re.Match[str]) -> str:
    return f"{match[1]}{MASK}{match[2]}"


def _mask_local_phone(match: re.Match[str]) -> str:
    return f"{MASK}{match[1]}{MASK}{match[2]}{match[3]}"


def _mask_phone(value: str) -> str:
    digits = sum(character.isdigit() for character in value)
    if digits < 7:
        return value
    return f"{value[:3]}{MASK}{value[-2:]}"


class Redactor:
    """Masks given secrets anywhere, values under secret-looking keys, and the middle of e-mails and phone numbers."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._needles = _needles(tuple(secrets))

    def text(self, value: str) -> str:
        """Mask one string."""
        for needle in self._needles:
            value = value.replace(needle, MASK)
        if "@" in value or "%40" in value:
            value = _EMAIL.sub(_around_mask, value)
        if "+" in value or "%2B" in value:
            value = _PHONE.sub(_around_mask, value)
        if len(value) >= 12:
            value = _LOCAL_PHONE.sub(_mask_local_phone, value)
        return value

    def loose(self, value: str) -> str:
        """Mask text whose structure is lost (a query, a form, JSON that was cut): also what follows a secret's name."""
        return _SECRET_PAIR.sub(rf"\1{MASK}", self.text(value))

    def value(self, value: Any, depth: int = 0) -> Any:
        """Mask a JSON-able value, keeping its shape down to ``MAX_DEPTH`` levels; the result is JSON-able."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, (int, float)):
            return value
        if depth >= MAX_DEPTH:
            return MASK
        if isinstance(value, dict):
            masked = {}
            for name, item in value.items():
                key = str(name)
                is_plain, kind = _field(key, self._needles)
                masked[key if is_plain else self.text(key)] = self._item(kind, item, depth)
            return masked
        if isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in value]
        return self.text(str(value))

    def _item(self, kind: str, item: Any, depth: int) -> Any:
        if kind and item:
            if kind == "secret" and not isinstance(item, bool):
                return MASK
            if kind == "phone" and isinstance(item, str | int):
                return _mask_phone(self.text(str(item)))
        return self.value(item, depth + 1)

    def body(self, body: bytes | None) -> Any:
        """Mask a request's or response's body: JSON keeps its shape, other text is masked and cut, empty is None."""
        if not body:
            return None
        if len(body) <= MAX_STORED_CHARS and body[:1] in b"{[":
            try:
                return self.value(orjson.loads(body))
            except orjson.JSONDecodeError:
                pass
        # Masked before it is cut, with a margin that is dropped again: a cut in the middle of a secret or an address
        # would leave its first half readable.
        margin = max(1_000, *map(len, self._needles), 0)
        window = MAX_STORED_CHARS + margin
        text = body[: window * 4].decode(errors="replace")
        masked = self.loose(text[:window])
        if len(text) > window or len(body) > window * 4:
            masked = masked[:-margin]
        elif len(text) <= MAX_STORED_CHARS:
            return masked
        return f"{masked[:MAX_STORED_CHARS]} … ({len(body)} bytes)"
