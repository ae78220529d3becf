"""The only reader of the environment: the process's own over ``.env`` beside ``stack.toml``."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

from mainstay.errors import ConfigError, Problem

DOTENV = ".env"
_FILE = "_FILE"


class _Layer(NamedTuple):
    """Variables of one origin. ``base`` is what relative paths in ``NAME_FILE`` start from."""

    values: Mapping[str, str]
    lines: Mapping[str, int]
    base: Path


class Environment:
    """Variables by name; a value may also stand in a file that ``NAME_FILE`` names.

    The process's environment goes before ``.env``; in each, ``NAME`` before ``NAME_FILE``. An empty variable counts as
    not set. Its text form shows no values.
    """

    def __init__(self, folder: Path, process: _Layer, dotenv: _Layer) -> None:
        self.folder = folder
        self._layers = (process, dotenv)

    @classmethod
    def load(cls, folder: Path, environ: Mapping[str, str] | None = None) -> Environment:
        """Read ``.env`` in ``folder``, where there is one, below ``environ`` (this process's own when not given).

        Nothing is written to the process's environment. Values of ``.env`` are taken as they stand: ``${...}`` in them
        is not replaced.

        Raises:
            ConfigError: ``.env`` cannot be read; each line that is no ``NAME=value`` is named.
        """
        process = _Layer(dict(os.environ if environ is None else environ), {}, Path())
        return cls(folder, process, _read_dotenv(folder))

    def __repr__(self) -> str:
        return f"Environment({str(self.folder)!r})"

    def get(self, name: str) -> str | None:
        """Return a variable's value, or its file's content without one newline at the end; None when it is not set.

        Raises:
            ConfigError: the file that ``NAME_FILE`` names cannot be read.
        """
        for layer in self._layers:
            if value := layer.values.get(name):
                return value
            if (path := layer.values.get(name + _FILE)) and (content := _read_secret(layer, name, path)):
                return content
        return None

    def names(self) -> Iterable[str]:
        """Return the names that ``.env`` sets, for suggestions."""
        return self._layers[1].values.keys()

    def where(self, name: str) -> str:
        """Say where a variable is set: ``.env:LINE``, or ``environment``."""
        for layer in self._layers:
            for key in (name, name + _FILE):
                if layer.values.get(key):
                    return _place(layer, key)
        return "environment"


def _place(layer: _Layer, key: str) -> str:
    return f"{DOTENV}:{layer.lines[key]}" if key in layer.lines else "environment"


def _read_dotenv(folder: Path) -> _Layer:
    path = folder / DOTENV
    if not path.is_file():
        return _Layer({}, {}, folder)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(Problem(DOTENV, "", f"the file cannot be read: {reason}")) from None
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string
        # The parser counts blank lines before a binding as its own.
        line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
        if binding.error:
            # The line is not quoted: it may hold a secret.
            problems.append(
                Problem(f"{DOTENV}:{line}", "", "the line cannot be read", 'write NAME=value, or NAME="a value"')
            )
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
            lines[binding.key] = line
    if problems:
        raise ConfigError(*problems)
    return _Layer(values, lines, folder)


def _read_secret(layer: _Layer, name: str, path: str) -> str:
    try:
        text = (layer.base / path).read_bytes().decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            Problem(
                _place(layer, name + _FILE),
                name + _FILE,
                f'the file "{path}" cannot be read: {reason}',
                f"point {name + _FILE} at a readable text file that holds the value alone, or set {name} itself",
            )
        ) from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
