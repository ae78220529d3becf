from __future__ import annotations

from datetime import datetime

import pytest

from mainstay.connectors.notion import CONNECTOR
from mainstay.connectors.notion.pulling import BATCH
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit.pulling import utc
from tests.connectors.record_pull_conformance import RecordVendor, SeededTasks, WalkedPullConformance, pulling, sandbox

__all__ = ["pulling", "sandbox"]


class Notion(SeededTasks):
    """Its times of a change are cut to the minute, as Notion's are."""

    name = "notion"
    connector = CONNECTOR
    records = "pages"
    named = "title"
    changed = "last_edited_time"
    batch = BATCH

    def settings(self, base_url: str) -> NotionConnection:
        told = {"connector": "notion", "token": "tok-1", "database": "tasks", "base_url": base_url}
        return NotionConnection.model_validate(told)

    def at(self, moment: datetime) -> str:
        return utc(moment.replace(second=0))


@pytest.fixture
def vendor() -> RecordVendor:
    return Notion()


class TestPulls(WalkedPullConformance):
    pass
