"""``@workflow``: declares now, binds later, and refuses names that could not be told apart after a restart."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mainstay.engine.schedule import Schedule
from mainstay.engine.turns import Turns, read_turns
from mainstay.errors import ConfigError, Problem
from mainstay.model.duration import read_duration

if TYPE_CHECKING:
    from mainstay.engine.turns import Key
    from mainstay.model import Retry

Function = Callable[..., Awaitable[Any]]
Declared = TypeVar("Declared", bound=Function)
Mode = Literal["async", "sync"]

_NAME = re.compile(r"[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
_EVENTS = ("contact.created", "contact.updated", "contact.submitted")
_OWN_NAMES = ("inbound", "push", "alert", "question", "bulk_retry")
LONGEST_ANSWER = timedelta(seconds=30)
"""The longest that a caller of a sync workflow is kept waiting: past it, proxies and senders give up."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A declared workflow.

    Attributes:
        name: versioned, ``speed_to_lead.v1``: a breaking edit needs a new version.
        on: the event type that starts it; empty for one that a schedule, another workflow or the API starts.
        function: the coroutine function over a Context and the contact concerned, or the tick of its schedule.
        critical: its failures alert at once.
        retry: how its calls are tried again, where it says so.
        file: where it was declared, for messages.
        line: its line there.
        turns: how its runs take turns.
        mode: ``sync`` where a caller waits for what it returns.
        answer_within: how long that caller waits at the most.
    """

    name: str
    on: str | None
    function: Function
    critical: bool = False
    retry: Retry | None = None
    file: str = ""
    line: int = 0
    turns: Turns = field(default_factory=Turns)
    mode: Mode = "async"
    answer_within: timedelta = timedelta(seconds=2)
    schedule: Schedule | None = None

    @property
    def is_sync(self) -> bool:
        """Tell whether a caller waits for its result."""
        return self.mode == "sync"


def workflow(  # noqa: PLR0913 - all that a workflow may say of itself
    name: str,
    *,
    on: str | None = None,
    schedule: Schedule | str | None = None,
    critical: bool = False,
    mode: Mode = "async",
    answer_within: str | float | timedelta = "2s",
    overlap: Literal["queue", "skip", "replace", "allow"] = "queue",
    key: Literal["contact"] | Key | None = "contact",
    debounce: str | None = None,
    deadline: str | None = None,
    retry: Retry | None = None,
) -> Callable[[Declared], Declared]:
    """Declare a workflow: ``@workflow("speed_to_lead.v1", on="contact.created")``.

    The function gets a :class:`Context` and the contact; every role call in it is a durable step. With ``schedule`` it
    gets the :class:`Tick` instead; an event about nobody (a task that was completed) gives None. With neither ``on``
    nor ``schedule`` other workflows and the API start it. What it returns, JSON-able, is kept as the run's result.

    Args:
        name: versioned; a breaking edit needs a new version.
        on: the event type that starts it; ``ctx.event`` has what the event says.
        schedule: when it runs by the clock, a :class:`Schedule` or a cron expression.
        critical: its failures alert at once.
        mode: with ``sync`` its caller is answered with the result: at the most three steps and no external system.
        answer_within: how long that caller waits; past it the run goes on from the queue.
        overlap: what becomes of a run while an earlier one of its ``key`` has not ended: it waits (``queue``), is not
            begun (``skip``), takes the earlier one's place (``replace``), or runs beside it (``allow``).
        key: ``contact``, None for one run of the workflow at a time, or a function of (contact, the event's data); of
            a schedule there is one run at a time.
        debounce: ``"5m"``: a run begins once there was no further event of its key for so long, with the last one.
        deadline: ``"1h"``: a run that has not ended by then fails.
        retry: how its calls are tried again, where that is not what stack.toml says.
    """
    by_clock = Schedule(schedule) if isinstance(schedule, str) else schedule

    def declare(function: Declared) -> Declared:
        code = inspect.unwrap(function).__code__
        where = f"{code.co_filename}:{code.co_firstlineno}"
        turns, wrong = read_turns(overlap, key, debounce, deadline, where)
        limit, unclear = _read_mode(mode, answer_within, debounce, where)
        problems = [*_problems(name, on, by_clock, function, where), *wrong, *unclear]
        if problems:
            raise ConfigError(*problems)
        function.__mainstay_workflow__ = Workflow(  # type: ignore[attr-defined]
            name,
            on or "",
            function,
            critical,
            retry,
            code.co_filename,
            code.co_firstlineno,
            turns,
            mode,
            limit,
            by_clock,
        )
        return function

    return declare


def _read_mode(
    mode: str, answer_within: str | float | timedelta, debounce: str | None, where: str
) -> tuple[timedelta, list[Problem]]:
    """Return how long a caller waits, and what is wrong with how that is said."""
    problems = []
    if mode not in {"async", "sync"}:
        hint = 'write mode="sync", or leave it out: a workflow is async'
        problems.append(Problem(where, f"@workflow(..., mode={mode!r})", "there is no such mode", hint))
    try:
        limit = read_duration(answer_within) if isinstance(answer_within, str) else answer_within
        limit = limit if isinstance(limit, timedelta) else timedelta(seconds=limit)
    except (ValueError, TypeError, OverflowError):
        limit = timedelta()
    if mode == "sync" and debounce is not None:
        key = '@workflow(..., mode="sync", debounce=...)'
        problems.append(Problem(where, key, "a caller cannot wait for a quiet moment", "leave out one of the two"))
    if not timedelta(seconds=0.1) <= limit <= LONGEST_ANSWER:
        message = f"a caller waits from a tenth of a second to {LONGEST_ANSWER.seconds} seconds"
        key = f"@workflow(..., answer_within={answer_within!r})"
        problems.append(Problem(where, key, message, 'for example answer_within="2s"'))
    return limit, problems


def _problems(name: str, on: str | None, schedule: Schedule | None, function: Any, where: str) -> list[Problem]:
    problems = []
    if not _NAME.fullmatch(name):
        problems.append(
            Problem(
                where,
                f'@workflow("{name}")',
                "a workflow's name is lower case with a version at its end",
                f'for example "{re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "my_workflow"}.v1"',
                "RUN004",
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
