"""A TOML file as it was written: its values with ``${NAME}`` filled in, and where each of them stands."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mainstay.errors import ConfigError, Problem
from mainstay.settings.environment import Environment
from mainstay.settings.positions import KeyPath, find_lines

MASK = "•••"
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_DEEPEST = 30
_SHORTEST_MASKED = 4
_LONGEST_SHOWN = 60


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean "..."?`` for the known name nearest to a mistaken one, or nothing."""
    spellings = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), spellings, 1)
    return f'Did you mean "{spellings[close[0]]}"?' if close else ""


def dotted(path: KeyPath) -> str:
    """Write a path as people do: ``alerts.critical[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _BARE_KEY.fullmatch(part) else json.dumps(part[:_LONGEST_SHOWN], ensure_ascii=False)
            text += f".{shown}" if text else shown
    return text


class Document:
    """One file's values, and the problems found in it so far.

    Attributes:
        data: the whole file with references filled in; where that failed, the text as written.
        referring: paths of the texts with at least one ``${NAME}``.
        broken: paths whose reference could not be filled in; already among the problems.
    """

    def __init__(self, path: Path, environment: Environment) -> None:
        """Read the file; ConfigError when it is not there, not readable or not TOML."""
        self.name = path.name
        self.folder = path.parent
        self._environment = environment
        self._problems: list[tuple[int, Problem]] = []
        self._masks: dict[str, str] = {}
        self.referring: set[KeyPath] = set()
        self.broken: set[KeyPath] = set()
        self.raw, self._lines = self.read(path)
        self.data: dict[str, Any] = self._fill((), self.raw)

    def read(self, path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
        """Return the file's values, and the line of each."""
        return _parse(path)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, else of the nearest table around it, else 0."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def add(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Note a problem of a key; what came from the environment is shown by its name."""
        line = self.line(path)
        where = f"{self.name}:{line}" if line else self.name
        self._problems.append((line, Problem(where, dotted(path), self._masked(message), self._masked(hint))))

    def hide(self, secret: str) -> None:
        """Keep a secret that was written into the file out of every message."""
        self._masks.setdefault(secret, MASK)

    def shown(self, path: KeyPath) -> str:
        """Return a text value as it was written, in quotes, cut to a sane length."""
        value: Any = self.raw
        for part in path:
            value = value[part]
        text = str(value)
        return json.dumps(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...", ensure_ascii=False)

    def require_no_problems(self) -> None:
        """Raise ConfigError with all problems in the order of the file, where there are any."""
        if self._problems:
            ordered = sorted(self._problems, key=lambda found: found[0])
            raise ConfigError(*dict.fromkeys(problem for _line, problem in ordered))

    def _masked(self, text: str) -> str:
        for value, shown in self._masks.items():
            if len(value) >= _SHORTEST_MASKED:
                # A message may quote a value as Python or JSON would write it.
                for form in {value, repr(value)[1:-1], json.dumps(value)[1:-1]}:
                    text = text.replace(form, shown)
        return text

    def _fill(self, path: KeyPath, value: Any) -> Any:
        if len(path) > _DEEPEST:
            raise ConfigError(Problem(self.name, dotted(path[:2]), f"is nested more than {_DEEPEST} levels deep"))
        if isinstance(value, dict):
            return {key: self._fill((*path, key), each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._fill((*path, index), each) for index, each in enumerate(value)]
        return self._resolve(path, value) if isinstance(value, str) and "${" in value else value

    def _resolve(self, path: KeyPath, text: str) -> str:
        parts, end = [], 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            if match[0] == "$${":
                parts.append("${")
            elif (name := match[1]) is None:
                self.broken.add(path)
                self.add(path, "${ begins a reference that is not one", "write ${NAME}, or $${ for the characters ${")
            else:
                self.referring.add(path)
                parts.append(self._look_up(path, name))
        if path in self.broken:
            return text
        return "".join([*parts, text[end:]])

    def _look_up(self, path: KeyPath, name: str) -> str:
        try:
            value = self._environment.get(name)
        except ConfigError as error:
            self.broken.add(path)
            for problem in error.problems:
                self.add(path, f"{name} cannot be had: {problem.message}", problem.hint)
            return ""
        if value is None:
            self.broken.add(path)
            hint = f"set {name} in .env or the environment, or {name}_FILE to the path of a file that holds it"
            guess = suggest(name, self._environment.names())
            self.add(path, f"{name} is not set, or empty", f"{guess} Else {hint}" if guess else hint)
            return ""
        self._masks[value] = f"${{{name}}}"
        return value


def _parse(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "run `mainstay init` to make one"
        raise ConfigError(Problem(path.name, "", f'there is no {path.name} in "{path.parent}"', hint)) from None
    except OSError as error:
        raise ConfigError(Problem(path.name, "", f"the file cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(path.name, "", "the file is not UTF-8 text", "save it as UTF-8")) from None
    try:
        data = tomllib.loads(text)
        return data, find_lines(text)
    except RecursionError:
        raise ConfigError(Problem(path.name, "", "is nested too deep")) from None
    except ValueError as error:
        raise ConfigError(_syntax_problem(path.name, text, str(error))) from None


def _syntax_problem(name: str, text: str, reason: str) -> Problem:
    """Say where TOML broke. The line is not quoted: it may hold a secret."""
    at = _AT_LINE.search(reason)
    number = int(at[1]) if at and at[1] else text.rstrip().count("\n") + 1 if at else 0
    message = _AT_LINE.sub("", reason)
    return Problem(
        f"{name}:{number}" if number else name,
        "",
        f"this is not valid TOML: {message[:1].lower()}{message[1:]}",
        'texts stand in quotes, and each key once: key = "value"',
    )
