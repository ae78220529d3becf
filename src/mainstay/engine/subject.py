"""What a workflow's function is called with: a contact, a tick of its schedule, or a value; and values by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import orjson

from mainstay.engine.schedule import Tick
from mainstay.errors import WorkflowError
from mainstay.model import Contact


def input_of(subject: Any, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], UUID | None]:
    """Return a run's input, and the contact it is about.

    Raises:
        WorkflowError: something of it cannot be kept as JSON.
    """
    given: dict[str, Any] = {"contact": subject.to_json()} if isinstance(subject, Contact) else {"subject": subject}
    if arguments:
        given["input"] = dict(arguments)
    try:
        kept: dict[str, Any] = orjson.loads(orjson.dumps(given))
    except TypeError as error:
        message = f"a run takes a contact and values that JSON can hold: {error}"
        raise WorkflowError(message) from None
    return kept, subject.id if isinstance(subject, Contact) else None


def subject_of(run_input: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Return what a run's function gets: its subject, and named values."""
    arguments: Mapping[str, Any] = run_input.get("input") or {}
    if "contact" in run_input:
        return Contact.from_json(run_input["contact"]), arguments
    if "tick" in run_input:
        return Tick.from_json(run_input["tick"]), arguments
    return run_input.get("subject"), arguments


def accepted_of(function: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names that a workflow's function takes beside its Context and subject; None where it takes any."""
    named = list(inspect.signature(function).parameters.values())[2:]
    if any(each.kind is each.VAR_KEYWORD for each in named):
        return None
    return frozenset(each.name for each in named if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY})
