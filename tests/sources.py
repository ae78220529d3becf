"""What every source's tests share: its fixtures, requests made of them, and the vendors' signature vectors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mainstay.model import Event, RawRequest, RecordState, Submission

RECEIVED = datetime(2026, 3, 2, 10, 5, tzinfo=UTC)
_VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vendors" / "signature_vectors.json"


def request(
    body: Any,
    headers: Mapping[str, str] | None = None,
    *,
    query: str = "",
    method: str = "POST",
    received_at: datetime = RECEIVED,
) -> RawRequest:
    """Make a request: text and bytes go as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lower = {"content-type": "application/json"} | {name.lower(): value for name, value in (headers or {}).items()}
    url = "https://mainstay.example/in/acme/source" + (f"?{query}" if query else "")
    return RawRequest(method, url, lower, content, received_at)


def names(folder: Path) -> list[str]:
    """Names of the fixtures in a folder."""
    found = sorted(path.stem for path in folder.glob("*.json") if not path.name.endswith(".expected.json"))
    assert found, f"no fixtures in {folder}"
    return found


def load(folder: Path, name: str) -> tuple[RawRequest, dict[str, Any], dict[str, Any]]:
    """Return a fixture's request, the settings it wants, and what is expected of it."""
    fixture = json.loads((folder / f"{name}.json").read_text("utf-8"))
    expected = json.loads((folder / f"{name}.expected.json").read_text("utf-8"))
    made = request(fixture["body"], fixture["headers"], query=fixture["query"], method=fixture.get("method", "POST"))
    return made, fixture.get("settings", {}), expected


def plain(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as a fixture writes them: JSON, without what is empty."""
    return [json.loads(json.dumps(_shown(event))) for event in events]


def _shown(value: Event | RecordState | Submission) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if isinstance(content, RecordState | Submission):
            content = _shown(content)
        elif isinstance(content, datetime):
            content = content.isoformat()
        elif isinstance(content, Mapping):
            content = dict(content)
        if content:
            shown[field.name] = content
    return shown


def vector(identifier: str) -> dict[str, Any]:
    """Return a published signature vector; skip the calling test where they are missing, fail it with ``CI=true``."""
    if not _VECTORS.is_file():
        reason = f"the vendors' signature vectors are not at {_VECTORS}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI never skips them, and {reason}", pytrace=False)
        pytest.skip(reason)
    vectors = json.loads(_VECTORS.read_text("utf-8"))["vectors"]
    found: dict[str, Any] = next(one for one in vectors if one["id"] == identifier)
    return found


def changed(body: str) -> str:
    """The same body with one byte changed."""
    middle = len(body) // 2
    return body[:middle] + ("x" if body[middle] != "x" else "y") + body[middle + 1 :]
