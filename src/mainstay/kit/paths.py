"""Dotted paths into a payload: ``answers.0.email``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit.spelling import squash


def value_at(payload: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path that :func:`path_in` gave."""
    if path in payload:
        return payload[path]
    value: Any = payload
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def path_in(payload: Mapping[str, Any], path: tuple[str, ...], aliases: Mapping[str, str]) -> str:
    """Return a written path as this payload spells it; empty when it leads nowhere. ``aliases`` are of first keys."""
    value: Any = payload
    steps: list[str] = []
    for number, part in enumerate(path):
        if isinstance(value, list):
            if not (part.isascii() and part.isdigit() and len(part) < 6 and int(part) < len(value)):
                return ""
            step = str(int(part))
            value = value[int(part)]
        elif isinstance(value, dict) or number == 0:
            step = aliases.get(part, part) if number == 0 else part
            if step not in value:
                wanted = squash(part)
                step = next((key for key in value if squash(key) == wanted), "")
            # A key with a dot of its own would make the joined path ambiguous.
            if not step or "." in step:
                return ""
            value = value[step]
        else:
            return ""
        steps.append(step)
    return ".".join(steps)
