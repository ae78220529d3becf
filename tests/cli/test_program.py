"""The command line as a whole: help, options that go anywhere, exit codes, how errors are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mainstay.cli.program import COMMANDS, program
from tests.cli.conftest import Run, run_process

HEAVY = {"dbos", "fastapi", "alembic", "sqlalchemy", "asyncpg", "aiohttp", "pydantic", "rich", "phonenumbers"}


def paths() -> list[tuple[str, ...]]:
    """Every command that does something, as it is typed."""
    found: list[tuple[str, ...]] = []
    context = typer.Context(program())
    for _, entries in COMMANDS:
        for entry in entries:
            command = program().get_command(context, entry.name)
            assert command is not None
            below = list(getattr(command, "commands", {}))
            found += [(entry.name, name) for name in below] or [(entry.name,)]
    return found


def test_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    for _, entries in COMMANDS:
        for entry in entries:
            assert f"  {entry.name} " in result.out
    assert "3  there is no such thing" in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_help_and_completion_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom mainstay.cli.program import program\n"
        "try:\n    program().main(args=['--help'], prog_name='mainstay')\nexcept SystemExit:\n    pass\n"
        "print(sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Begin:" in done.stdout
    assert not HEAVY & set(eval(done.stderr))  # noqa: S307 - a list of names that this test wrote itself


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.code == 0
    assert f"mainstay {' '.join(path)}" in result.out.split("Example", 1)[1]


def test_no_command_shows_the_help(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert "Begin:" in result.out + result.err


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("mainstay 0.")


def test_a_mistyped_command_is_met_with_a_suggestion(run: Run) -> None:
    result = run("stats")
    assert result.code == 2
    assert "Did you mean 'status'?" in result.err


def test_completion_gives_names_and_summaries(tmp_path: Path) -> None:
    result = run_process(
        folder=tmp_path,
        environment={
            "_MAINSTAY_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "mainstay sta",
            "_TYPER_COMPLETE_TESTING": "1",
        },
    )
    assert "status" in result.out
    assert "last 24 hours" in result.out


@pytest.mark.parametrize("command", [("status",), ("runs", "list"), ("connections", "list"), ("worker",)], ids=" ".join)
def test_a_missing_stack_is_told_with_the_mend(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run_process(*command, folder=tmp_path)
    assert result.code == 2
    assert "there is no stack.toml" in result.err
    assert "mainstay init" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_all_problems_of_a_stack_are_told_and_debug_shows_where(acme: Path, run: Run) -> None:
    (acme / "stack.toml").write_text(
        '[workspace]\nname = "Acme"\ntimezone = "Mars/North"\nregion = "US"\nhuors = "x"\n'
    )
    plain = run("connections", "list")
    assert plain.code == 2
    assert "stack.toml:3" in plain.err
    assert 'Did you mean "hours"?' in plain.err
    assert "Traceback" not in plain.err
    assert "Traceback" in run("--debug", "connections", "list").err
    told = run("connections", "list", "--json")
    assert told.out == ""
    assert '"key":"workspace.timezone"' in told.err


def test_a_server_that_is_away_is_told_without_the_password(
    acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush-hush@127.0.0.1:1/acme")
    for command in (("status",), ("db", "migrate"), ("sign-in",), ("runs", "retry", "--failed")):
        result = run(*command)
        assert result.code == 1, command
        assert "127.0.0.1:1/acme" in result.err
        assert "hush" not in result.err + result.out
        assert "Traceback" not in result.err


def test_the_stack_may_be_named_anywhere_and_by_its_folder(
    acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(acme.parent)
    before = run("--stack", "acme", "--json", "connections", "list")
    behind = run("connections", "list", "-s", "acme/stack.toml", "--json")
    monkeypatch.setenv("MAINSTAY_STACK", "acme")
    named = run("connections", "list", "--json")
    assert before.json == behind.json == named.json
    assert before.json["workspace"] == "acme"


def test_of_several_workspaces_one_must_be_named(acme: Path, run: Run) -> None:
    assert run("init", str(acme.parent / "bell")).code == 0
    stacks = ("-s", str(acme), "-s", str(acme.parent / "bell"))
    unclear = run(*stacks, "runs", "list")
    assert unclear.code == 2
    assert "--workspace acme" in unclear.err
    assert run(*stacks, "-w", "bell", "runs", "list").code == 0
    assert run(*stacks, "-w", "cole", "runs", "list").code == 3
    both = run(*stacks, "status", "--json")
    assert [each["workspace"] for each in both.json["workspaces"]] == ["acme", "bell"]
