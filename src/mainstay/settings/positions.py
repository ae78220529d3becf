"""On which line of a TOML file each key stands. The standard parser does not tell; nor does any kept-up library.

Reads valid TOML only: ``tomllib`` has refused everything else before.
"""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
    (?P<string>
        \"{3}(?:\\[\s\S]|[^\\])*?\"{3}\"{0,2}   # the end may hold two quotes more, which are content
      | '{3}[\s\S]*?'{3}'{0,2}
      | "(?:\\.|[^"\\\n])*"
      | '[^'\n]*'
    )
  | (?P<blank>[ \t\r]+|\#[^\n]*)
  | (?P<newline>\n)
  | (?P<mark>[\[\]{}=,.])
  | (?P<bare>[^\s\[\]{}=,.\#"']+)
    """,
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def find_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each key, table and list item of a valid TOML document, by its path."""
    return _Scan(_tokens(text)).run()


def _tokens(text: str) -> list[_Token]:
    tokens = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "blank":
            tokens.append(_Token(kind, match[0], line))
        line += match[0].count("\n")
    return tokens


class _Scan:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = [*tokens, _Token("newline", "\n", tokens[-1].line if tokens else 1)]
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._last: dict[KeyPath, int] = {}

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "newline":
                self._at += 1
            elif token.text == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _header(self) -> KeyPath:
        self._at += 1
        is_list = self._tokens[self._at].text == "["
        self._at += is_list
        line = self._tokens[self._at].line
        *parents, name = self._key("]")
        self._at += 1 + is_list
        path: KeyPath = ()
        for part in parents:
            path = self._newest((*path, part), line)
        path = (*path, name)
        if is_list:
            self._last[path] = self._last.get(path, -1) + 1
        return self._newest(path, line)

    def _newest(self, path: KeyPath, line: int) -> KeyPath:
        """Note a table's line; of a list of tables, take the newest."""
        self._lines.setdefault(path, line)
        if path in self._last:
            path = (*path, self._last[path])
            self._lines.setdefault(path, line)
        return path

    def _key(self, end: str) -> list[str]:
        parts = []
        while (token := self._tokens[self._at]).text != end or token.kind != "mark":
            self._at += 1
            if token.kind == "bare":
                parts.append(token.text)
            elif token.kind == "string":
                parts.append(tomllib.loads(f"key = {token.text}")["key"])
        return parts

    def _pair(self, table: KeyPath) -> None:
        line = self._tokens[self._at].line
        path = table
        for part in self._key("="):
            path = (*path, part)
            self._lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        token = self._tokens[self._at]
        if token.kind == "mark" and token.text in "[{":
            self._at += 1
            self._inside(path, is_list=token.text == "[")
            return
        while not (token.kind == "newline" or (token.kind == "mark" and token.text in ",]}")):
            self._at += 1
            token = self._tokens[self._at]

    def _inside(self, path: KeyPath, *, is_list: bool) -> None:
        end, count = "]" if is_list else "}", 0
        while (token := self._tokens[self._at]).text != end or token.kind != "mark":
            if token.kind == "newline" or token.text == ",":
                self._at += 1
            elif is_list:
                self._lines.setdefault((*path, count), token.line)
                self._value((*path, count))
                count += 1
            else:
                self._pair(path)
        self._at += 1
