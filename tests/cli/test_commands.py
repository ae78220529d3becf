"""The commands on a project as ``init`` makes it: what they say, and that each answers as JSON."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from mainstay.app import App
from mainstay.cli.session import load_project
from mainstay.engine.inline import InlineEngine, VirtualClock
from tests.cli.conftest import Result, Run, run_process

FAILING = """
from mainstay import Contact, Context, PermanentError, workflow

@workflow("speed_to_lead.v1", on="contact.created")
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    await ctx.crm.add_tag(contact, "speed-to-lead")

    async def call() -> None:
        raise PermanentError("the account is closed", status=403)

    await ctx.step("call", call)
"""
MENDED = FAILING.replace('raise PermanentError("the account is closed", status=403)', "return None")


def drive(folder: Path) -> None:
    """Do all that is queued, as a worker does."""

    async def work() -> None:
        project = load_project((folder / "stack.toml",))
        clock = VirtualClock()
        app = await App.open(os.environ["DATABASE_URL"], project.bundles, clock=clock, pool_size=3)
        try:
            await InlineEngine(app.pool, app.driver, clock, app.scheduler, app.gates).settle()
        finally:
            await app.close()

    asyncio.run(work())


def let_it_ask(short: str) -> None:
    """Make a failed run one that asks whether the call of its last step happened."""

    async def work() -> None:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        run_id = await connection.fetchval("SELECT id FROM runs WHERE id::text LIKE '%' || $1", short)
        await connection.execute("UPDATE runs SET fate = 'asked' WHERE id = $1", run_id)
        await connection.execute(
            "UPDATE attempts SET fate = 'asked', guard = 'asked' WHERE state = 'failed' AND run_id = $1", run_id
        )
        await connection.close()

    asyncio.run(work())


def bring(run: Run, folder: Path, *lines: str) -> Result:
    """Bring in contacts and do what follows from it."""
    file = folder / "leads.csv"
    file.write_text("\n".join(["Email,Name,Phone", *lines]) + "\n")
    result = run("import", "contacts", str(file), "--json")
    drive(folder)
    return result


def test_init_refuses_to_overwrite(acme: Path, run: Run) -> None:
    before = (acme / "stack.toml").read_text()
    result = run("init", ".")
    assert result.code == 2
    assert "nothing was written" in result.err
    assert (acme / "stack.toml").read_text() == before


def test_init_takes_names_that_toml_must_escape(tmp_path: Path, run: Run) -> None:
    made = run("init", str(tmp_path / "bell"), "--name", 'Bell "& Sons"', "--region", "GB", "--json")
    assert made.json["workspace"] == "bell-sons"


def test_init_leaves_nothing_behind_when_a_value_is_wrong(tmp_path: Path, run: Run) -> None:
    result = run("init", str(tmp_path / "bell"), "--timezone", "Europe/Lodnon")
    assert result.code == 2
    assert "Europe/London" in result.err
    assert not (tmp_path / "bell" / "stack.toml").exists()


@pytest.mark.parametrize(("example", "count"), [("speed_to_lead", 2), ("stripe_to_books", 3)])
def test_the_tests_that_init_writes_pass(example: str, count: int, tmp_path: Path, dsn: str, run: Run) -> None:
    folder = tmp_path / "made"
    assert "is ready to" in run("init", str(folder), "--example", example).out
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "MAINSTAY_TEST_DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{count} passed" in done.stdout


def test_init_names_its_examples_where_one_is_unknown(tmp_path: Path, run: Run) -> None:
    result = run("init", str(tmp_path / "made"), "--example", "stripe_to_boks")
    assert result.code == 2
    assert "speed_to_lead, stripe_to_books" in result.err
    assert not (tmp_path / "made").exists()


def test_the_whole_way_of_a_newcomer(acme: Path) -> None:
    """Up, send, status, runs, contacts, deliveries: as processes of their own."""
    with served(acme) as url:
        sent = run_process(
            "send", "website", "--email", "Sarah@Example.com", "--name", "Sarah Johnson", "--key", "k1", "--url", url,
            folder=acme,
        )  # fmt: skip
        assert sent.code == 0, sent.err
        assert "accepted" in sent.out
        found = re.search(r"mainstay deliveries show ([0-9a-f]{8})", sent.out)
        assert found is not None
        again = run_process(
            "send", "website", "--email", "sarah@example.com", "--key", "k1", "--url", url, "--json", folder=acme
        )
        assert again.json["state"] == "repeated"
        bad = run_process("send", "website", "--name", "Nobody", "--url", url, "--json", folder=acme)
        assert bad.code == 1
        assert bad.json["status"] == 422
        contact = wait_for_tag(acme)
        assert contact["email"] == "sarah@example.com"
        (worker,) = [each for each in psutil.Process().children(recursive=True) if "worker" in each.cmdline()]
        assert worker.nice() == min(psutil.Process().nice() + 10, 19), "the server goes first"
        status = run_process("status", folder=acme)
        assert status.code == 1
        assert '✗ 1 thing is broken\n  Deliveries from "website" cannot be read' in status.out
        shown = run_process("deliveries", "show", found[1], folder=acme)
        assert "Email Address: Sarah@Example.com" in shown.out
        assert "speed_to_lead.v1" in shown.out


class served:  # noqa: N801 - reads as a phrase where it is used
    """``mainstay up`` on a free port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mainstay", "up", "--port", "0"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                wait_for_port(int(found[1]))
                return found[0]
        raise AssertionError("`mainstay up` ended before it served")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=40)


