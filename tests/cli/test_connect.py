"""Connecting an account on a real database and the simulated vendor, as a person at a terminal does."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from mainstay.sandbox.client import Sandbox
from tests.cli.conftest import Run, run_process

STACK = """
[workspace]
name = "Acme"
timezone = "America/Chicago"
region = "US"

[connections.hub]
connector = "hubspot"
client_id = "our app"
client_secret = "${{HUB_SECRET}}"
base_url = "{base}"

[connections.slack]
connector = "slack"
token = "${{SLACK_TOKEN}}"
base_url = "{slack}"

[roles]
crm = "hub"
"""


@pytest.fixture
def folder(acme: Path, sandbox: Sandbox) -> Path:
    write(acme, sandbox)
    for workflow in (acme / "workflows").glob("*.py"):
        workflow.unlink()
    return acme


def write(folder: Path, sandbox: Sandbox, secret: str = "s3cret") -> None:
    base, slack = sandbox.url("hubspot"), sandbox.url("slack")
    (folder / "stack.toml").write_text(STACK.format(base=base, slack=slack))
    (folder / ".env").write_text(f"HUB_SECRET={secret}\nSLACK_TOKEN=xoxb-good\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def connecting(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Begin to connect; gives the process, the vendor's address, and what it said so far."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstay", "connect", "hub", "--no-browser", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    assert process.stderr is not None
    address = ""
    for line in process.stderr:
        said.append(line)
        if (found := re.match(r"\s+(http\S+/oauth/authorize\S+)", line)) is not None:
            address = found[1]
            break
    assert address, "".join(said)
    try:
        yield process, address, said
    finally:
        process.kill()
        process.communicate()


def visit(address: str) -> tuple[int, str]:
    """Open an address as a browser does, redirects and all."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - the sandbox's
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def back_from(address: str) -> str:
    """Return the address that the vendor's page sends the person back to."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=30)
    except urllib.error.HTTPError as redirect:
        return str(redirect.headers["Location"])
    raise AssertionError(address)


def test_a_person_connects_an_account_by_the_browser(folder: Path, run: Run, sandbox: Sandbox) -> None:
    before = run("connections", "check", "hub", "--json")
    assert (before.code, before.json["connections"][0]["state"]) == (1, "failed")
    assert "run  mainstay connect hub" in before.json["connections"][0]["text"]
    port = free_port()
    with connecting(folder, "--port", str(port)) as (process, address, said):
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["redirect_uri"] == f"http://localhost:{port}/callback"
        assert "crm.objects.contacts.write" in asked["scope"]
        # What is not from the vendor changes nothing.
        assert visit(f"http://localhost:{port}/callback?error=access_denied&state=guessed")[0] == 404
        assert visit(f"http://localhost:{port}/favicon.ico")[0] == 404
        status, page = visit(address)
        out, err = process.communicate(timeout=60)

    assert (status, process.returncode) == (200, 0), (page, out, err)
    assert "hub is connected" in page
    assert "✓ hub is connected: HubSpot account 4712" in out
    key = folder / ".mainstay" / "secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not list(key.parent.glob("secret.key.*"))
    for text in (out, "".join(said), err, page):
        assert "access-" not in text
        assert "refresh-" not in text
    good = run("connections", "check", "--json")
    assert good.code == 0
    assert {each["name"]: (each["state"], each["text"]) for each in good.json["connections"]} == {
        "hub": ("ok", "HubSpot account 4712"),
        "slack": ("ok", "mainstay in the Slack workspace Sandbox"),
    }
    assert "HubSpot account 4712" in run("connections", "check").out


def test_a_person_who_does_not_agree_is_told_so(folder: Path) -> None:
    port = free_port()
    with connecting(folder, "--port", str(port)) as (process, address, _said):
        state = dict(parse_qsl(urlsplit(address).query))["state"]
        said = urlencode({"error": "access_denied", "error_description": "<b>No</b>", "state": state})
        status, page = visit(f"http://localhost:{port}/callback?{said}")
        _out, err = process.communicate(timeout=60)

    assert (status, process.returncode) == (400, 1)
    assert "&lt;b&gt;No&lt;/b&gt;" in page
    assert "the vendor's page gave no access to hub (access_denied: <b>No</b>)" in " ".join(err.split())


def test_a_machine_without_a_browser_takes_the_pasted_address(folder: Path, run: Run) -> None:
    with connecting(folder, "--redirect-url", "https://acme.example/back") as (process, address, _said):
        landed = back_from(address)
        assert landed.startswith("https://acme.example/back?code=")
        out, err = process.communicate(f"{landed}\n", timeout=60)
    assert process.returncode == 0, err
    assert "hub is connected" in out

    with connecting(folder, "--redirect-url", "https://acme.example/back") as (process, address, _said):
        landed = back_from(address)
    code = dict(parse_qsl(urlsplit(landed).query))["code"]
    done = run("connect", "hub", "--code", code, "--json")
    assert (done.code, done.json["text"]) == (0, "HubSpot account 4712")
    again = run("connect", "hub", "--code", code)
    assert again.code == 1
    assert "begin again with mainstay connect" in " ".join(again.err.split())


def test_a_secret_that_the_vendor_does_not_take_is_said_with_the_mend(folder: Path, sandbox: Sandbox) -> None:
    write(folder, sandbox, secret="wrong")
    with connecting(folder, "--port", str(free_port())) as (process, address, _said):
        visit(address)
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    said = "Check client_id, client_secret, and that the app at the vendor lists the redirect URL"
    assert said in " ".join(err.split())


def test_tokens_are_dropped_when_they_are_to_be_forgotten(folder: Path, run: Run) -> None:
    with connecting(folder, "--port", str(free_port())) as (process, address, _said):
        visit(address)
        process.communicate(timeout=60)
    assert "dropped" in run("connect", "hub", "--forget").out
    assert run("connect", "hub", "--forget", "--json").json == {"connection": "hub", "forgotten": False}
    assert run("connections", "check", "hub").code == 1


def test_another_key_is_said_in_the_users_words(folder: Path, run: Run) -> None:
    with connecting(folder, "--port", str(free_port())) as (process, address, _said):
        visit(address)
        process.communicate(timeout=60)
    other = {"MAINSTAY_SECRET_KEY": "q3kUuG0YV1l7Cq6r0G2mQZc7i9m1r0o3X3yB2m5q8dA="}
    done = run_process("connections", "check", "hub", "--json", folder=folder, environment=other)
    assert done.code == 1
    assert "MAINSTAY_SECRET_KEY" in done.json["connections"][0]["text"]
    former = (folder / ".mainstay" / "secret.key").read_text().strip()
    both = {"MAINSTAY_SECRET_KEY": f"{other['MAINSTAY_SECRET_KEY']}, {former}"}
    assert run_process("connections", "check", "hub", folder=folder, environment=both).code == 0
    none = run_process("connections", "check", folder=folder, environment={"MAINSTAY_SECRET_KEY": "no key"})
    assert none.code == 2
    assert "MAINSTAY_SECRET_KEY is not 32 bytes in base64" in none.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("connect", "hubspot"), 3, 'there is no connection "hubspot"'),
        (("connect", "slack"), 2, "nothing to connect"),
        (("connections", "check", "hubspot"), 3, 'there is no connection "hubspot"'),
        (("connect", "hub", "--redirect-url", "acme"), 2, "is no web address"),
    ],
)
def test_what_cannot_be_connected_is_said(
    folder: Path, run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*arguments)
    assert done.code == code
    assert said in done.err
