"""What schemathesis is told beside the description: lines of JSON, and the ids of things that there are."""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis

LINES = "application/x-ndjson"
KNOWN: dict[str, str] = json.loads(os.environ.get("MAINSTAY_KNOWN_IDS", "{}"))


@schemathesis.serializer(LINES)
def to_lines(_context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.deserializer(LINES)
def first_line(_context: Any, response: Any) -> Any:
    """The description is of one line."""
    return json.loads(response.content.splitlines()[0])


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Every second id that could be one is that of a thing that there is."""
    return {
        name: KNOWN.get(name, value) if str(value)[-1:] in "02468ace" else value
        for name, value in (path_parameters or {}).items()
    }
