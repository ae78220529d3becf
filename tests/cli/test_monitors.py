"""``mainstay monitors``: what is watched, its address, and a new one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mainstay.cli.session import load_project, open_app
from mainstay.monitors import Outcome, Ping, Signal
from tests.cli.conftest import Run


def ping(acme: Path, url: str, signal: Signal, body: str = "") -> Outcome:
    """Ping as the web process would."""

    async def work() -> Outcome:
        async with open_app(load_project((acme / "stack.toml",)), os.environ["DATABASE_URL"]) as app:
            _, _, _, key, name = url.rsplit("/", 4)
            workspace = app.by_slug["acme"]
            return await app.pinged.receive(workspace.id, name, key, Ping(signal, 3, body=body))

    return asyncio.run(work())


def test_a_monitor_from_its_address_to_its_failure_and_its_next_address(acme: Path, run: Run) -> None:
    assert "As it usually comes, learned" in run("monitors", "list").out, "sources are watched unasked"
    source = run("monitors", "show", "website", "--kind", "source")
    assert source.code == 0
    assert "not heard of yet" in source.out
    assert run("monitors", "show", "website", "--json").json["monitor"]["kind"] == "source"
    with (acme / "stack.toml").open("a") as stack:
        stack.write('\n[monitors.backup]\nevery = "1h"\n')
    shown = run("monitors", "show", "backup")
    assert shown.code == 0
    assert "not heard of yet" in shown.out
    assert "curl -fsS" in shown.out
    url = run("monitors", "show", "backup", "--json").json["url"]
    assert url.startswith("http://127.0.0.1:8080/ping/acme/")
    assert ping(acme, url, Signal.FAIL, "disk full") is Outcome.TAKEN

    listed = run("monitors", "list")
    assert listed.code == 1, "one is down"
    assert "Every 1 hour" in listed.out
    assert run("monitors", "list", "--json").json["monitors"][0]["state"] == "down"
    shown = run("monitors", "show", "backup")
    assert "exit code 3 disk full" in shown.out
    told = run("status")
    assert told.code == 1
    assert "backup failed" in told.out

    renewed = run("monitors", "renew", "backup", "--json").json["url"]
    assert renewed != url
    assert ping(acme, url, Signal.SUCCESS) is Outcome.UNKNOWN
    assert ping(acme, renewed, Signal.SUCCESS) is Outcome.TAKEN
    assert run("monitors", "list").code == 0


def test_what_is_not_there_is_said(acme: Path, run: Run) -> None:
    for verb in ("show", "renew"):
        answer = run("monitors", verb, "nothing")
        assert answer.code == 3
        assert "mainstay monitors list" in answer.err
