"""A run executed again in memory, from what is recorded of it: by today's code, without a vendor, without a write."""

from __future__ import annotations

import random
import socket
import sys
from bdb import BdbQuit
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from mainstay.engine.context import Context
from mainstay.engine.failure import describe_failure, failure_again
from mainstay.engine.steps import Call, EffectOf, StepRunner
from mainstay.engine.subject import accepted_of, subject_of
from mainstay.errors import MainstayError
from mainstay.kit.http import Http, HttpSettings, Response
from mainstay.model import Attempt, AttemptState, RunState

if TYPE_CHECKING:
    from mainstay.engine.context import Surroundings
    from mainstay.engine.definition import Workflow
    from mainstay.model import Retry
    from mainstay.runs import Claimed

_FINISHED = {AttemptState.OK, AttemptState.FAILED}
_MOST_DIFFERENCES = 5
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """A step as the replay came by it.

    ``line`` is where the workflow asks for it, ``differences`` what it would send otherwise today.
    """

    number: int
    name: str
    connection: str
    line: str
    recorded: Attempt
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a replay ended.

    ``ended`` says in words where; ``divergences`` are what today's code does otherwise than the record, none when it
    does the same as far as the record goes.
    """

    steps: tuple[Seen, ...]
    ended: str
    divergences: tuple[str, ...] = ()


OnStep = Callable[[Seen, FrameType | None], None]
"""Told of each step, with the frame of the workflow that asked for it."""


class _End(BaseException):
    """Unwinds the workflow where the replay ends. Not an Exception: a workflow's own ``except`` must not catch it."""