def wait_for_port(port: int) -> None:
    """Knock until somebody opens: the address is printed a moment before."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
        else:
            return


def wait_for_tag(folder: Path) -> dict[str, str]:
    """Ask for the contact until the workflow has tagged it; each question takes its own time."""
    for _ in range(60):
        result = run_process("contacts", "show", "sarah@example.com", "--json", folder=folder)
        if result.code == 0 and result.json["contact"]["tags"]:
            contact: dict[str, str] = result.json["contact"]
            return contact
    raise AssertionError("the workflow did not tag the contact")


class TestTrouble:
    @pytest.fixture
    def failed(self, acme: Path, run: Run) -> str:
        """A run that failed; its short id."""
        (acme / "workflows" / "speed_to_lead.py").write_text(FAILING)
        assert bring(run, acme, "sarah@example.com,Sarah Johnson,(312) 555-0147").json["accepted"] == 1
        found = run("runs", "list", "--state", "stopped", "--json").json["runs"]
        assert [each["workflow"] for each in found] == ["speed_to_lead.v1"]
        short: str = found[0]["id"][-8:]
        return short

    def test_status_says_what_is_broken_and_ends_with_1(self, failed: str, run: Run) -> None:
        result = run("status")
        assert result.code == 1
        assert "✗ 1 thing is broken" in result.out
        assert "mainstay incidents show" in result.out
        assert run("status", "--json").json["state"] == "broken"

    def test_the_run_tells_where_it_stopped(self, failed: str, run: Run) -> None:
        result = run("runs", "show", failed)
        assert "failed at step 2 of 2" in result.out
        assert "the account is closed" in result.out
        assert f"mainstay runs retry {failed}" in result.out
        assert "csv (csv), delivery" in result.out

    def test_retry_goes_on_from_the_failed_step(self, failed: str, acme: Path, run: Run) -> None:
        (acme / "workflows" / "speed_to_lead.py").write_text(MENDED)
        dry = run("runs", "retry", "--failed", "--dry-run", "--json")
        assert [each[-8:] for each in dry.json["retried"]] == [failed]
        assert run("runs", "show", failed, "--json").json["run"]["state"] == "failed"
        assert run("runs", "retry", failed).code == 0
        drive(acme)
        assert run("runs", "show", failed, "--json").json["run"]["state"] == "done"
        twice = run("runs", "retry", failed, "--json")
        assert twice.code == 1
        assert len(twice.json["not_failed"]) == 1

    @pytest.mark.parametrize(("answer", "told"), [("--it-happened", True), ("--repeat", False)])
    def test_a_run_that_asks_is_answered(self, answer: str, told: bool, failed: str, acme: Path, run: Run) -> None:
        let_it_ask(failed)
        (acme / "workflows" / "speed_to_lead.py").write_text(MENDED)
        shown = run("runs", "show", failed)
        assert f"mainstay runs retry {failed} --it-happened" in shown.out
        plain = run("runs", "retry", failed)
        assert plain.code == 2
        assert "asks whether its call happened" in plain.err
        assert "1 ask whether their call happened" in run("runs", "retry", "--failed").out
        assert run("runs", "retry", "--failed", answer).code == 2

        assert run("runs", "retry", failed, answer, "--json").json["happened"] is told
        assert "asks nothing" in run("runs", "retry", failed, answer).err
        drive(acme)
        assert run("runs", "show", failed, "--json").json["run"]["state"] == "done"

    def test_an_incident_is_listed_shown_and_resolved(self, failed: str, run: Run) -> None:
        incident = run("incidents", "list", "--json").json["incidents"][0]["id"][-8:]
        assert failed in run("incidents", "show", incident).out
        assert f"--incident {incident}" in run("incidents", "show", incident).out
        assert run("runs", "list", "--incident", incident, "--json").json["runs"]
        assert run("incidents", "resolve", incident, "--json").json["state"] == "resolved"
        assert run("status").code == 0
        assert run("incidents", "resolve", incident).code == 2


def test_the_right_questions_to_ids(acme: Path, run: Run) -> None:
    bring(run, acme, "sarah@example.com,Sarah Johnson,", "bob@example.com,Bob Hill,")
    missing = run("runs", "show", "00000000")
    assert missing.code == 3
    assert "there is no run" in missing.err
    whole = run("contacts", "list", "--json").json["contacts"][0]["id"]
    assert run("contacts", "show", whole[-8:]).code == run("contacts", "show", whole).code == 0
    assert "Sarah Johnson" in run("contacts", "list", "--search", "sarah j").out
    assert run("contacts", "show", "nobody@example.com").code == 3


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_and_never_cut_ids(acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    long = "a" * 60
    bring(run, acme, f"{long}@example.com,{long} {long},(312) 555-0147")
    monkeypatch.setenv("COLUMNS", str(columns))
    short = run("contacts", "list", "--json").json["contacts"][0]["id"][-8:]
    for command in (("contacts", "list"), ("runs", "list"), ("deliveries", "list"), ("contacts", "show", short)):
        lines = run(*command).out.splitlines()
        assert max(map(len, lines)) <= columns, command
        assert not [line for line in lines if line != line.rstrip()]
    assert short in run("contacts", "list").out


def test_output_is_plain_without_a_terminal(acme: Path, run: Run) -> None:
    assert "\x1b" not in run("status").out + run("connections", "list").out + run("runs", "show", "0").err


def test_connections_say_what_the_pull_brought(acme: Path, run: Run) -> None:
    bring(run, acme, "sarah@example.com,Sarah Johnson,")

    async def work() -> None:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        await connection.execute(
            "INSERT INTO pulls (workspace_id, connection, cursor, began_at, pulled_at) "
            "SELECT id, 'mainstay', '', now(), now() FROM workspaces"
        )
        await connection.execute(
            "INSERT INTO tallies (workspace_id, hour, name, label, shard, count) "
            "SELECT id, date_trunc('hour', now()), 'pull mainstay', unnest(ARRAY['brought', 'missed']), 1, 3 "
            "FROM workspaces"
        )
        await connection.close()

    asyncio.run(work())
    (told,) = [each for each in run("connections", "list", "--json").json["connections"] if each["name"] == "mainstay"]
    assert (told["pull"]["brought"], told["pull"]["missed"]) == (3, 3)
    assert "of 7 days 3 changes, 3 that no webhook had brought" in " ".join(run("connections", "list").out.split())
    assert "mainstay: 3 changes came by the pull that no webhook had brought" in run("status").out


@pytest.mark.parametrize(
    "command",
    [
        ("init", "other"),
        ("status",),
        ("runs", "list"),
        ("runs", "show", "RUN"),
        ("runs", "retry", "--failed"),
        ("contacts", "list"),
        ("contacts", "show", "sarah@example.com"),
        ("deliveries", "list"),
        ("deliveries", "show", "DELIVERY"),
        ("deliveries", "replay", "DELIVERY"),
        ("incidents", "list"),
        ("quarantine", "list"),
        ("connections", "list"),
        ("import", "contacts", "leads.csv"),
        ("import", "contacts", "leads.csv", "--dry-run"),
        ("db", "migrate"),
        ("db", "url"),
        ("sign-in", "--as", "Dana", "--may", "read,retry"),
    ],
    ids=" ".join,
)
def test_every_command_answers_as_json(acme: Path, run: Run, command: tuple[str, ...]) -> None:
    bring(run, acme, "sarah@example.com,Sarah Johnson,")
    names = {
        "RUN": run("runs", "list", "--json").json["runs"][0]["id"],
        "DELIVERY": run("deliveries", "list", "--json").json["deliveries"][0]["id"],
    }
    result = run(*(names.get(word, word) for word in command), "--json")
    assert result.code == 0, result.err
    assert isinstance(result.json, dict)


@pytest.mark.parametrize("may", ["", "read,fly"])
def test_a_link_that_is_to_allow_what_there_is_not_is_not_made(acme: Path, run: Run, may: str) -> None:
    refused = run("sign-in", "--may", may)
    assert (refused.code, refused.out) == (2, "")
    assert "there is no scope" in refused.err
    assert "--may read,retry" in refused.err


def test_quarantine_is_shown_and_released(acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = acme / "stack.toml"
    stack.write_text(stack.read_text().replace('# secret = "${WEBSITE_SECRET}"', 'secret = "${WEBSITE_SECRET}"'))
    (acme / ".env").write_text("WEBSITE_SECRET=right-one\n")
    with served(acme) as url:
        monkeypatch.setenv("WEBSITE_SECRET", "wrong-one")
        refused = run("send", "website", "--email", "sarah@example.com", "--url", url)
        assert refused.code == 1
        assert "HTTP 401" in refused.out
    kept = run("quarantine", "list", "--json").json["quarantine"]
    assert len(kept) == 1
    shown = run("quarantine", "show", kept[0]["id"][-8:])
    assert "the secret that was sent is not this source's" in shown.out
    assert "wrong-one" not in shown.out
    (released,) = run("quarantine", "release", kept[0]["id"], "--json").json["released"]
    assert (released["state"], released["error"]) == ("accepted", "")
    assert run("deliveries", "show", released["delivery"]).code == 0
    drive(acme)
    assert run("contacts", "show", "sarah@example.com").code == 0


def test_a_text_message_is_sent_as_twilio_hands_it_on(acme: Path, run: Run) -> None:
    with (acme / "stack.toml").open("a") as stack:
        stack.write('\n[sources.texts]\nkind = "twilio"\nauth_token = "${TWILIO_AUTH_TOKEN}"\n')
    (acme / ".env").write_text("TWILIO_AUTH_TOKEN=sample-token\n")
    local = run("send", "texts", "--phone", "312 555 0147")
    assert (local.code != 0, "+13125550147" in local.err) == (True, True)
    with served(acme) as url:
        sent = run("send", "texts", "--phone", "+1 312 555 0147", "--url", url)
    assert (sent.code, "HTTP 200" in sent.out, "Response" in sent.out) == (0, True, False), sent.out + sent.err
    drive(acme)
    assert run("contacts", "show", "+13125550147").code == 0


def test_send_says_when_nothing_answers(acme: Path, run: Run) -> None:
    result = run("send", "website", "--email", "sarah@example.com", "--url", "http://127.0.0.1:1")
    assert result.code == 1
    assert "mainstay up" in result.err
    assert run("send", "webiste", "--email", "a@example.com").code == 3
    assert 'Did you mean "website"?' in run("send", "webiste", "--email", "a@example.com").err


def test_runs_are_cancelled_by_id_or_by_what_they_are_of(acme: Path, run: Run) -> None:
    assert run("runs", "cancel").code == 2
    assert run("runs", "cancel", "7f3a91c2", "--workflow", "speed_to_lead.v1").code == 2
    assert run("runs", "cancel", "--workflow", "speed_to_lead.v1", "--state", "failed").code == 2
    none = run("runs", "cancel", "--workflow", "speed_to_lead.v1")
    assert (none.code, none.out.strip()) == (0, "No run is open that matches.")
    dry = run("runs", "cancel", "--workflow", "speed_to_lead.v1", "--dry-run", "--json")
    assert dry.json == {"dry_run": True, "cancelled": [], "begun_by_them": [], "left": []}
