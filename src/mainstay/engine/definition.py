"""``@workflow``: declares now, binds later, and refuses names that could not be told apart after a restart."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from mainstay.engine.schedule import Schedule
from mainstay.errors import ConfigError, Problem

Function = Callable[..., Awaitable[Any]]
Declared = TypeVar("Declared", bound=Function)

_NAME = re.compile(r"[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
_EVENTS = ("contact.created", "contact.updated", "contact.submitted")
_OWN_NAMES = ("inbound", "push", "alert", "question")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A declared workflow.

    Attributes:
        name: versioned, ``speed_to_lead.v1``: a breaking edit needs a new version.
        on: the event type that starts it; empty for one that a schedule, another workflow or the API starts.
        function: the coroutine function over a Context and the contact concerned, or the tick of its schedule.
        critical: its failures alert at once.
        file: where it was declared, for messages.
        line: its line there.
    """

    name: str
    on: str
    function: Function
    critical: bool = False
    file: str = ""
    line: int = 0
    schedule: Schedule | None = None


def workflow(
    name: str, *, on: str | None = None, schedule: Schedule | str | None = None, critical: bool = False
) -> Callable[[Declared], Declared]:
    """Declare a workflow: ``@workflow("speed_to_lead.v1", on="contact.created")``.

    The function gets a :class:`Context` and the contact; every role call in it is a durable step. With ``schedule``, a
    :class:`Schedule` or a cron expression, it gets the :class:`Tick` instead. With neither, other workflows run it.
    """
    by_clock = Schedule(schedule) if isinstance(schedule, str) else schedule

    def declare(function: Declared) -> Declared:
        code = inspect.unwrap(function).__code__
        problems = _problems(name, on, by_clock, function, f"{code.co_filename}:{code.co_firstlineno}")
        if problems:
            raise ConfigError(*problems)
        function.__mainstay_workflow__ = Workflow(  # type: ignore[attr-defined]
            name, on or "", function, critical, code.co_filename, code.co_firstlineno, by_clock
        )
        return function

    return declare


def _problems(name: str, on: str | None, schedule: Schedule | None, function: Any, where: str) -> list[Problem]:
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
    if on is not None and schedule is not None:
        problems.append(
            Problem(
                where,
                f'@workflow("{name}")',
                "it is started by an event or by the clock, not by both: it would get a contact or a tick",
                "make two workflows; what they share can be a third, which both run: await ctx.run(...)",
            )
        )
    if schedule is not None and (said := schedule.problem())[0]:
        problems.append(Problem(where, f'@workflow("{name}", schedule=...)', *said))
    if on is None:
        pass
    elif not _EVENT.fullmatch(on):
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
