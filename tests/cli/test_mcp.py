"""``mainstay mcp`` as an assistant starts it: a process that speaks over its standard input and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.cli.conftest import Run


@pytest.mark.timeout(240)
async def test_an_assistant_on_this_machine_reads_and_with_a_token_retries(acme: Path, run: Run) -> None:
    token = run("tokens", "create", "assistant", "--scope", "retry").out.strip()
    for given, may_retry in (("", False), (token, True)):
        started = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mainstay", "mcp"],
            cwd=acme,
            env={**os.environ, "MAINSTAY_TOKEN": given},
        )
        async with Client(started) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert ("retry_run" in names) is may_retry
            told = await client.call_tool("status", {})
            assert told.structured_content is not None
            assert told.structured_content["state"] == "fine"


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
