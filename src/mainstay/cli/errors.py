"""Exit codes, and how an error is told to the person at the terminal."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

from mainstay.errors import ConfigError, DatabaseUnavailableError, MainstayError, MalformedError, Problem

FINE = 0
BROKEN = 1
USAGE = 2
MISSING = 3

EXIT_CODES = (
    (FINE, "fine"),
    (BROKEN, "something is broken, or not all was done"),
    (USAGE, "the command or the configuration cannot be used"),
    (MISSING, "there is no such thing"),
)


class CommandError(MainstayError):
    """A command cannot be done as it was given; ``hint`` says what to do instead."""

    code = USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class MissingError(CommandError):
    """What the command names is not there."""

    code = MISSING


def tell(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Say on stderr what went wrong, and return the exit code."""
    code, problems = _judge(error)
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        import orjson

        told = [
            {"where": problem.where, "key": problem.key, "message": problem.message, "hint": problem.hint}
            for problem in problems
        ]
        sys.stderr.write(orjson.dumps({"error": told[0]["message"], "code": code, "problems": told}).decode() + "\n")
        return code
    from rich.text import Text

    from mainstay.cli.output import console

    to = console(stderr=True)
    for problem in problems:
        head = "  ".join(part for part in (problem.where, problem.key) if part)
        if head:
            to.print(Text(head, style="bold"))
            to.print(Text(f"    {problem.message}", style="red"))
        else:
            to.print(Text.assemble(("error: ", "bold red"), problem.message))
        if problem.hint:
            to.print(Text(f"    {problem.hint}" if head else f"       {problem.hint}", style="cyan"))
    return code


def _judge(error: Exception) -> tuple[int, tuple[Problem, ...]]:
    if isinstance(error, ConfigError):
        return USAGE, error.problems or (Problem("", "", "the configuration cannot be used"),)
    if isinstance(error, CommandError):
        return error.code, (Problem("", "", str(error), error.hint),)
    if isinstance(error, DatabaseUnavailableError):
        hint = "Is the server up, and DATABASE_URL right? Without DATABASE_URL an embedded server is used."
        return BROKEN, (Problem("", "", str(error), hint),)
    if isinstance(error, MalformedError):
        return BROKEN, (Problem("", "", str(error)),)
    with suppress(ImportError):
        from mainstay.db.embedded.errors import EmbeddedServerError

        if isinstance(error, EmbeddedServerError):
            return BROKEN, (Problem("", "", str(error)),)
    if isinstance(error, MainstayError):
        return BROKEN, (Problem("", "", str(error)),)
    if isinstance(error, OSError) and error.filename:
        return USAGE, (Problem("", "", f"{error.filename}: {error.strerror}"),)
    name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "This is a mistake in Mainstay. Run it again with --debug for the whole traceback, and report it."
    return BROKEN, (Problem("", "", name, hint),)
