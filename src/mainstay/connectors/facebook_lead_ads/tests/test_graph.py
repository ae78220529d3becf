"""Reading leads from the Graph API over real HTTP, and what its errors mean."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from mainstay.connectors.facebook_lead_ads.graph import classify, fetch, http
from mainstay.connectors.facebook_lead_ads.settings import FacebookLeadAdsSettings
from mainstay.kit import (
    Event,
    Http,
    MalformedError,
    NeedsHumanError,
    PermanentError,
    Response,
    Submission,
    TransientError,
)
from mainstay.sandbox import Sandbox
from tests.contracts.vendor_specs import validate_recorded

LEAD = {
    "id": "9007199254740993",
    "created_time": "2026-03-02T10:04:00+0000",
    "form_id": "551111744595541",
    "ad_id": "120210000000000001",
    "campaign_id": "120210000000000003",
    "platform": "ig",
    "is_organic": False,
    "field_data": [
        {"name": "full_name", "values": ["Zoë Groß"]},
        {"name": "email", "values": ["Zoe@Example.com"]},
        {"name": "phone_number", "values": ["+4930901820"]},
        {"name": "company_name", "values": ["Groß & Co"]},
        {"name": "which_rooms?", "values": ["kitchen", "bath"]},
    ],
}
NOTICE = Event("contact.submitted", key="9007199254740993", data={"leadgen_id": "9007199254740993"})


def source(sandbox: Sandbox, **values: Any) -> FacebookLeadAdsSettings:
    known = {"app_secret": "top", "verify_token": "v", "page_token": "page-token", "base_url": sandbox.url("meta")}
    return FacebookLeadAdsSettings(kind="facebook_lead_ads", **(known | values))


async def test_a_lead_is_read_as_the_contract_has_it(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    sandbox.seed("meta", "leads", [LEAD])
    settings = source(sandbox)
    client = Http(session, http(settings))
    event = await fetch(NOTICE, settings, client)
    created = datetime(2026, 3, 2, 10, 4, tzinfo=UTC)
    assert event == Event(
        "contact.submitted",
        key=NOTICE.key,
        time=created,
        data=NOTICE.data,
        submission=Submission(
            email="Zoe@Example.com",
            phone="+4930901820",
            name="Zoë Groß",
            company="Groß & Co",
            custom={
                "which_rooms?": "kitchen, bath",
                "platform": "ig",
                "form_id": "551111744595541",
                "ad_id": "120210000000000001",
                "campaign_id": "120210000000000003",
            },
            occurred_at=created,
        ),
    )
    (recorded,) = sandbox.requests("meta")
    validate_recorded(recorded)
    assert "/v23.0/9007199254740993?fields=created_time,field_data" in client.exchanges[0]["url"].replace("%2C", ",")
    assert "page-token" not in str(client.exchanges)


async def test_a_map_names_fields(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    sandbox.seed("meta", "leads", [LEAD])
    settings = source(sandbox, map={"email": "email", "tags": "which_rooms", "source": "'facebook'"})
    event = await fetch(NOTICE, settings, Http(session, http(settings)))
    assert event.submission is not None
    assert (event.submission.source, event.submission.name) == ("facebook", "")
    assert event.submission.custom["full_name"] == "Zoë Groß"


async def test_a_refused_token_needs_a_human(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    sandbox.configure("meta", tokens=["another"])
    settings = source(sandbox)
    with pytest.raises(NeedsHumanError, match="set page_token") as error:
        await fetch(NOTICE, settings, Http(session, http(settings)))
    assert "page-token" not in str(error.value)


async def test_a_lead_that_is_gone_is_permanent(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    settings = source(sandbox)
    with pytest.raises(PermanentError, match="does not exist"):
        await fetch(NOTICE, settings, Http(session, http(settings)))


async def test_a_lead_without_anything_to_reach_is_malformed(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    sandbox.seed("meta", "leads", [LEAD | {"field_data": [{"name": "colour", "values": ["red"]}]}])
    settings = source(sandbox)
    with pytest.raises(MalformedError, match='the payload has "colour"'):
        await fetch(NOTICE, settings, Http(session, http(settings)))


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"code": 190}, NeedsHumanError),
        (401, {"code": 102}, NeedsHumanError),
        (403, {"code": 200}, NeedsHumanError),
        (400, {"code": 10}, NeedsHumanError),
        *((400, {"code": code}, TransientError) for code in (1, 2, 4, 17, 32, 341, 613, 80001)),
        (400, {"code": 100, "is_transient": True}, TransientError),
        (400, {"code": 100, "is_transient": False}, PermanentError),
        (500, {"code": "x"}, TransientError),
        (403, {}, NeedsHumanError),
        (404, "text", PermanentError),
    ],
)
def test_error_codes(status: int, error: Any, expected: type[Exception]) -> None:
    refusal = classify(Response(status, {}, b"{}", {"error": error}))
    assert type(refusal) is expected
    assert refusal.status == status


def test_an_answer_without_error_is_fine() -> None:
    assert classify(Response(200, {}, b"{}", {"id": "1"})) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 3}, {"type": "x"}]}'}, 180.0),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({"x-business-use-case-usage": "[1]"}, None),
        ({"x-business-use-case-usage": "{"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    refusal = classify(Response(400, headers, b"{}", {"error": {"code": 4}}))
    assert isinstance(refusal, TransientError)
    assert refusal.retry_after == seconds


async def test_answers_that_are_no_lead(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    for field_data in ("text", ["text"], [{"name": "email", "values": "a@b.co"}]):
        sandbox.seed("meta", "leads", [orjson.loads(orjson.dumps(LEAD | {"field_data": field_data}))])
        settings = source(sandbox)
        with pytest.raises(PermanentError, match="not a lead"):
            await fetch(NOTICE, settings, Http(session, http(settings)))
