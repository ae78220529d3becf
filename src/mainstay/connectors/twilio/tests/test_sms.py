from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from mainstay.connectors.twilio import CONNECTOR
from mainstay.connectors.twilio.settings import TwilioConnection
from mainstay.connectors.twilio.sms import http_settings, make_sms
from mainstay.errors import VendorError
from mainstay.kit import Http, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.contracts.vendor_specs import validate_recorded, validate_request, validate_response
from tests.kit.recorder import Recorder

FIXTURES = Path(__file__).parent / "fixtures"
ACCOUNT = "AC" + "0a" * 16
SERVICE = "MG" + "2c" * 16
KEY = "SK" + "3d" * 16
TOKEN = "sample-auth-token"
TO, TEXT = "+13125550147", "Grüße, Zoë 李 👍"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def settings(**keys: Any) -> TwilioConnection:
    filled = {"connector": "twilio", "account_sid": ACCOUNT, "auth_token": TOKEN, "from": "+13125550100", **keys}
    return TwilioConnection.model_validate({key: value for key, value in filled.items() if value is not None})


async def ask(base_url: str, operation: str, to: str = TO, text: str = TEXT, *, ago: float = 0.0, **keys: Any) -> Any:
    connection = settings(base_url=base_url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key="run/2")
        http.tried_ago = ago
        try:
            return await getattr(make_sms(connection, http), operation)(to, text)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


async def send(vendor: Recorder, to: str = TO, text: str = TEXT, **keys: Any) -> Sent:
    sent = await ask(vendor.url, "send", to, text, **keys)
    assert isinstance(sent, Sent)
    return sent


async def test_a_message_keeps_twilios_contract(vendor: Recorder) -> None:
    answer = fixture("sent.json")
    vendor.answer(answer, status=201)

    assert await send(vendor) == Sent(fixture("sent.expected.json")["id"])

    [request] = vendor.requests
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert dict(parse_qsl(request.body.decode())) == {"To": TO, "Body": TEXT, "From": "+13125550100"}
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    validate_request("twilio", request.method, request.url, request.headers, request.body)
    validate_response("twilio", "POST", request.url, 201, {"Content-Type": "application/json"}, json.dumps(answer))


async def test_an_api_key_and_a_messaging_service_keep_the_contract_too(vendor: Recorder) -> None:
    vendor.answer(fixture("sent.json"), status=201)

    keys: dict[str, Any] = {"auth_token": None, "from": None}
    reports = "https://mainstay.example/in/acme/texts"
    keys |= {"api_key": KEY, "api_secret": "sample-secret", "messaging_service_sid": SERVICE}
    await send(vendor, **keys, status_callback=reports)

    [request] = vendor.requests
    assert dict(parse_qsl(request.body.decode())) == {
        "To": TO,
        "Body": TEXT,
        "MessagingServiceSid": SERVICE,
        "StatusCallback": reports,
    }
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == f"{KEY}:sample-secret"
    validate_request("twilio", request.method, request.url, request.headers, request.body)


async def test_an_opt_out_is_permanent_and_shown_masked(vendor: Recorder) -> None:
    vendor.answer(fixture("opted_out.json"), status=400)
    with pytest.raises(PermanentError) as caught:
        await send(vendor)
    expected = fixture("opted_out.expected.json")
    assert (caught.value.fate, str(caught.value), caught.value.status) == (expected["fate"], expected["error"], 400)


@pytest.mark.parametrize(
    ("status", "code", "fate"),
    [
        (401, 20003, "human"),
        (403, 20003, "human"),
        (403, 20005, "human"),
        (403, 20008, "human"),
        (403, 99999, "human"),
        (404, 20404, "human"),
        (400, 21408, "human"),
        (400, 21606, "human"),
        (400, 21608, "human"),
        (400, 21703, "human"),
        (400, 21211, "permanent"),
        (400, 21610, "permanent"),
        (400, 21612, "permanent"),
        (400, 21614, "permanent"),
        (400, 21617, "permanent"),
        (400, 99999, "permanent"),
        (400, 30001, "transient"),
        (429, 21611, "transient"),
        (429, 20429, "transient"),
        (400, 20429, "transient"),
        (500, 20500, "transient"),
        (503, 20503, "transient"),
    ],
)
async def test_error_codes(vendor: Recorder, status: int, code: int, fate: str) -> None:
    body = {"code": code, "message": "why", "more_info": "https://www.twilio.com/docs/errors", "status": status}
    vendor.answer(body, status=status, headers={"Retry-After": "9"})
    with pytest.raises(VendorError, match="why") as caught:
        await send(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, status)
    assert caught.value.retry_after == (9.0 if fate == "transient" else None)


@pytest.mark.parametrize(("status", "unsure"), [(429, False), (500, True), (502, True), (503, False), (504, True)])
async def test_only_a_broken_answer_is_unsure(vendor: Recorder, status: int, unsure: bool) -> None:
    vendor.answer("gone", status=status, content_type="text/plain")
    with pytest.raises(TransientError) as caught:
        await send(vendor)
    assert caught.value.unsure is unsure


@pytest.mark.parametrize("body", [None, [], "text", {}, {"sid": None}, {"sid_v2": "SM1"}])
async def test_an_answer_that_is_not_twilios_is_no_success(vendor: Recorder, body: Any) -> None:
    vendor.answer(json.dumps(body), status=201)
    with pytest.raises(TransientError, match="not one of Twilio's") as caught:
        await send(vendor)
    assert caught.value.unsure


