from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.crm import HubSpotCRM, http_settings
from mainstay.connectors.hubspot.pulling import BATCH
from mainstay.connectors.hubspot.settings import HubSpotConnection
from mainstay.kit import ConnectionSettings, Http, PermanentError, TransientError
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.connectors.crm_conformance import TOKEN, bench, sandbox
from tests.connectors.pull_conformance import PullConformance, PullVendor
from tests.kit.recorder import Recorder, recording

__all__ = ["bench", "sandbox"]


def connection(base_url: str) -> HubSpotConnection:
    return HubSpotConnection.model_validate({"connector": "hubspot", "token": TOKEN, "base_url": base_url})


class Vendor:
    name = "hubspot"
    connector = CONNECTOR
    batch = BATCH

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def change(self, sandbox: Sandbox, changes: list[tuple[str, str, datetime]]) -> None:
        records = [
            {"id": record_id, "properties": {"email": email, "lastmodifieddate": utc(at)}}
            for record_id, email, at in changes
        ]
        sandbox.seed("hubspot", "contacts", records)

    def id_of(self, number: int) -> str:
        return str(50_000 + number)


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> PullVendor:
    return Vendor()


class TestConformance(PullConformance):
    pass


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


@pytest.fixture
async def crm(recorder: Recorder) -> AsyncIterator[HubSpotCRM]:
    settings = connection(recorder.url)
    async with aiohttp.ClientSession() as session:
        yield HubSpotCRM(settings, Http(session, http_settings(settings)))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"results": None},
        {"results": [None]},
        {"results": [{"id": "1"}]},
        {"results": [{"id": 1, "properties": {"lastmodifieddate": "2026-01-05T09:00:00Z"}}]},
        {"results": [{"id": "x", "properties": {"lastmodifieddate": "2026-01-05T09:00:00Z"}}]},
        {"results": [{"id": "1", "properties": {"lastmodifieddate": ["x"]}}]},
    ],
)
async def test_an_answer_of_another_form_is_a_clear_error(recorder: Recorder, crm: HubSpotCRM, answer: Any) -> None:
    recorder.answer(answer)

    with pytest.raises(TransientError, match="the answer has no results|a result has no id"):
        await crm.pull_contacts("")


async def test_the_cursor_of_another_vendor_is_refused(crm: HubSpotCRM) -> None:
    with pytest.raises(PermanentError, match="is no cursor of a pull from HubSpot"):
        await crm.pull_contacts("2026-01-05T09:00:00.000Z|003Hs0000000001AAA")
