"""Values of properties as texts, and texts as values: what Notion's types of properties can hold.

Source: developers.notion.com: page property values, request limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit import PermanentError
from mainstay.kit.roles import Value, cell_text

# Notion takes 2,000 characters a part; whether it counts an emoji as two is not documented.
_LONGEST_PART, _MOST_PARTS = 1000, 100
_PLAIN = {"email": 200, "phone_number": 200, "url": 2000}
RICH = frozenset({"title", "rich_text"})
WRITABLE = RICH | _PLAIN.keys() | {"number"}


def rich(text: str) -> list[dict[str, Any]]:
    """Return rich text in parts that Notion takes."""
    if len(text) > _LONGEST_PART * _MOST_PARTS:
        most = _LONGEST_PART * _MOST_PARTS
        raise PermanentError(f"a text of {len(text)} characters: Notion takes {most} of them at most")
    parts = [text[start : start + _LONGEST_PART] for start in range(0, len(text), _LONGEST_PART)]
    return [{"type": "text", "text": {"content": part}} for part in parts]


def plain_text(parts: Any) -> str:
    """Return the text of rich text."""
    found = [each for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    return "".join(str(each.get("plain_text") or "") for each in found)


def write(kind: str, column: str, value: Value) -> dict[str, Any]:
    """Return a value as a property of this type takes it; of a type that is not one of ``WRITABLE`` it is none.

    Raises:
        PermanentError: it does not fit, and the text says what to do.
    """
    text = cell_text(value)
    if kind in RICH:
        return {kind: rich(text)}
    if kind == "number":
        return {kind: _number(text, column)}
    if len(text) > _PLAIN[kind]:
        raise PermanentError(f"a value of {column!r} has {len(text)} characters: Notion's {kind} takes {_PLAIN[kind]}")
    return {kind: text or None}


def read(value: Mapping[str, Any]) -> str:
    """Return what a page shows in a property, as text; "" for what has none."""
    kind = str(value.get("type"))
    held = value.get(kind)
    if kind in RICH:
        return plain_text(held)
    if kind == "formula" and isinstance(held, dict):
        return read(held) if held.get("type") != "formula" else ""
    if kind == "date" and isinstance(held, dict):
        return " - ".join(str(held[end]) for end in ("start", "end") if held.get(end))
    if isinstance(held, dict):
        return _name(held)
    if isinstance(held, list):
        return ", ".join(filter(None, (_name(each) for each in held if isinstance(each, dict))))
    return cell_text(held)


def _name(held: Mapping[str, Any]) -> str:
    found = held.get("name")
    return found if isinstance(found, str) else ""


def _number(text: str, column: str) -> int | float | None:
    if not text:
        return None
    try:
        number: int | float = int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        number = 0
    # What Notion would show otherwise ("007") would be written again and again.
    if cell_text(number) != text:
        raise PermanentError(
            f"{text[:60]!r} is no number that Notion would give back so, and {column!r} is one there: make it a Text"
        )
    return number