@pytest.mark.parametrize(
    ("to", "text"),
    [("", "x"), ("(312) 555-0147", "x"), ("+1312555014a", "x"), (f"{TO},{TO}", "x"), (TO, " \n"), (TO, "x" * 1601)],
)
async def test_what_cannot_be_sent_is_refused_before_it_is(vendor: Recorder, to: str, text: str) -> None:
    with pytest.raises(PermanentError):
        await send(vendor, to, text)
    assert vendor.requests == []


async def test_the_token_is_never_kept(vendor: Recorder) -> None:
    basic = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    vendor.answer({"code": 20003, "message": f"bad {TOKEN} in Basic {basic}"}, status=401)
    with pytest.raises(VendorError) as caught:
        await send(vendor)
    kept = str(caught.value) + "".join(caught.value.__notes__) + repr(settings()) + repr(http_settings(settings()))
    assert TOKEN not in kept
    assert basic not in kept
    assert TO not in kept


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    process.sandbox.reset()
    return process


@pytest.mark.parametrize("trial", [False, True])
@pytest.mark.parametrize(
    "keys", [{}, {"from": None, "messaging_service_sid": SERVICE}, {"from": "ACME Ltd"}, {"from": "22395"}]
)
async def test_a_lost_message_is_found(sandbox: SandboxProcess, keys: dict[str, Any], trial: bool) -> None:
    await sandbox.aio.configure("twilio", trial=trial)
    url = sandbox.sandbox.url("twilio")
    sent = await ask(url, "send", **keys)

    assert await ask(url, "find_send", **keys) == sent
    assert await ask(url, "find_send", text="Another text", **keys) is None
    assert await ask(url, "find_send", to="+13125550148", **keys) is None
    others: dict[str, Any] = {"from": "+13125550199"}
    assert await ask(url, "find_send", **others) is None
    for record in await sandbox.aio.requests("twilio"):
        validate_recorded(record)


async def test_a_list_that_lags_does_not_show_it_yet(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("twilio", list_lag_ms=60_000)
    url = sandbox.sandbox.url("twilio")
    await ask(url, "send")
    assert await ask(url, "find_send") is None


async def test_it_is_found_beyond_the_first_page(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("twilio")
    sent = await ask(url, "send")
    for number in range(51):
        await ask(url, "send", text=f"later {number}")
    assert await ask(url, "find_send", ago=60) == sent
    pages = [record for record in await sandbox.aio.requests("twilio") if record["method"] == "GET"]
    assert len(pages) == 2
    for record in pages:
        validate_recorded(record)


@pytest.mark.parametrize(("age", "ago", "is_found"), [(1, 0, True), (60, 65, True), (60, 5, False), (86_400, 5, False)])
async def test_an_older_message_of_the_same_text_is_another(
    vendor: Recorder, age: int, ago: float, is_found: bool
) -> None:
    made = format_datetime(datetime.now(UTC) - timedelta(seconds=age))
    vendor.answer({"messages": [fixture("sent.json") | {"date_created": made}], "next_page_uri": None})
    found = await ask(vendor.url, "find_send", ago=ago)
    assert found == (Sent(fixture("sent.expected.json")["id"]) if is_found else None)


async def test_the_next_page_is_one_of_ours_wherever_it_points(vendor: Recorder) -> None:
    now = format_datetime(datetime.now(UTC))
    other = fixture("sent.json") | {"date_created": now, "body": "x"}
    vendor.answer(
        {"messages": [other], "next_page_uri": "https://elsewhere.example/steal?To=%2B1&Page=1&PageToken=PA1"}
    )
    vendor.answer({"messages": [], "next_page_uri": None})
    assert await ask(vendor.url, "find_send") is None
    assert [request.path for request in vendor.requests] == [f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"] * 2
    assert vendor.requests[1].url.endswith("To=%2B1&Page=1&PageToken=PA1")


async def test_a_number_that_is_written_to_too_much_is_not_guessed_about(vendor: Recorder) -> None:
    other = fixture("sent.json") | {"date_created": format_datetime(datetime.now(UTC)), "body": "x"}
    for _ in range(20):
        vendor.answer({"messages": [other], "next_page_uri": "/x?To=%2B1&Page=1"})
    with pytest.raises(PermanentError, match="not among the newest 1000"):
        await ask(vendor.url, "find_send")


@pytest.mark.parametrize("messages", [None, {}, "x"])
async def test_a_list_of_another_form_finds_nothing_out(vendor: Recorder, messages: Any) -> None:
    vendor.answer({"sid": "x", "messages": messages})
    with pytest.raises(TransientError):
        await ask(vendor.url, "find_send")


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"account_sid": "SK" + "0" * 32}, "account_sid"),
        ({"auth_token": None}, "either auth_token, or api_key"),
        ({"api_key": KEY}, "either auth_token, or api_key"),
        ({"api_key": KEY, "api_secret": "s"}, "either auth_token, or api_key"),
        ({"auth_token": None, "api_key": KEY}, "either auth_token, or api_key"),
        ({"auth_token": None, "api_key": "AC1", "api_secret": "s"}, "api_key"),
        ({"from": None}, "either from"),
        ({"messaging_service_sid": SERVICE}, "either from"),
        ({"from": None, "messaging_service_sid": "MG1"}, "messaging_service_sid"),
        ({"from": "(312) 555-0100"}, "is no sender"),
        ({"from": "A name that is long"}, "is no sender"),
        ({"status_callback": "http://mainstay.example/in/acme/texts"}, "status_callback must begin with https"),
        ({"stream": "x"}, "stream"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        settings(**keys)


def test_the_declaration() -> None:
    assert CONNECTOR.name == "twilio"
    assert CONNECTOR.idempotency == {"sms.send": "lookup"}
    assert CONNECTOR.account is not None
    assert CONNECTOR.account(settings()) == ACCOUNT
    assert http_settings(settings()).base_url == "https://api.twilio.com"
