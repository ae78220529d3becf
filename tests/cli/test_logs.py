from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.cli.errors import CommandError
from mainstay.cli.logs import JsonFormatter, TextFormatter, set_up_logging, set_up_telemetry
from mainstay.settings.environment import Environment
from mainstay.settings.program import ProgramSettings
from mainstay.telemetry import about, told_about


def record(message: str, *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    told = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("mainstay.x", logging.WARNING, "x.py", 1, message, arguments, told)


@pytest.fixture
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_line_says_what_it_is_about() -> None:
    with about(workspace="w", run="r"), about(delivery="d", workflow=None):
        entry = json.loads(JsonFormatter().format(record("it went %s", "well")))
        assert TextFormatter().format(record("it went well")).endswith("it went well [run r]")
    assert entry["message"] == "it went well"
    assert (entry["workspace"], entry["run"], entry["delivery"]) == ("w", "r", "d")
    assert "workflow" not in entry
    assert told_about() == {}


async def test_what_runs_side_by_side_is_told_apart() -> None:
    async def work(run: str) -> str:
        with about(run=run):
            await asyncio.sleep(0)
            return str(json.loads(JsonFormatter().format(record("x")))["run"])

    assert await asyncio.gather(*map(work, "abc")) == ["a", "b", "c"]


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_nothing_of_a_person_and_no_secret_is_in_a_line(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("no contact sarah.jones@example.com at +1 312 555 0123")
    except ValueError as error:
        line = formatter.format(record("token=%s of %s", "hunter2hunter2", "bob.smith@example.com", error=error))
    for personal in ("sarah.jones", "bob.smith", "555 0123", "hunter2"):
        assert personal not in line
    assert "ValueError" in line


def test_a_line_is_one_line_whatever_it_quotes() -> None:
    line = JsonFormatter().format(record("quoted %s", 'a\nb{"message": "forged"}\x00\ud800'.encode("utf-8", "replace")))
    assert "\n" not in line
    assert "\n" not in TextFormatter().format(record("quoted %s", "a\nERROR forged"))


@pytest.mark.usefixtures("_as_before")
def test_the_command_says_the_form_over_the_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    program = ProgramSettings.read(Environment.load(tmp_path, {}))
    set_up_telemetry(program, "json")
    logging.getLogger("mainstay.x").warning("hello")
    assert json.loads(capsys.readouterr().err)["message"] == "hello"
    with pytest.raises(CommandError):
        set_up_telemetry(program, "xml")
    set_up_logging("text")
