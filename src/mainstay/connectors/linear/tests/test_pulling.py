from __future__ import annotations

import asyncio

import pytest

from mainstay.connectors.linear import CONNECTOR
from mainstay.connectors.linear.pulling import BATCH
from mainstay.connectors.linear.settings import LinearConnection
from tests.connectors.record_pull_conformance import (
    THEN,
    Pulling,
    RecordVendor,
    SeededTasks,
    WalkedPullConformance,
    pulling,
    sandbox,
)
from tests.sandbox.wire import call

__all__ = ["pulling", "sandbox"]
TOKEN = "tok-1"
TRASH = "mutation Trash($id: String!) { issueDelete(id: $id) { success } }"


class Linear(SeededTasks):
    name = "linear"
    connector = CONNECTOR
    records = "issues"
    named = "title"
    changed = "updatedAt"
    batch = BATCH

    def settings(self, base_url: str) -> LinearConnection:
        return LinearConnection.model_validate(
            {"connector": "linear", "api_key": TOKEN, "team": "ops", "base_url": base_url}
        )


@pytest.fixture
def vendor() -> RecordVendor:
    return Linear()


class TestPulls(WalkedPullConformance):
    pass


async def test_what_is_in_the_trash_is_gone(pulling: Pulling) -> None:
    await pulling.change((1, THEN), (2, THEN))
    _, cursor = await pulling.all()
    trash = {"query": TRASH, "variables": {"id": pulling.vendor.id_of(1)}}
    url = f"{pulling.sandbox.url('linear')}/graphql"
    await asyncio.to_thread(call, "POST", url, trash, {"Authorization": TOKEN})

    found, _ = await pulling.all(cursor)

    assert [(each.external_id, each.is_gone) for each in found] == [(pulling.vendor.id_of(1), True)]
