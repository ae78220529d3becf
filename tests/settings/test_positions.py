from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.settings.positions import KeyPath, find_lines

DOCUMENT = '''# a comment with [a header] and key = 1
title = "a # b = c [d] \\" e"
physical.color = 'o"r'  # comment
[owner]
"na.me" = "Tom"
ports = [
  80,  # [first]
  [443, 444],
  { host = "a", deep = { "x y" = 1 } },
]
text = """
[not.a.header]
key = "value\\""""
raw = \'\'\'
it's = [1]\'\'\'
when = 1979-05-27 07:32:00
inline = { a = 1.5, b.c = [true] }
[[server]]
ip = "10.0.0.1"
[server.disk]
size = 1
[[server]]
ip = "10.0.0.2"
[[server.rack]]
u = 1
[ "quoted \\u00e9" . 'lit' ]
k=0x1F
'''
EXPECTED: dict[KeyPath, int] = {
    ("title",): 2,
    ("physical",): 3,
    ("physical", "color"): 3,
    ("owner",): 4,
    ("owner", "na.me"): 5,
    ("owner", "ports"): 6,
    ("owner", "ports", 0): 7,
    ("owner", "ports", 1): 8,
    ("owner", "ports", 1, 0): 8,
    ("owner", "ports", 1, 1): 8,
    ("owner", "ports", 2): 9,
    ("owner", "ports", 2, "host"): 9,
    ("owner", "ports", 2, "deep"): 9,
    ("owner", "ports", 2, "deep", "x y"): 9,
    ("owner", "text"): 11,
    ("owner", "raw"): 14,
    ("owner", "when"): 16,
    ("owner", "inline"): 17,
    ("owner", "inline", "a"): 17,
    ("owner", "inline", "b"): 17,
    ("owner", "inline", "b", "c"): 17,
    ("owner", "inline", "b", "c", 0): 17,
    ("server",): 18,
    ("server", 0): 18,
    ("server", 0, "ip"): 19,
    ("server", 0, "disk"): 20,
    ("server", 0, "disk", "size"): 21,
    ("server", 1): 22,
    ("server", 1, "ip"): 23,
    ("server", 1, "rack"): 24,
    ("server", 1, "rack", 0): 24,
    ("server", 1, "rack", 0, "u"): 25,
    ("quoted é",): 26,
    ("quoted é", "lit"): 26,
    ("quoted é", "lit", "k"): 27,
}


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    if isinstance(value, dict | list):
        for part, each in value.items() if isinstance(value, dict) else enumerate(value):
            found |= paths(each, (*path, part))
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_key_has_its_line(newline: str) -> None:
    text = DOCUMENT.replace("\n", newline)
    assert find_lines(text) == EXPECTED
    assert set(EXPECTED) == paths(tomllib.loads(text))


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a = 1", "[a]", "[[a]]"])
def test_the_smallest_documents_end(text: str) -> None:
    assert set(find_lines(text)) == paths(tomllib.loads(text))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
values = st.recursive(
    st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    match value:
        case dict():
            return (
                "{"
                + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {written(each)}" for key, each in value.items())
                + "}"
            )
        case list():
            return "[" + ",\n".join(map(written, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


@given(st.dictionaries(texts, values, max_size=5))
def test_no_key_is_missed_and_none_is_invented(document: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(key, ensure_ascii=False)} = {written(value)}" for key, value in document.items())
    lines = find_lines(text)
    assert set(lines) == paths(tomllib.loads(text))
    for path, line in lines.items():
        if len(path) == 1:
            assert text.split("\n")[line - 1].startswith(json.dumps(path[0], ensure_ascii=False))
