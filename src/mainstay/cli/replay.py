"""``mainstay replay``: a run executed again on this machine, from its record, by the code in this folder."""

from __future__ import annotations

import asyncio
import inspect
import pdb  # noqa: T100 - the debugger that --break opens
import sys
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.reading import Reading, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from mainstay.cli.command import Options
    from mainstay.engine import Workflow
    from mainstay.engine.context import RoleBinding
    from mainstay.engine.replaying import Outcome, Seen
    from mainstay.insight import RunDetail
    from mainstay.kit import HttpSettings
    from mainstay.model import Run
    from mainstay.runs import Claimed
    from mainstay.settings.hours import Hours
    from mainstay.settings.stack import Stack


def replay(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's short or whole id.")],
    local: Annotated[bool, typer.Option("--local", help="Here: no vendor is called, nothing is written.")] = False,
    until: Annotated[int | None, typer.Option(min=1, metavar="STEP", help="Stop behind this step.")] = None,
    is_break: Annotated[
        bool, typer.Option("--break", help="Open the debugger (pdb): at the workflow's first line, or behind --until.")
    ] = False,
) -> None:
    """Execute a run again by the code in this folder, from what it recorded, and say what it would do otherwise.

    Each step gives what it gave then. No vendor is called, nothing is written, and while it lasts this process can open
    no connection: so it is safe on the live database. Ends with 1 when today's code does otherwise than the record.

    Examples:
        mainstay replay 7f3a91c2 --local
        mainstay replay 7f3a91c2 --local --until 3 --break
    """
    options = options_of(ctx)
    if not local:
        raise CommandError(
            "say --local: it is executed here, from its record",
            "To have it really done again: mainstay runs retry ID --from-start",
        )
    detail, claimed, slug = read(options, lambda reading: _load(reading, run))
    stack, declared = _code(options, slug, detail.run.workflow)
    teller = _Teller(quiet=options.as_json, until=until, is_break=is_break)
    outcome = _execute(declared, _Local(stack, detail, declared), detail, claimed, teller)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"run": detail.run.id, "steps": outcome.steps, "ended": outcome.ended, "divergences": outcome.divergences})
    else:
        _tell(detail, outcome)
    if outcome.divergences:
        raise typer.Exit(BROKEN)


async def _load(reading: Reading, text: str) -> tuple[RunDetail, Claimed, str]:
    from mainstay.insight import run_detail
    from mainstay.runs import recorded_run

    await reading.connection.execute("SET default_transaction_read_only = on")
    run_id = await reading.find("runs", "run", text)
    detail = await run_detail(reading.connection, reading.workspace_id, run_id)
    claimed = await recorded_run(reading.connection, reading.workspace_id, run_id)
    if detail is None or claimed is None:
        raise MissingError(f'there is no run "{text}"')
    if not claimed.run.input:
        raise CommandError("what this run was given is gone: its contact was deleted")
    return detail, claimed, reading.slug


def _code(options: Options, slug: str, name: str) -> tuple[Stack, Workflow]:
    """Return the stack of a workspace, and the workflow as today's code declares it."""
    from mainstay.cli.command import stack_files
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack
    from mainstay.settings.workflows import load_workflows

    for file in stack_files(options.stacks):
        path = file.resolve()
        stack = load_stack(path, Environment.load(path.parent))
        if stack.slug == slug:
            declared = {each.name: each for each in load_workflows(path.parent)}
            if name in declared:
                return stack, declared[name]
            known = ", ".join(declared) or "none"
            raise CommandError(
                f'no file declares "{name}"', f"Declared: {known}. Mainstay's own runs cannot be replayed."
            )
    raise MissingError(f'no stack here has the workspace "{slug}"')


