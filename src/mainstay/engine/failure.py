"""A failure as the ledger keeps it, and back."""

from __future__ import annotations

import traceback

from mainstay.errors import (
    ChildFailedError,
    FencedError,
    NeedsHumanError,
    PermanentError,
    TransientError,
    UnsureError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt

WORKFLOW = "workflow"
"""The fate of what failed in a workflow's own code."""

CHILD = "child"
"""The fate of a step whose runs did not end well."""

DEADLINE = "deadline"
"""The fate of a run that has not ended by its deadline."""

_ERRORS: dict[str, type[VendorError]] = {
    "transient": TransientError,
    "unsure": TransientError,
    "permanent": PermanentError,
    "human": NeedsHumanError,
    "asked": UnsureError,
}


def failure_again(failed: Attempt) -> VendorError | WorkflowError:
    """Return the error that a recorded failure raised."""
    if failed.fate == CHILD:
        return ChildFailedError(failed.error, tuple(failed.result or ()))
    if failed.fate == WORKFLOW:
        return WorkflowError(failed.error)
    return _ERRORS.get(failed.fate, PermanentError)(failed.error, status=failed.status)


def describe_failure(error: Exception) -> str:
    """Say in one line what a workflow's own code raised, and at which of its lines."""
    if isinstance(error, (VendorError, WorkflowError, FencedError)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/mainstay/" not in frame.filename]
    place = "".join(f" at {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in (own or frames)[-1:])
    return f"{type(error).__name__}: {error}{place}"
