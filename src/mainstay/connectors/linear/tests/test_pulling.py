from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from mainstay.connectors.linear import CONNECTOR
from mainstay.connectors.linear.pulling import BATCH
from mainstay.connectors.linear.settings import LinearConnection
from mainstay.kit import RecordType
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox
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
TRASH = "mutation Trash($id: String!) { issueDelete(id: $id) { success } }"


class Linear:
    name = "linear"
    connector = CONNECTOR
    kind: RecordType = "task"
    batch = BATCH
    shown = "title"
    lag = timedelta(minutes=1)

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def settings(self, base_url: str) -> LinearConnection:
        return LinearConnection.model_validate(
            {"connector": "linear", "api_key": TOKEN, "team": "ops", "base_url": base_url}
        )

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        told = [
            {"title": value, "updatedAt": utc(at)} | ({"id": self._ids[n]} if n in self._ids else {})
            for n, value, at in changes
        ]
        sandbox.seed("linear", "issues", told)
        made = sandbox.state("linear")["issues"][len(self._ids) :]
        self._ids |= zip((n for n, _, _ in changes if n not in self._ids), (each["id"] for each in made), strict=True)


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