@dataclass(frozen=True, slots=True)
class _Local:
    """What surrounds a run that is executed here: the stack's declarations, and nothing that acts."""

    stack: Stack
    detail: RunDetail
    declared: Workflow

    def role(self, workspace_id: UUID, role: str, run: Run | None = None) -> RoleBinding:  # noqa: ARG002 - of one alone
        """Return today's binding of a role."""
        from mainstay.engine.context import RoleBinding
        from mainstay.errors import WorkflowError

        connection = self.stack.roles.get(role)
        if connection is None:
            raise WorkflowError(f'no connection has the role {role}: add  {role} = "NAME"  to [roles] in stack.toml')
        entry = self.stack.connections[connection]
        return RoleBinding(role, connection, lambda http: entry.connector.roles[role](entry.settings, http, None))

    def settings(self, connection: str) -> HttpSettings | None:
        """Return how a connection would be reached over HTTP; None where it is not."""
        entry = self.stack.connections.get(connection)
        if entry is None or entry.connector.is_builtin or entry.connector.http is None:
            return None
        return entry.connector.http(entry.settings)

    async def external_id(self, steps: Any, contact_id: UUID, connection: str, *, step: int, name: str) -> str:  # noqa: ARG002
        """Return the contact's id in a system, as it is known."""
        return next((each.external_id or "" for each in self.detail.counterparts if each.connection == connection), "")

    def hours(self, workspace_id: UUID) -> Hours | None:  # noqa: ARG002
        """Return the business hours."""
        return self.stack.hours

    def timezone(self, workspace_id: UUID) -> ZoneInfo:  # noqa: ARG002
        """Return the zone of the workspace's clock."""
        return self.stack.timezone

    def workflows(self, workspace_id: UUID) -> Mapping[str, Workflow]:  # noqa: ARG002
        """Return the workflow that is replayed; children are not begun."""
        return {self.declared.name: self.declared}

    @property
    def approvals(self) -> NoReturn:
        """Nobody is asked."""
        raise CommandError("a replay asks nobody")

    @property
    def book(self) -> NoReturn:
        """Nothing is written."""
        raise CommandError("a replay writes nothing")


def _execute(declared: Workflow, surroundings: _Local, detail: RunDetail, claimed: Claimed, teller: _Teller) -> Outcome:
    from mainstay.engine.replaying import replay as execute

    async def work() -> Outcome:
        return await execute(
            declared,
            claimed,
            surroundings,
            state=detail.run.state,
            error=detail.run.error,
            settings=surroundings.settings,
            until=teller.until,
            on_step=teller,
        )

    if not teller.is_break:
        return asyncio.run(work())
    teller.debugger = pdb.Pdb(skip=["mainstay.*", "asyncio.*", "contextlib", "selectors"])
    if teller.until is None:
        sys.settrace(_opening(teller.debugger, inspect.unwrap(declared.function).__code__))
    try:
        return asyncio.run(work())
    finally:
        sys.settrace(None)


def _opening(debugger: pdb.Pdb, code: CodeType) -> Callable[[FrameType, str, Any], Any]:
    """Return what opens the debugger as soon as a function is entered."""

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call" and frame.f_code is code:
            debugger.set_trace(frame)
            return frame.f_trace
        return None

    return trace


class _Teller:
    """Prints each step as it is come by, and opens the debugger where it was asked for."""

    def __init__(self, *, quiet: bool, until: int | None, is_break: bool) -> None:
        self._quiet = quiet
        self.until = until
        self.is_break = is_break
        self.debugger: pdb.Pdb | None = None

    def __call__(self, seen: Seen, frame: FrameType | None) -> None:
        """Tell of one step."""
        if not self._quiet:
            _show_step(seen)
        if self.debugger is not None and seen.number == self.until and frame is not None:
            self.debugger.set_trace(frame)


def _show_step(seen: Seen) -> None:
    from mainstay.cli.output import clock, lasted, say, state, text

    at = f" at {seen.connection}" if seen.connection else ""
    recorded = seen.recorded
    said = recorded.error or ("" if recorded.result is None else str(recorded.result))
    say(
        text(
            (f"{seen.number:>3} ", "dim"),
            (seen.name, "bold"),
            f"{at} · ",
            state(str(recorded.state)),
            (f" · {seen.line} · {clock(recorded.started_at)} · {lasted(recorded.duration_ms)}", "dim"),
        )
    )
    if said:
        say(text((said[:300], "red" if recorded.error else "dim")), indent=4)
    for each in seen.differences:
        say(text((f"≠ {each}", "yellow")), indent=4)


def _tell(detail: RunDetail, outcome: Outcome) -> None:
    from mainstay.cli.output import number, say, text

    say()
    say(text((f"{detail.run.workflow}: ", "bold"), outcome.ended))
    if not outcome.divergences:
        say(text((f"✓ today's code does what the record says, over {number(len(outcome.steps), 'step')}", "green")))
        return
    for each in outcome.divergences:
        say(text((f"✗ {each}", "red")))
    say(
        text(
            ("A run that has begun goes on with the workflow it began with: give the edited one a new version.", "dim")
        )
    )
