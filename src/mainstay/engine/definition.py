"""``@workflow``: declares now, binds later, and refuses names that could not be told apart after a restart."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from mainstay.engine.turns import Turns, read_turns
from mainstay.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mainstay.engine.context import Context
    from mainstay.engine.turns import Key
    from mainstay.model import Contact, Retry

Function = Callable[["Context", "Contact"], Awaitable[None]]

_NAME = re.compile(r"[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
_EVENTS = ("contact.created", "contact.updated", "contact.submitted")
_OWN_NAMES = ("inbound", "push", "alert", "bulk_retry")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A declared workflow.

    Attributes:
        name: versioned, ``speed_to_lead.v1``: a breaking edit needs a new version.
        on: the event type that starts it.
        function: the coroutine function over a Context and the contact concerned.
        critical: its failures alert at once.
        retry: how its calls are tried again, where it says so.
        file: where it was declared, for messages.
        line: its line there.
        turns: how its runs take turns.
    """

    name: str
    on: str
    function: Function
    critical: bool = False
    retry: Retry | None = None
    file: str = ""
    line: int = 0
    turns: Turns = field(default_factory=Turns)


def workflow(
    name: str,
    *,
    on: str,
    critical: bool = False,
    overlap: Literal["queue", "skip", "replace", "allow"] = "queue",
    key: Literal["contact"] | Key | None = "contact",
    debounce: str | None = None,
    deadline: str | None = None,
    retry: Retry | None = None,
) -> Callable[[Function], Function]:
    """Declare a workflow: ``@workflow("speed_to_lead.v1", on="contact.created")``.

    The function gets a :class:`Context` and the contact; every role call in it is a durable step.

    Args:
        name: versioned; a breaking edit needs a new version.
        on: the event type that starts it.
        critical: its failures alert at once.
        overlap: what becomes of a run while an earlier one of its ``key`` has not ended: it waits (``queue``), is not
            begun (``skip``), takes the earlier one's place (``replace``), or runs beside it (``allow``).
        key: ``contact``, None for one run of the workflow at a time, or a function of (contact, the event's data).
        debounce: ``"5m"``: a run begins once there was no further event of its key for so long, with the last one.
        deadline: ``"1h"``: a run that has not ended by then fails.
        retry: how its calls are tried again, where that is not what stack.toml says.
    """

    def declare(function: Function) -> Function:
        code = inspect.unwrap(function).__code__
        where = f"{code.co_filename}:{code.co_firstlineno}"
        turns, wrong = read_turns(overlap, key, debounce, deadline, where)
        problems = [*_problems(name, on, function, where), *wrong]
        if problems:
            raise ConfigError(*problems)
        function.__mainstay_workflow__ = Workflow(  # type: ignore[attr-defined]
            name, on, function, critical, retry, code.co_filename, code.co_firstlineno, turns
        )
        return function

    return declare


def _problems(name: str, on: str, function: Any, where: str) -> list[Problem]:
    problems = []
    if not _NAME.fullmatch(name):
        problems.append(
            Problem(
                where,
                f'@workflow("{name}")',
                "a workflow's name is lower case with a version at its end",
                f'for example "{re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "my_workflow"}.v1"',
            )
        )
    elif name.partition(".")[0] in _OWN_NAMES:
        problems.append(Problem(where, f'@workflow("{name}")', "this name is Mainstay's own", "choose another name"))
    if not _EVENT.fullmatch(on):
        problems.append(
            Problem(where, f'@workflow(..., on="{on}")', "an event type is noun.verb", 'for example "contact.created"')
        )
    elif on not in _EVENTS and (near := get_close_matches(on, _EVENTS, 1, 0.85)):
        # Sources may bring events of their own, so only what is nearly one of these is taken for a slip.
        problems.append(
            Problem(where, f'@workflow(..., on="{on}")', "nothing gives this event", f'Did you mean "{near[0]}"?')
        )
    if not inspect.iscoroutinefunction(function):
        problems.append(Problem(where, f'@workflow("{name}")', "a workflow is an async function", "write: async def"))
    return problems


def declared_in(module: object) -> list[Workflow]:
    """Return the workflows that a module declares, in order of their lines."""
    found = {
        id(declared): declared
        for value in vars(module).values()
        if isinstance(declared := getattr(value, "__mainstay_workflow__", None), Workflow)
    }
    return sorted(found.values(), key=lambda declared: declared.line)
