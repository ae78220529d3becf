"""``mainstay check``, and what a start refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstay.engine.policy import RULES
from tests.cli.conftest import Run

SYNC = """
import time
from mainstay import Contact, Context, workflow

@workflow("quote.v1", mode="sync")
async def quote(ctx: Context, contact: Contact) -> float:
    for tag in contact.tags:
        await ctx.crm.add_tag(contact, tag)
    return time.time()
"""
STACK = '[workspace]\nname = "Acme"\nslug = "acme"\ntimezone = "America/Chicago"\nregion = "US"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "stack.toml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")  # none is needed
    return tmp_path


def test_nothing_is_wrong(run: Run, folder: Path) -> None:
    (folder / "workflows" / "a.py").write_text(SYNC.replace("time.time()", "1.0").replace("contact.tags", "('a', 'b')"))
    result = run("check")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[1].split() == ["quote.v1", "call", "sync", "2", "crm.add_tag"]
    assert "nothing is wrong" in result.out


def test_errors_and_warnings_are_told_with_their_lines(run: Run, folder: Path) -> None:
    (folder / "workflows" / "a.py").write_text(SYNC)
    result = run("check")
    assert result.code == 2
    assert "workflows/a.py:7  RUN001  error" in result.out
    assert "workflows/a.py:9  RUN006  warning" in result.out
    assert "1 error, 1 warning" in result.out
    assert "any number" in result.out

    (stack,) = run("check", "--json").json["stacks"]
    assert [(each["level"], each["code"], each["where"]) for each in stack["problems"]] == [
        ("error", "RUN001", "workflows/a.py:7"),
        ("warning", "RUN006", "workflows/a.py:9"),
    ]
    assert stack["workflows"][0]["most_steps"] is None
    assert stack["workflows"][0]["calls"] == [{"name": "crm.add_tag", "file": "a.py", "line": 8}]


def test_a_warning_fails_only_when_asked(run: Run, folder: Path) -> None:
    (folder / "workflows" / "a.py").write_text(SYNC.replace("contact.tags", "('a', 'b')"))
    assert [run("check").code, run("check", "--strict").code] == [0, 1]
    (folder / "workflows" / "a.py").write_text(
        SYNC.replace("contact.tags", "('a', 'b')").replace("time.time()", "time.time()  # mainstay: allow RUN006")
    )
    assert run("check", "--strict").code == 0


def test_what_is_wrong_with_the_stack_and_with_a_file_is_told_at_once(run: Run, folder: Path) -> None:
    (folder / "stack.toml").write_text(STACK.replace("America/Chicago", "America/Chicgo"))
    (folder / "workflows" / "a.py").write_text("import nosuchmodule\n")
    result = run("check")
    assert result.code == 2
    assert "stack.toml:4" in result.out
    assert "ModuleNotFoundError" in result.out
    assert "2 errors" in result.out


@pytest.mark.parametrize("code", RULES)
def test_every_rule_is_explained(run: Run, code: str) -> None:
    result = run("check", "--explain", code.lower())
    assert result.code == 0
    assert result.out.startswith(code)
    assert ("# mainstay: allow" in result.out) == (not RULES[code].is_error)
    assert run("check", "--explain", code, "--json").json["code"] == code


def test_a_rule_that_is_none(run: Run, folder: Path) -> None:
    result = run("check", "--explain", "RUN099")
    assert (result.code, "there is no rule" in result.err) == (3, True)


@pytest.mark.parametrize("command", ["up", "worker"])
def test_a_start_refuses_what_check_calls_an_error(run: Run, folder: Path, command: str) -> None:
    (folder / "workflows" / "a.py").write_text(SYNC)
    result = run(command)
    assert result.code == 2
    assert "workflows/a.py:7  RUN001" in result.err
    assert "any number of steps" in result.err
