"""Duplicate rules of an org: whether a write that one has stopped may be saved all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.salesforce.errors import problems
from mainstay.kit import Response

SAVE_ANYWAY = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}


def may_be_saved(response: Response) -> bool:
    """Tell whether a duplicate rule warned of the write; False where it blocks, or it is about something else."""
    found = [each for each in problems(response) if each["errorCode"] == "DUPLICATES_DETECTED"]
    return bool(found) and all(_result(each).get("allowSave") is not False for each in found)


def _result(problem: Mapping[str, Any]) -> Mapping[str, Any]:
    # The vendor's own answers spell it "duplicateResut".
    value = problem.get("duplicateResut", problem.get("duplicateResult"))
    return value if isinstance(value, dict) else {}
