"""A run's input, edited by hand or read from a file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from mainstay.cli.errors import CommandError

_DEFAULT_EDITOR = "vi"


def edited_input(before: Any) -> dict[str, Any]:
    """Let a person edit an input in their editor, as JSON; the file is gone afterwards, as it speaks of a person."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _DEFAULT_EDITOR
    descriptor, name = tempfile.mkstemp(prefix="mainstay-", suffix=".json")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(before, option=orjson.OPT_INDENT_2) + b"\n")
        try:
            done = subprocess.run([*shlex.split(editor), name], check=False)
        except OSError as error:
            raise CommandError(f'the editor "{editor}" cannot be started: {error.strerror}', "Set EDITOR.") from error
        if done.returncode:
            raise CommandError(f'the editor "{editor}" ended with {done.returncode}: nothing was retried')
        return read_input(path)
    finally:
        path.unlink(missing_ok=True)


def read_input(file: Path) -> dict[str, Any]:
    """Read an input from a file, or from stdin for ``-``.

    Raises:
        CommandError: it is no JSON object.
    """
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CommandError(f"the input is not JSON: {error.msg} at {where}", "Nothing was retried.") from error
    if not isinstance(found, dict):
        raise CommandError("the input is not a JSON object", 'It looks like {"contact": {...}}.')
    return found
