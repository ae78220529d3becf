"""``mainstay mcp`` as an assistant starts it: a process that speaks over its standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.cli.conftest import Run


@pytest.mark.timeout(240)
def test_an_assistant_on_this_machine_reads_and_with_a_token_retries(acme: Path, run: Run) -> None:
    token = run("tokens", "create", "assistant", "--scope", "retry").out.strip()
    assert asyncio.run(asked(acme, "")) == ("fine", False)
    assert asyncio.run(asked(acme, token)) == ("fine", True)


async def asked(folder: Path, token: str) -> tuple[str, bool]:
    """Start the command as an assistant does; return the state that it tells, and whether it may retry."""
    started = StdioServerParameters(
        command=sys.executable, args=["-m", "mainstay", "mcp"], cwd=folder, env={**os.environ, "MAINSTAY_TOKEN": token}
    )
    async with Client(started) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        told = (await client.call_tool("status", {})).structured_content
    return str((told or {})["state"]), "retry_run" in names


def test_a_token_that_opens_nothing_is_said(acme: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSTAY_TOKEN", "mst_x")
    refused = run("mcp")
    assert refused.code == 2
    assert "the token in MAINSTAY_TOKEN is unknown" in refused.err


def test_a_week_is_told(acme: Path, run: Run) -> None:
    told = run("review", "--week", "this")
    assert told.code == 0
    assert "Nothing came in." in told.out
    (week,) = run("review", "--json").json["weeks"]
    assert (week["workspace"], week["leads"], week["is_over"]) == ("acme", 0, True)
    assert run("review", "--week", "soon").code == 2
    assert "has not come yet" in run("review", "--week", "2999-W01").err
