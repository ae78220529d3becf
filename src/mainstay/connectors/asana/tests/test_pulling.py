from __future__ import annotations

import asyncio

import pytest

from mainstay.connectors.asana import CONNECTOR
from mainstay.connectors.asana.pulling import BATCH
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.sandbox.vendors.asana import WORKSPACE
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


class Asana(SeededTasks):
    name = "asana"
    connector = CONNECTOR
    records = "tasks"
    named = "name"
    changed = "modified_at"
    id = "gid"
    batch = BATCH

    def settings(self, base_url: str) -> AsanaConnection:
        told = {"connector": "asana", "token": TOKEN, "workspace": WORKSPACE, "project": "leads"}
        return AsanaConnection.model_validate(told | {"base_url": f"{base_url}/api/1.0"})


@pytest.fixture
def vendor() -> RecordVendor:
    return Asana()


class TestPulls(WalkedPullConformance):
    pass


@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_what_is_deleted_comes_by_the_events_while_asana_keeps_them(pulling: Pulling, is_forgotten: bool) -> None:
    await pulling.change(*((n, THEN) for n in range(3)))
    _, cursor = await pulling.all()
    delete = f"{pulling.sandbox.url('asana')}/api/1.0/tasks/{pulling.vendor.id_of(1)}"
    await asyncio.to_thread(call, "DELETE", delete, None, {"Authorization": f"Bearer {TOKEN}"})
    if is_forgotten:
        await asyncio.to_thread(lambda: pulling.sandbox.configure("asana", forgets_events=True))

    found, cursor = await pulling.all(cursor)

    gone = [] if is_forgotten else [(pulling.vendor.id_of(1), True)]
    assert [(each.external_id, each.is_gone) for each in found] == gone
    assert (await pulling.all(cursor))[0] == []