class Replay(StepRunner):
    """Gives a workflow what its run recorded. ``settings`` are how connections are reached, which nothing is."""

    def __init__(
        self,
        claimed: Claimed,
        *,
        folder: str,
        settings: Callable[[str], HttpSettings | None],
        until: int | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        run = claimed.run
        self._now = run.created_at or datetime.now(UTC)
        super().__init__(
            # Time passes as it did: a deadline that was kept is kept again.
            replace(claimed, run=replace(run, deadline_at=None)),
            record=_refuse,
            open_http=_refuse,
            clock=lambda: self._now,
            rng=random.Random(0),  # noqa: S311 - never drawn from
        )
        self._folder = folder
        self._settings = settings
        self._until = until
        self._on_step = on_step
        self.seen: list[Seen] = []
        self.ended = ""
        self.divergences: list[str] = []

    @property
    def left(self) -> list[Attempt]:
        """The last attempts of the steps that are recorded and were not asked for."""
        return [
            standing[-1]
            for step, attempts in sorted(self._recorded.items())
            if step > self._asked and (standing := [each for each in attempts if not each.is_set_aside])
        ]

    def next_step(self, name: str, *, is_wait: bool = False) -> tuple[int, list[Attempt]]:
        """Return a step's record; ends the replay where there is none, or another."""
        number, recorded, frame = self._come_to(name, is_wait=is_wait)
        self._tell(Seen(number, name, recorded[-1].connection, _line_of(frame), recorded[-1]), frame)
        return number, recorded

    def _come_to(self, name: str, *, is_wait: bool = False) -> tuple[int, list[Attempt], FrameType | None]:
        frame = self._workflow_frame()
        line = _line_of(frame)
        number = self._asked + 1
        if self.ended:
            raise _End
        if self._until is not None and self._until < number:
            self._end(f"stopped behind step {self._until}, as asked")
        recorded = [each for each in self._recorded.get(number, ()) if not each.is_set_aside]
        if not recorded:
            self._end(f"the record ends here; next is step {number}, {name}, at {line}")
        if recorded[0].name != name:
            self.divergences.append(f"step {number} is {name} at {line}; the record has {recorded[0].name}")
            self._end(f"today's code goes another way at step {number}")
        number, recorded = super().next_step(name, is_wait=is_wait)
        last = recorded[-1]
        if last.state not in _FINISHED:
            self._end(f"step {number}, {name}, had not finished: {last.error or last.state}")
        self._now = max(self._now, last.started_at + timedelta(milliseconds=last.duration_ms))
        return number, recorded, frame

    async def step(
        self,
        name: str,
        call: Call,
        *,
        connection: str = "",
        find: Call | None = None,  # noqa: ARG002 - the signature of the base
        retry: Sequence[Retry] = (),  # noqa: ARG002
        prepare: Callable[[int], Awaitable[None]] | None = None,
        effect: EffectOf | None = None,  # noqa: ARG002
    ) -> Any:
        """Give what a step recorded, once it is compared with what it would send today."""
        number, recorded, frame = self._come_to(name)
        last, line = recorded[-1], _line_of(frame)
        differences: list[str] = []
        if last.connection != connection:
            differences.append(f"at {connection or 'no connection'}; the record has {last.connection or 'none'}")
        elif connection:
            if prepare is not None:
                await prepare(number)
            differences = await self._compare(number, last, call, connection)
        self._tell(Seen(number, name, connection, line, last, tuple(differences)), frame)
        self.divergences += [f"step {number}, {name}, at {line}: {each}" for each in differences]
        if last.state is AttemptState.OK:
            return last.result
        raise self.note(failure_again(last), number)

    async def _compare(self, number: int, last: Attempt, call: Call, connection: str) -> list[str]:
        settings = self._settings(connection)
        if settings is None or not any(_is_http(each) for each in last.exchanges):
            return []
        http = _Recorded(settings, last.exchanges, self.key_of(number))
        try:
            await call(http)
        except _End:
            pass
        except Exception as error:  # noqa: BLE001 - what it makes of a masked answer says nothing
            if not http.exchanges:
                return [f"it would send nothing: {describe_failure(error)}"]
        return http.differences

    def _workflow_frame(self) -> FrameType | None:
        """Return the frame of the user's code that asks for a step; None from a task beside the workflow's own."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the interpreter has no other word for it
        while frame is not None and not frame.f_code.co_filename.startswith(self._folder):
            frame = frame.f_back
        return frame

    def _tell(self, seen: Seen, frame: FrameType | None) -> None:
        self.seen.append(seen)
        if self._on_step is not None:
            self._on_step(seen, frame)

    def _end(self, words: str) -> NoReturn:
        self.ended = words
        raise _End


class _Recorded(Http):
    """Answers with what is recorded, and notes where it is asked something else."""

    def __init__(self, settings: HttpSettings, recorded: Sequence[Mapping[str, Any]], key: str) -> None:
        super().__init__(None, settings, idempotency_key=key)  # type: ignore[arg-type] # there is no session to use
        self._recorded = recorded
        self.differences: list[str] = []

    async def _exchange(self, entry: dict[str, Any], method: str, url: str, **options: Any) -> Response:  # noqa: ARG002
        place = len(self.exchanges) - 1
        if place >= len(self._recorded):
            raise _End
        recorded = self._recorded[place]
        # Where the vendor is may have changed; what is asked of it there is what counts.
        today = entry["url"].removeprefix(self.redact(self._settings.base_url.rstrip("/")))
        if entry["method"] != recorded["method"] or not recorded["url"].endswith(today):
            was = f"{recorded['method']} {_path(recorded['url'])}"
            self.differences.append(f"it would call {entry['method']} {today}; the record has {was}")
            raise _End
        self.differences += differences_of(recorded.get("request"), entry.get("request"))
        status = recorded.get("status")
        if not status:
            raise _End
        return Response(status, {}, b"", recorded.get("response"))


def differences_of(recorded: Any, today: Any, at: str = "") -> list[str]:
    """Return in words where two JSON values differ, the first few places."""
    if isinstance(recorded, dict) and isinstance(today, dict):
        found = []
        for name in sorted(recorded.keys() | today.keys()):
            found += differences_of(recorded.get(name), today.get(name), f"{at}.{name}" if at else str(name))
        return found[:_MOST_DIFFERENCES]
    if isinstance(recorded, list) and isinstance(today, list) and len(recorded) == len(today):
        pairs = enumerate(zip(recorded, today, strict=True))
        return [line for place, (one, other) in pairs for line in differences_of(one, other, f"{at}[{place}]")]
    return (
        [] if recorded == today else [f"{at or 'the body'} would be {_short(today)}; the record has {_short(recorded)}"]
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


async def replay(
    declared: Workflow,
    claimed: Claimed,
    surroundings: Surroundings,
    *,
    state: str,
    error: str = "",
    settings: Callable[[str], HttpSettings | None],
    until: int | None = None,
    on_step: OnStep | None = None,
) -> Outcome:
    """Execute a run again by today's code, from its record. ``state`` and ``error`` are how it stands.

    No step's work is done: what a step recorded is its result, and where the record ends the replay does. While it
    lasts this process can open no connection.
    """
    folder = str(Path(declared.file).parent)
    steps = Replay(claimed, folder=folder, settings=settings, until=until, on_step=on_step)
    subject, given = subject_of(claimed.run.input)
    accepted = accepted_of(declared.function)
    taken = {name: value for name, value in given.items() if accepted is None or name in accepted}
    context = Context(steps, surroundings, retry=(declared.retry,) if declared.retry else ())
    failed = ""
    with no_network():
        try:
            await declared.function(context, subject, **taken)
        except BdbQuit:
            steps.ended = "left by way of the debugger"
        except BaseException as raised:
            if not steps.ended and not isinstance(raised, Exception | BaseExceptionGroup):
                raise
            failed = "" if steps.ended else describe_failure(_first(raised))
    if steps.ended:
        if state in {RunState.DONE, RunState.FAILED} and steps.ended.startswith("the record ends"):
            steps.divergences.append(f"today's code goes on, where the run {_how(state, error)}: {steps.ended}")
        return Outcome(tuple(steps.seen), steps.ended, tuple(steps.divergences))
    for each in steps.left:
        steps.divergences.append(f"today's code ends without step {each.step}, {each.name}, which the record has")
    ended = f"it fails: {failed}" if failed else "it ends well"
    if state == RunState.DONE and failed:
        steps.divergences.append(f"today's code fails, where the run ended well: {failed}")
    if state == RunState.FAILED and not failed:
        steps.divergences.append(f"today's code ends well, where the run {_how(state, error)}")
    return Outcome(tuple(steps.seen), ended, tuple(steps.divergences))


def _how(state: str, error: str) -> str:
    return f"failed: {error}" if state == RunState.FAILED else "ended well"


def _first(raised: BaseException) -> Exception:
    while isinstance(raised, BaseExceptionGroup):
        raised = raised.exceptions[0]
    return raised if isinstance(raised, Exception) else RuntimeError(repr(raised))


class NoNetworkError(MainstayError):
    """Code that is replayed tried to open a connection."""


@contextmanager
def no_network() -> Iterator[None]:
    """Let this process open no connection, whoever tries."""

    def refuse(*_: Any) -> NoReturn:
        raise NoNetworkError("a replay opens no connection: work of your own belongs into ctx.step")

    before = {name: socket.socket.__dict__.get(name) for name in ("connect", "connect_ex")}
    for name in before:
        setattr(socket.socket, name, refuse)
    try:
        yield
    finally:
        for name, method in before.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)


def _refuse(*_: Any) -> Any:
    raise AssertionError("a replay records nothing and calls nobody")


def _is_http(exchange: Mapping[str, Any]) -> bool:
    return str(exchange.get("url", "")).startswith(("http://", "https://"))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _line_of(frame: FrameType | None) -> str:
    if frame is None:
        return "its code"
    return f"{frame.f_code.co_filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.f_lineno}"
