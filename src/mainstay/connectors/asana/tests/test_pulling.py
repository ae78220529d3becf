from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from mainstay.connectors.asana import CONNECTOR
from mainstay.connectors.asana.pulling import BATCH
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.kit import RecordType
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.asana import WORKSPACE
from tests.connectors.record_pull_conformance import (
    THEN,
    Pulling,
    RecordVendor,
    WalkedPullConformance,
    pulling,
    sandbox,
)
from tests.sandbox.wire import call

__all__ = ["pulling", "sandbox"]
TOKEN = "tok-1"


class Asana:
    name = "asana"
    connector = CONNECTOR
    kind: RecordType = "task"
    batch = BATCH
    shown = "title"
    lag = timedelta(minutes=1)

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def settings(self, base_url: str) -> AsanaConnection:
        told = {"connector": "asana", "token": TOKEN, "workspace": WORKSPACE, "project": "leads"}
        return AsanaConnection.model_validate(told | {"base_url": f"{base_url}/api/1.0"})

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        told = [
            {"name": value, "modified_at": utc(at)} | ({"gid": self._ids[n]} if n in self._ids else {})
            for n, value, at in changes
        ]
        sandbox.seed("asana", "tasks", told)
        made = sandbox.state("asana")["tasks"][len(self._ids) :]
        self._ids |= zip((n for n, _, _ in changes if n not in self._ids), (each["gid"] for each in made), strict=True)


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
