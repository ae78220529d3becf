from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mainstay.connectors.notion import CONNECTOR
from mainstay.connectors.notion.pulling import BATCH
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import RecordType
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox
from tests.connectors.record_pull_conformance import RecordVendor, WalkedPullConformance, pulling, sandbox

__all__ = ["pulling", "sandbox"]


class Notion:
    """Its times of a change are cut to the minute, as Notion's are."""

    name = "notion"
    connector = CONNECTOR
    kind: RecordType = "task"
    batch = BATCH
    shown = "title"
    lag = timedelta(minutes=1)

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def settings(self, base_url: str) -> NotionConnection:
        told = {"connector": "notion", "token": "tok-1", "database": "tasks", "base_url": base_url}
        return NotionConnection.model_validate(told)

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        told = [
            {"title": value, "last_edited_time": utc(at.replace(second=0))}
            | ({"id": self._ids[n]} if n in self._ids else {})
            for n, value, at in changes
        ]
        sandbox.seed("notion", "pages", told)
        made = sandbox.state("notion")["pages"][len(self._ids) :]
        self._ids |= zip((n for n, _, _ in changes if n not in self._ids), (each["id"] for each in made), strict=True)


@pytest.fixture
def vendor() -> RecordVendor:
    return Notion()


class TestPulls(WalkedPullConformance):
    pass
