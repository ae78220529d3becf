from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.postmark import CONNECTOR
from mainstay.connectors.postmark.email import PostmarkConnection, http_settings, make_email
from mainstay.errors import VendorError
from mainstay.kit import EmailMessage, Http, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from tests.contracts.vendor_specs import validate_request, validate_response
from tests.kit.recorder import Recorder

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "sample-server-token"
KEY = "0193b2c4-7a10-7abc-9def-0123456789ab/2"
MAIL = EmailMessage("zoe@lead.example", "Grüße, Zoë 李", "Hello & <welcome>")


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def settings(**keys: Any) -> PostmarkConnection:
    filled = {"connector": "postmark", "token": TOKEN, "from": "Acme <hello@acme.example>", **keys}
    return PostmarkConnection.model_validate(filled)


async def send(vendor: Recorder, message: EmailMessage = MAIL, key: str = KEY, **keys: Any) -> Sent:
    connection = settings(base_url=vendor.url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=key)
        try:
            return await make_email(connection, http).send(message)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


async def test_a_message_keeps_postmarks_contract(vendor: Recorder) -> None:
    answer = fixture("sent.json")
    vendor.answer(answer)

    assert await send(vendor) == Sent(fixture("sent.expected.json")["id"])

    [request] = vendor.requests
    assert request.json == {
        "From": "Acme <hello@acme.example>",
        "To": "zoe@lead.example",
        "Subject": "Grüße, Zoë 李",
        "TextBody": "Hello & <welcome>",
        "MessageStream": "outbound",
        "Metadata": {"mainstay_key": KEY},
    }
    assert request.headers["x-postmark-server-token"] == TOKEN
    validate_request("postmark", request.method, request.url, request.headers, request.body)
    validate_response("postmark", "POST", request.url, 200, {"Content-Type": "application/json"}, json.dumps(answer))


async def test_every_field_keeps_the_contract_too(vendor: Recorder) -> None:
    vendor.answer(fixture("sent.json"))
    message = EmailMessage("zoe@lead.example", "Hi", "text", html="<b>Hi</b>", reply_to="dana@acme.example")

    await send(vendor, message, key="", message_stream="broadcast")

    [request] = vendor.requests
    assert request.json == {
        "From": "Acme <hello@acme.example>",
        "To": "zoe@lead.example",
        "Subject": "Hi",
        "TextBody": "text",
        "HtmlBody": "<b>Hi</b>",
        "ReplyTo": "dana@acme.example",
        "MessageStream": "broadcast",
    }
    validate_request("postmark", request.method, request.url, request.headers, request.body)


async def test_a_key_beyond_postmarks_80_characters_is_hashed_the_same_each_time(vendor: Recorder) -> None:
    vendor.answer(fixture("sent.json"))
    vendor.answer(fixture("sent.json"))
    await send(vendor, key="k" * 81)
    await send(vendor, key="k" * 81)
    first, second = (request.json["Metadata"]["mainstay_key"] for request in vendor.requests)
    assert first == second
    assert len(first) == 64


async def test_inactive_recipient_is_permanent_and_shown_masked(vendor: Recorder) -> None:
    vendor.answer(fixture("inactive_recipient.json"), status=422)
    with pytest.raises(PermanentError) as caught:
        await send(vendor)
    expected = fixture("inactive_recipient.expected.json")
    assert (caught.value.fate, str(caught.value), caught.value.status) == (expected["fate"], expected["error"], 422)


@pytest.mark.parametrize(
    ("status", "code", "fate"),
    [
        (401, 10, "human"),
        (422, 10, "human"),
        (422, 400, "human"),
        (422, 401, "human"),
        (422, 405, "human"),
        (422, 412, "human"),
        (422, 413, "human"),
        (422, 300, "permanent"),
        (422, 402, "permanent"),
        (422, 403, "permanent"),
        (422, 406, "permanent"),
        (422, 409, "permanent"),
        (422, 410, "permanent"),
        (422, 411, "permanent"),
        (422, 1235, "permanent"),
        (200, 406, "permanent"),
        (422, 100, "transient"),
        (422, 429, "transient"),
        (429, 429, "transient"),
        (500, 0, "transient"),
        (503, 100, "transient"),
    ],
)
async def test_error_codes(vendor: Recorder, status: int, code: int, fate: str) -> None:
    vendor.answer({"ErrorCode": code, "Message": "why"}, status=status, headers={"Retry-After": "9"})
    with pytest.raises(VendorError, match="why") as caught:
        await send(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, status)
    assert caught.value.retry_after == (9.0 if fate == "transient" else None)


async def test_an_unknown_401_needs_a_human(vendor: Recorder) -> None:
    vendor.answer("no", status=401, content_type="text/plain")
    with pytest.raises(VendorError) as caught:
        await send(vendor)
    assert caught.value.fate == "human"


@pytest.mark.parametrize("body", [None, [], "text", {}, {"ErrorCode": "0"}, {"ErrorCode": None}, {"MessageID": "x"}])
async def test_an_answer_that_is_not_postmarks_is_no_success(vendor: Recorder, body: Any) -> None:
    vendor.answer(json.dumps(body))
    with pytest.raises(TransientError, match="not one of Postmark's") as caught:
        await send(vendor)
    assert caught.value.unsure


@pytest.mark.parametrize(
    "message",
    [
        EmailMessage("a@lead.example, b@lead.example", "Hi", "x"),
        EmailMessage("", "Hi", "x"),
        EmailMessage("zoe@lead.example", "Hi\r\nBcc: x@y.example", "x"),
        EmailMessage("zoe@lead.example", "Hi", "x", reply_to="a@b.example\nBcc: x@y.example"),
    ],
)
async def test_a_second_recipient_or_header_is_refused_before_anything_is_sent(
    vendor: Recorder, message: EmailMessage
) -> None:
    with pytest.raises(PermanentError):
        await send(vendor, message)
    assert vendor.requests == []


async def test_the_token_is_never_kept(vendor: Recorder) -> None:
    vendor.answer({"ErrorCode": 10, "Message": f"bad token {TOKEN}"}, status=401)
    with pytest.raises(VendorError) as caught:
        await send(vendor)
    kept = str(caught.value) + "".join(caught.value.__notes__) + repr(settings()) + repr(http_settings(settings()))
    assert TOKEN not in kept
    assert "zoe@" not in kept


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"from": "hello"}, "is no sender"),
        ({"from": "Acme, Inc. <hello@acme.example>"}, "commas in quotes"),
        ({"from": "a@acme.example\nBcc: x@y.example"}, "is no sender"),
        ({"token": ""}, "token"),
        ({"stream": "x"}, "stream"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        settings(**keys)


def test_a_sender_with_a_comma_in_quotes_is_fine() -> None:
    assert settings(**{"from": '"Acme, Inc." <hello@acme.example>'}).sender == '"Acme, Inc." <hello@acme.example>'


def test_the_declaration() -> None:
    assert CONNECTOR.name == "postmark"
    assert CONNECTOR.idempotency == {"email.send": "lookup"}
    assert http_settings(settings()).base_url == "https://api.postmarkapp.com"
