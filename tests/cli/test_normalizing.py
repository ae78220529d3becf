"""``mainstay contacts normalize``: one answer a line, in order, whatever the lines hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.cli.normalizing import answer
from tests.cli.conftest import Run

KEYS = {"id", "status", "canonical", "alias_key", "ext", "reason", "hint"}
NOTHING = {"canonical": None, "alias_key": None, "ext": None, "reason": None, "hint": None}


def ask(run: Run, folder: Path, *lines: Any, options: tuple[str, ...] = ()) -> list[Any]:
    file = folder / "values.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    result = run("contacts", "normalize", str(file), *options)
    assert result.code == 0
    return [json.loads(line) for line in result.out.splitlines()]


def test_each_kind_is_answered_with_all_keys(run: Run, tmp_path: Path) -> None:
    answers = ask(
        run,
        tmp_path,
        {"id": "e", "kind": "email", "raw": "Sarah <S.J+x@Gmail.com>"},
        {"id": 2, "kind": "phone", "raw": "(312) 555-0147 x12", "region": "US"},
        {"id": None, "kind": "name", "raw": "Smith, John Jr."},
        {"kind": "email", "raw": "info@example.com"},
    )
    assert answers == [
        {**NOTHING, "id": "e", "status": "valid", "canonical": "s.j+x@gmail.com", "alias_key": "sj@gmail.com"},
        {**NOTHING, "id": 2, "status": "valid", "canonical": "+13125550147", "ext": "12"},
        {**NOTHING, "id": None, "status": "valid", "canonical": "john smith", "suffix": "jr"},
        {**NOTHING, "id": None, "status": "valid", "canonical": "info@example.com", "alias_key": "info@example.com",
         "hint": "role mailbox"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "known", "reason"),
    [
        ("oops", None, "not a JSON object"), ("[1]", None, "not a JSON object"), ("null", None, "not a JSON object"),
        ('{"id": 1', None, "not a JSON object"), ('"\\ud800"', None, "not a JSON object"),
        ({"id": 1}, 1, "a kind other than email, phone and name"),
        ({"id": 1, "kind": "fax", "raw": "x"}, 1, "a kind other than email, phone and name"),
        ({"id": 1, "kind": ["email"], "raw": "x"}, 1, "a kind other than email, phone and name"),
        ({"id": 1, "kind": "email"}, 1, "a raw value that is no text"),
        ({"id": 1, "kind": "email", "raw": None}, 1, "a raw value that is no text"),
        ({"id": 1, "kind": "phone", "raw": 3125550147, "region": "US"}, 1, "a raw value that is no text"),
        ({"id": 1, "kind": "phone", "raw": "312-555-0147"}, 1, "no country code, and no region to read it by"),
        ({"id": 1, "kind": "phone", "raw": "312-555-0147",
        "region": 1}, 1, "no country code, and no region to read it by"),
        ('{"id": ' + "[" * 300 + "]" * 300 + ', "kind": "email", "raw": "a@b"}', None, "no dot after the @"),
        ({"id": {"a": [1]}, "kind": "email", "raw": "a@b"}, {"a": [1]}, "no dot after the @"),
        ({"id": 1, "kind": "name", "raw": "n/a"}, 1, "a placeholder"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_answered_and_stops_nothing(
    run: Run, tmp_path: Path, line: Any, known: Any, reason: str
) -> None:
    first, second = ask(run, tmp_path, line, {"id": "next", "kind": "email", "raw": "sarah@example.com"})
    assert (first["id"], first["status"], first["canonical"], first["reason"]) == (known, "invalid", None, reason)
    assert second["canonical"] == "sarah@example.com"


def test_a_region_for_lines_that_name_none(run: Run, tmp_path: Path) -> None:
    lines = [
        {"kind": "phone", "raw": "020 7946 0018"},
        {"kind": "phone", "raw": "312-555-0147", "region": "us"},
        {"kind": "phone", "raw": "020 7946 0018", "region": None},
    ]
    answers = ask(run, tmp_path, *lines, options=("--region", "gb"))
    assert [each["canonical"] for each in answers] == ["+442079460018", "+13125550147", "+442079460018"]


def test_blank_lines_and_a_byte_order_mark_are_passed_over(run: Run, tmp_path: Path) -> None:
    answers = ask(run, tmp_path, '\ufeff{"id": 1, "kind": "email", "raw": "a@b.co"}', "", "  ")
    assert [each["canonical"] for each in answers] == ["a@b.co"]


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run("contacts", "normalize", str(tmp_path / "none.jsonl"))
    assert result.code == 2
    assert "cannot be read" in result.err


def test_it_is_a_filter_that_needs_no_stack_and_no_database(tmp_path: Path) -> None:
    count = 1500
    lines = "".join(
        json.dumps({"id": number, "kind": "phone", "raw": f"312-555-{number:04}", "region": "US"}) + "\n"
        for number in range(count)
    )
    environment = {key: text for key, text in os.environ.items() if key != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "mainstay", "contacts", "normalize"],
        input=lines, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["id"] for each in answers] == list(range(count))
    assert answers[147]["canonical"] == "+13125550147"
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(["id", "kind", "raw", "region"]), st.sampled_from(
    ["email", "phone", "name", "a@b.co", "US", None, 1, [], "\u0000",
     "312-555-0147"])).map(lambda line: json.dumps(line).encode())
)  # fmt: skip
def test_every_line_has_an_answer(line: bytes) -> None:
    told = answer(line)
    assert set(told) - {"suffix"} == KEYS
    assert (told["status"] == "valid") is (told["canonical"] is not None) is (told["reason"] is None)
