from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from mainstay.connectors.gohighlevel import CONNECTOR
from mainstay.connectors.gohighlevel.crm import GoHighLevelCRM, http_settings
from mainstay.connectors.gohighlevel.pulling import BATCH
from mainstay.connectors.gohighlevel.settings import GoHighLevelConnection
from mainstay.kit import ConnectionSettings, Http, NeedsHumanError, PermanentError, TransientError
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.connectors.crm_conformance import TOKEN, Bench, bench, sandbox
from tests.connectors.pull_conformance import PullConformance, PullVendor
from tests.kit.recorder import Recorder, recording

__all__ = ["bench", "sandbox"]
LOCATION = "ve9EPM428h8vShlRW1KT"


def connection(base_url: str) -> GoHighLevelConnection:
    values = {"connector": "gohighlevel", "token": TOKEN, "location_id": LOCATION, "base_url": base_url}
    return GoHighLevelConnection.model_validate(values | {"pull_by_date_updated": True})


class Vendor:
    name = "gohighlevel"
    connector = CONNECTOR
    batch = BATCH

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def change(self, sandbox: Sandbox, changes: list[tuple[str, str, datetime]]) -> None:
        records = [
            {"id": record_id, "locationId": LOCATION, "email": email, "dateUpdated": utc(at)}
            for record_id, email, at in changes
        ]
        sandbox.seed("gohighlevel", "contacts", records)

    def id_of(self, number: int) -> str:
        return f"contact{number:013d}"


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> PullVendor:
    return Vendor()


class TestConformance(PullConformance):
    pass


async def test_without_the_setting_nothing_is_asked(bench: Bench) -> None:
    crm: Any = bench.crm(pull_by_date_updated=False)

    with pytest.raises(NeedsHumanError, match="pull_by_date_updated = true"):
        await crm.pull_contacts("")

    assert await bench.calls() == 0


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


@pytest.fixture
async def crm(recorder: Recorder) -> AsyncIterator[GoHighLevelCRM]:
    settings = connection(recorder.url)
    async with aiohttp.ClientSession() as session:
        yield GoHighLevelCRM(settings, Http(session, http_settings(settings)))


def contact(number: int, updated: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "email": f"{number}@example.com", "dateUpdated": updated} | more


@pytest.mark.parametrize(
    "contacts",
    [
        [contact(1, "2026-01-06T00:00:00Z"), contact(2, "2026-01-05T00:00:00Z")],
        [contact(1, "2025-01-05T00:00:00Z")],
    ],
)
async def test_an_answer_that_does_not_heed_the_order_or_the_range_is_refused(
    recorder: Recorder, crm: GoHighLevelCRM, contacts: list[Any]
) -> None:
    recorder.answer({"contacts": contacts})

    with pytest.raises(NeedsHumanError, match="did not keep to dateUpdated"):
        await crm.pull_contacts("2026-01-01T00:00:00.000Z")


async def test_a_full_page_without_search_after_is_refused(recorder: Recorder, crm: GoHighLevelCRM) -> None:
    recorder.answer({"contacts": [contact(n, "2026-01-05T00:00:00Z") for n in range(BATCH)]})

    with pytest.raises(NeedsHumanError, match="has no searchAfter"):
        await crm.pull_contacts("")


async def test_a_search_that_gives_the_same_page_for_ever_is_found_out(recorder: Recorder, crm: GoHighLevelCRM) -> None:
    page = [contact(n, "2026-01-05T00:00:00Z", searchAfter=[1767571200000, f"c{n}"]) for n in range(BATCH)]
    recorder.answer({"contacts": page})
    cursor = (await crm.pull_contacts("")).cursor
    recorder.answer({"contacts": page})

    with pytest.raises(PermanentError, match="the same page again"):
        await crm.pull_contacts(cursor)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"contacts": None},
        {"contacts": [None]},
        {"contacts": [{"id": 5, "dateUpdated": "2026-01-05T00:00:00Z"}]},
        {"contacts": [{"id": "c1", "dateUpdated": ["x"]}]},
    ],
)
async def test_an_answer_of_another_form_is_a_clear_error(recorder: Recorder, crm: GoHighLevelCRM, answer: Any) -> None:
    recorder.answer(answer)

    with pytest.raises(TransientError, match="the answer has no contacts|a contact has no id"):
        await crm.pull_contacts("")


async def test_a_contact_of_another_form_is_a_clear_error(recorder: Recorder, crm: GoHighLevelCRM) -> None:
    recorder.answer({"contacts": [contact(1, "2026-01-05T00:00:00Z", phone=["x"])]})

    with pytest.raises(PermanentError, match="phone should be a text"):
        await crm.pull_contacts("")
