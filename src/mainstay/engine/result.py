"""What a workflow returns, as it is kept. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import orjson

from mainstay.errors import WorkflowError

MOST_BYTES = 64_000
_DEEPEST = 50


def result_of(workflow: str, returned: Any) -> Any:
    """Return a workflow's result as JSON has it; dataclasses, ids, dates and enums become what JSON has for them.

    Raises:
        WorkflowError: it is nothing that JSON has, or too large; the message says where in it.
    """
    if returned is None:
        return None
    found = _fault(returned, "the result", 0)
    try:
        text = b"" if found else orjson.dumps(returned)
    except (TypeError, ValueError, RecursionError) as error:
        found = f"the result cannot be kept: {error}"
        text = b""
    if len(text) > MOST_BYTES:
        found = f"the result is {len(text):,} bytes long, and at most {MOST_BYTES:,} are kept"
    if found:
        message = (
            f'"{workflow}" returned what is no JSON: {found}. Return texts, numbers, true, false, None, and lists or '
            "dicts of them; after the mend, retry: finished steps are not repeated"
        )
        raise WorkflowError(message)
    return orjson.loads(text)


def _fault(value: Any, where: str, depth: int) -> str:
    """Say what in a value JSON does not have; empty where nothing is."""
    if depth > _DEEPEST:
        return f"{where} is nested too deeply, or holds itself"
    inner: Iterator[str] = iter(())
    strange = ""
    match value:
        case str():
            return f"{where} holds the character NUL" if "\0" in value else ""
        case float():
            return "" if math.isfinite(value) else f"{where} is {value}"
        case Mapping():
            odd = [key for key in value if type(key) is not str]
            strange = f"{where} has the key {odd[0]!r}, which is no text" if odd else ""
            inner = (_fault(key, f"a key of {where}", depth + 1) for key in value)
            further = (_fault(each, f"{where}.{key}", depth + 1) for key, each in value.items())
        case list() | tuple():
            further = (_fault(each, f"{where}[{place}]", depth + 1) for place, each in enumerate(value))
        case _:
            return _fault_of_one(value, where)
    return strange or next(filter(None, chain(inner, further)), "")


def _fault_of_one(value: Any, where: str) -> str:
    try:
        plain = orjson.loads(orjson.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return f"{where} is a {type(value).__name__}"
    return _fault(plain, where, _DEEPEST // 2) if isinstance(plain, dict | list | str) else ""
