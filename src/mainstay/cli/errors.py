"""Exit codes, and how an error is told to the person at the terminal."""

from __future__ import annotations

import sys
import traceback

from mainstay.errors import ConfigError, DatabaseUnavailableError, MainstayError, Problem

FINE = 0
BROKEN = 1
USAGE = 2
MISSING = 3

# By name: the embedded server is not imported for an error that may be another's.
_EMBEDDED = "EmbeddedServerError"

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
            | ({"code": problem.code} if problem.code else {})
            for problem in problems
        ]
        sys.stderr.write(orjson.dumps({"error": told[0]["message"], "code": code, "problems": told}).decode() + "\n")
        return code
    from rich.text import Text

    from mainstay.cli.output import console

    to = console(stderr=True)
    for problem in problems:
        head = "  ".join(part for part in (problem.where, problem.code, problem.key) if part)
        if head:
            to.print(Text(head, style="bold"))
            to.print(Text(f"    {problem.message}", style="red"))
        else:
            to.print(Text.assemble(("error: ", "bold red"), problem.message))
        if problem.hint:
            to.print(Text(f"    {problem.hint}" if head else f"       {problem.hint}", style="cyan"))
    return code


def _judge(error: Exception) -> tuple[int, tuple[Problem, ...]]:
    """Return the exit code, and what to say."""
    code, message, hint = BROKEN, str(error), ""
    match error:
        case ConfigError():
            return USAGE, error.problems or (Problem("", "", "the configuration cannot be used"),)
        case CommandError():
            code, hint = error.code, error.hint
        case DatabaseUnavailableError():
            hint = "Is the server up, and DATABASE_URL right? Without DATABASE_URL an embedded server is used."
        case OSError() if error.filename:
            code, message = USAGE, f"{error.filename}: {error.strerror}"
        case _ if not isinstance(error, MainstayError) and type(error).__name__ != _EMBEDDED:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            hint = "This is a mistake in Mainstay. Run it again with --debug for the whole traceback, and report it."
    return code, (Problem("", "", message, hint),)
