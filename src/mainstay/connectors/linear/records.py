"""How an issue of Linear's stands, as a webhook and a query have it alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mainstay.kit import RecordState, TaskState
from mainstay.kit.recording import task_record

DONE = "completed"


def issue_record(told: TaskState, issue: Mapping[str, Any], *, at: datetime | None) -> RecordState | None:
    """Return how an issue stands; ``told`` is what tasks of every tool have."""
    custom = {"state": _written(_object(issue.get("state")), "name"), "number": _written(issue, "identifier")}
    return task_record(told, at=at, project=_written(_object(issue.get("team")), "name"), custom=custom)


def _written(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
