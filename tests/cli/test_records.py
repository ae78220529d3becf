"""``mainstay records``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

from mainstay.db import open_pool
from tests.cli.conftest import Run
from tests.web.records_told import tell


def test_a_list_and_one_with_whose_word_each_value_is(acme: Path, run: Run) -> None:
    assert "No invoice yet" in run("records", "list", "invoice").out
    workspace = UUID(run("contacts", "add", "--email", "kim@example.com", "--json").json["contact"]["workspace_id"])
    url = run("db", "url").out.strip()

    async def told() -> None:
        pool = await open_pool(url)
        await tell(pool, workspace)
        await pool.close()

    asyncio.run(told())
    listed = run("records", "list", "invoice", "--status", "paid", "--json").json["records"]
    assert [each["values"]["number"] for each in listed] == ["INV-1045"]
    shown = run("records", "show", listed[0]["id"][-8:])
    assert shown.code == 0
    assert "2450.00" in shown.out
    assert "books through books source" in shown.out
    assert 'status: "void" does not stand' in shown.out
    assert "deleted there" in run("records", "list", "deal").out


def test_what_is_wrong_is_told(acme: Path, run: Run) -> None:
    assert 'no type of record "quote"' in run("records", "list", "quote").err
    missing = run("records", "show", "00000000")
    assert missing.code == 3
    assert "mainstay records list" in missing.err
