"""``mainstay runs retry`` and ``mainstay retries``, on a project as ``init`` makes it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from mainstay.cli.errors import CommandError
from mainstay.cli.moments import read_moment, read_rate
from tests.cli.conftest import Run
from tests.cli.test_commands import FAILING, MENDED, bring, drive


@pytest.fixture
def failed(acme: Path, run: Run) -> list[str]:
    """Two runs that failed at their second step, which is mended since; their short ids."""
    (acme / "workflows" / "speed_to_lead.py").write_text(FAILING)
    bring(run, acme, "sarah@example.com,Sarah Johnson,", "bob@example.com,Bob Hill,")
    (acme / "workflows" / "speed_to_lead.py").write_text(MENDED)
    runs = run("runs", "list", "--state", "stopped", "--json").json["runs"]
    assert len(runs) == 2
    return [each["id"][-8:] for each in runs]


def states(run: Run) -> list[str]:
    found = run("runs", "list", "--workflow", "speed_to_lead.v1", "--json").json["runs"]
    return sorted(each["state"] for each in found)


def test_from_a_step_or_the_start(failed: list[str], acme: Path, run: Run) -> None:
    assert run("runs", "retry", failed[0], "--from-start").code == 0
    assert run("runs", "retry", failed[1], "--from", "1").code == 0
    drive(acme)
    assert states(run) == ["done", "done"]
    shown = run("runs", "show", failed[0], "--json").json
    assert [attempt["is_set_aside"] for step in shown["steps"] for attempt in step["attempts"]] == [True, False] * 2
    again = run("runs", "retry", failed[0], "--from", "2", "--json")
    assert again.json["retried"]
    drive(acme)
    assert run("runs", "retry", failed[0]).code == 1, "it did not fail"
    assert run("runs", "retry", failed[0], "--from", "9").code == 1


def test_an_input_is_edited_in_the_editor(
    failed: list[str], acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('example.com', 'example.org'))\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {editor}")
    assert run("runs", "retry", failed[0], "--edit").code == 0
    drive(acme)
    shown = run("runs", "show", failed[0], "--json").json
    assert shown["run"]["state"] == "done"
    assert "example.org" in shown["input"]["contact"]["email"]

    monkeypatch.setenv("VISUAL", f"{sys.executable} -c pass")
    unchanged = run("runs", "retry", failed[1], "--edit")
    assert unchanged.code == 2
    assert "the input is as it was" in unchanged.err
    monkeypatch.setenv("VISUAL", f"{sys.executable} -c 'raise SystemExit(3)'")
    assert "ended with 3: nothing was retried" in run("runs", "retry", failed[1], "--edit").err
    monkeypatch.setenv("VISUAL", "no-such-editor")
    assert "cannot be started" in run("runs", "retry", failed[1], "--edit").err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "the input is not JSON"),
        ("[]", "the input is not a JSON object"),
        ("{}", "contact is missing"),
        ('{"contact": {"id": "x"}}', "contact.email is missing"),
    ],
)
def test_an_input_that_cannot_be_is_refused(
    failed: list[str], run: Run, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "input.json"
    file.write_text(content)
    result = run("runs", "retry", failed[0], "--input", str(file))
    assert result.code == 2
    assert said in result.err
    assert states(run) == ["failed", "failed"]


def test_an_input_is_taken_from_a_file(failed: list[str], acme: Path, run: Run, tmp_path: Path) -> None:
    given = run("runs", "show", failed[0], "--json").json["input"]
    given["contact"]["first_name"] = "Sally"
    (tmp_path / "input.json").write_bytes(orjson.dumps(given))
    assert run("runs", "retry", failed[0], "--input", str(tmp_path / "input.json")).code == 0
    drive(acme)
    assert run("runs", "show", failed[0], "--json").json["input"]["contact"]["first_name"] == "Sally"


def test_many_by_one_order(failed: list[str], acme: Path, run: Run) -> None:
    assert failed
    dry = run("runs", "retry", "--error", "ACCOUNT is closed", "--since", "1h", "--dry-run")
    assert "step 2, call" in dry.out
    assert "2 would be retried" in dry.out
    assert states(run) == ["failed", "failed"]

    order = run("runs", "retry", "--error", "account", "--rate", "5/s", "--stop-on-error", "--json").json["bulk_retry"]
    assert run("retries", "stop", order[-8:], "--json").json["state"] == "stopped"
    assert run("retries", "stop", order[-8:]).code == 2
    drive(acme)
    assert states(run) == ["failed", "failed"]
    assert "resume it" in run("retries", "show", order[-8:]).out
    assert run("retries", "resume", order[-8:]).code == 0
    assert run("retries", "resume", order[-8:]).code == 2
    # The brake goes by the real clock: how often the order has to look depends on the machine.
    while "failed" in states(run):
        drive(acme)
    (listed,) = run("retries", "list", "--json").json["retries"]
    assert listed["id"] == order
    assert "with “account”" in run("retries", "list").out
    assert "5 a second; stops when one fails again" in run("retries", "show", order).out
    missing = run("retries", "show", "00000000")
    assert missing.code == 3
    assert "mainstay retries list" in missing.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say which runs"),
        (("7f3a91c2", "--failed"), "say which runs"),
        (("7f3a91c2", "--from", "2", "--from-start"), "say two things"),
        (("--failed", "--from", "2"), "are for runs by their ids"),
        (("--failed", "--edit"), "are for runs by their ids"),
        (("7f3a91c2", "--rate", "5/s"), "are for many runs"),
        (("7f3a91c2", "9be01d44", "--edit"), "are for one run"),
        (("--failed", "--rate", "fast"), '"fast" is no rate'),
        (("--failed-at", "slak"), 'there is no connection "slak"'),
        (("--since", "tomorrow"), '"tomorrow" is no moment'),
    ],
)
def test_what_cannot_be_meant_is_said(acme: Path, run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert acme.exists()
    result = run("runs", "retry", *arguments)
    assert result.code == 2
    assert said in result.err


NOW = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)  # 14:30 in Chicago
CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("noon", "2026-03-02T12:00-06:00"),
        ("midnight", "2026-03-02T00:00-06:00"),
        ("today", "2026-03-02T00:00-06:00"),
        ("Yesterday", "2026-03-01T00:00-06:00"),
        ("14:30", "2026-03-02T14:30-06:00"),
        ("14:31", "2026-03-01T14:31-06:00"),
        ("9:05", "2026-03-02T09:05-06:00"),
        ("2h", "2026-03-02T12:30-06:00"),
        ("2h 30m ago", "2026-03-02T12:00-06:00"),
        ("2026-03-01", "2026-03-01T00:00-06:00"),
        ("2026-03-01T08:00", "2026-03-01T08:00-06:00"),
        ("2026-03-01T08:00Z", "2026-03-01T08:00+00:00"),
    ],
)
def test_moments_are_read_by_the_workspaces_clock(text: str, moment: str) -> None:
    assert read_moment(text, NOW, CHICAGO) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["", "25:00", "soon", "2026-13-01", "2026-03-03", "-2h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        read_moment(text, NOW, CHICAGO)


def test_a_moment_in_summer_time_is_read_by_it() -> None:
    assert read_moment("2026-07-01T12:00", datetime(2026, 7, 2, tzinfo=UTC), CHICAGO) == datetime(
        2026, 7, 1, 17, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "rate"), [("5/s", 5.0), ("30/m", 0.5), ("36/h", 0.01), (" 2.5 / S ", 2.5), ("", None)]
)
def test_rates_are_read(text: str, rate: float | None) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["5", "0/s", "-1/s", "5/d", "s/5"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        read_rate(text)


def test_workflows_are_listed_with_what_drains_and_what_is_missing(acme: Path, run: Run) -> None:
    code = "from mainstay import Contact, Context, workflow\n"
    for version in (1, 2):
        code += (
            f'@workflow("nurture.v{version}", on="contact.created")\n'
            f"async def nurture_{version}(ctx: Context, contact: Contact) -> None:\n    await ctx.sleep('1h')\n"
        )
    (acme / "workflows" / "nurture.py").write_text(code)
    bring(run, acme, "sarah@example.com,Sarah Johnson,")
    rows = {each["name"]: each for each in run("workflows", "list", "--json").json["workflows"]}
    assert [(name, row["state"], row["open"]) for name, row in rows.items()] == [
        ("nurture.v1", "draining", 0), ("nurture.v2", "active", 1), ("speed_to_lead.v1", "active", 0),
    ]  # fmt: skip
    assert "can be removed" in run("workflows", "list").out

    (acme / "workflows" / "nurture.py").unlink()
    missing = run("workflows", "list")
    assert missing.code == 1
    assert "mainstay runs cancel --workflow nurture.v2" in missing.out
    refused = run("worker", "--stack", str(acme))
    assert refused.code == 2
    assert '@workflow("nurture.v2")' in refused.err
