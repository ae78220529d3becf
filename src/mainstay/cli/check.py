"""``mainstay check``: everything that a start would refuse or warn of, without starting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN, FINE, USAGE, MissingError
from mainstay.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow
    from mainstay.engine.policy import Analysis


@dataclass(slots=True)
class _Checked:
    """One stack: what is wrong, and what its workflows do."""

    file: Path
    problems: list[Problem] = field(default_factory=list)
    workflows: list[tuple[Workflow, Analysis]] = field(default_factory=list)


def check(
    ctx: typer.Context,
    explain: Annotated[str, typer.Option(metavar="CODE", help="Say what a rule wants, why, and the mend.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Let a warning fail the check as well.")] = False,
) -> None:
    """Check stack.toml and the workflows as a start does: nothing is run, no database is needed.

    Errors would refuse the start. A warning is allowed on its line by a comment: # mainstay: allow RUN006

    Examples:
        mainstay check
        mainstay check --explain RUN002
        mainstay check --strict --json
    """
    options = options_of(ctx)
    if explain:
        _explain(explain.strip().upper(), as_json=options.as_json)
        return
    checked = [_check(path.resolve()) for path in options.stacks]
    from mainstay.engine.policy import is_error

    problems = [problem for each in checked for problem in each.problems]
    errors = sum(is_error(problem) for problem in problems)
    warnings = len(problems) - errors
    if options.as_json:
        _emit(checked, errors, warnings)
    else:
        _show(checked, errors, warnings)
    raise typer.Exit(USAGE if errors else BROKEN if warnings and strict else FINE)


def _check(file: Path) -> _Checked:
    from mainstay.settings.environment import Environment
    from mainstay.settings.policy import check_policy
    from mainstay.settings.program import ProgramSettings
    from mainstay.settings.stack import load_stack
    from mainstay.settings.workflows import load_workflows

    checked = _Checked(file)
    stack, workflows = None, []
    try:
        environment = Environment.load(file.parent)
        ProgramSettings.read(environment)
        stack = load_stack(file, environment)
    except ConfigError as error:
        checked.problems += error.problems
    try:
        workflows = load_workflows(file.parent)
    except ConfigError as error:
        checked.problems += error.problems
    if stack is not None:
        found, analyses = check_policy(stack, workflows)
        checked.problems += found
        checked.workflows = [(declared, analyses[declared.name]) for declared in workflows]
    return checked


def _explain(code: str, *, as_json: bool) -> None:
    from mainstay.engine.policy import RULES

    rule = RULES.get(code)
    if rule is None:
        raise MissingError(f'there is no rule "{code}"', f"There are: {', '.join(RULES)}.")
    from mainstay.cli.output import emit, facts, say, text

    if as_json:
        emit({"code": rule.code, "level": rule.level, "rule": rule.title, "why": rule.why, "mend": rule.mend})
        return
    colour = "red" if rule.is_error else "yellow"
    say(text((rule.code, "bold"), "  ", (rule.level, colour), f"  {rule.title}"))
    pairs = [("why", rule.why), ("mend", rule.mend)]
    if not rule.is_error:
        pairs.append(("allow", f"on its line:  # mainstay: allow {rule.code}"))
    facts(pairs)


def _level(is_error: bool) -> str:
    return "error" if is_error else "warning"


def _steps(analysis: Analysis) -> str:
    if analysis.unclear:
        return "?"
    return f"{analysis.steps:.0f}" if analysis.is_known else "any number"


def _emit(checked: Sequence[_Checked], errors: int, warnings: int) -> None:
    from mainstay.cli.output import emit
    from mainstay.engine.policy import is_error

    told: list[dict[str, Any]] = [
        {
            "stack": str(each.file),
            "problems": [
                {
                    "level": _level(is_error(problem)),
                    "code": problem.code,
                    "where": problem.where,
                    "key": problem.key,
                    "message": problem.message,
                    "hint": problem.hint,
                }
                for problem in each.problems
            ],
            "workflows": [
                {
                    "name": declared.name,
                    "on": declared.on,
                    "mode": declared.mode,
                    "most_steps": int(analysis.steps) if analysis.is_known else None,
                    "calls": [
                        {"name": call.name, "file": Path(call.place.file).name, "line": call.place.line}
                        for call in analysis.calls.values()
                    ],
                }
                for declared, analysis in each.workflows
            ],
        }
        for each in checked
    ]
    emit({"errors": errors, "warnings": warnings, "stacks": told})


def _show(checked: Sequence[_Checked], errors: int, warnings: int) -> None:
    from mainstay.cli.output import number, say, text
    from mainstay.engine.policy import is_error

    for each in checked:
        if len(checked) > 1:
            say(text((str(each.file), "bold")))
        _show_workflows(each)
        for problem in each.problems:
            head = "  ".join(part for part in (problem.where, problem.code, problem.key) if part)
            colour = "red" if is_error(problem) else "yellow"
            say(text((head, "bold"), "  ", (_level(is_error(problem)), colour)))
            say(problem.message, indent=4)
            if problem.hint:
                say(text((problem.hint, "cyan")), indent=4)
    if not errors and not warnings:
        say(text(("✓ ", "green"), "nothing is wrong"))
        return
    codes = sorted({problem.code for each in checked for problem in each.problems if problem.code})
    more = f" · why: mainstay check --explain {codes[0]}" if codes else ""
    say(text((f"{number(errors, 'error')}, {number(warnings, 'warning')}", "bold"), more))


def _show_workflows(each: _Checked) -> None:
    from mainstay.cli.output import Column, say, table

    if not each.workflows:
        return
    table(
        [
            Column("workflow"),
            Column("starts on"),
            Column("mode"),
            Column("most steps", right=True),
            Column("calls", grows=True),
        ],
        [
            (
                declared.name,
                declared.on or "call",
                declared.mode,
                _steps(analysis),
                ", ".join(dict.fromkeys(call.name for call in analysis.calls.values())),
            )
            for declared, analysis in each.workflows
        ],
    )
    say()
