from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.twilio.settings import TwilioSource
from mainstay.connectors.twilio.webhook import RECEIPT, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.signature import hmac_base64
from tests.kit.test_signature import vector

FIXTURES = Path(__file__).parent / "fixtures"
AT = datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)
URL = "https://mainstay.example/in/acme/texts"
SOURCE = TwilioSource.model_validate({"kind": "twilio", "auth_token": "12345"})
NAMES = ["received", "stop", "start", "picture", "state", "whatsapp"]


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def arrived(pairs: Any, url: str = URL, signature: str = "") -> RawRequest:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    return RawRequest("POST", url, headers, urlencode(pairs).encode(), AT)


@pytest.mark.parametrize(
    "name",
    [
        "twilio-form",
        "twilio-https-port-stripped",
        "twilio-http-port-1234",
        "twilio-https-port-443-added",
        "twilio-http-port-80-added",
        "twilio-duplicate-params",
    ],
)
def test_twilios_own_vectors(name: str) -> None:
    case = vector(name)
    pairs = case.get("params") or [tuple(pair) for pair in case["params_list"]]
    request = arrived(pairs, case["url"], case["header_value"])
    assert verify(request, SOURCE) == "signature ok"
    assert verify(request, SOURCE.model_validate({"kind": "twilio", "auth_token": ["new", "12345"]})) == "signature ok"
    for changed in (
        replace(request, url=request.url + "&x=1"),
        replace(request, body=request.body + b"&x=1"),
        replace(request, body=request.body.replace(b"CA", b"CB", 1)),
        replace(request, headers={**request.headers, "x-twilio-signature": case["header_value"][::-1]}),
    ):
        with pytest.raises(NotAuthenticError, match="X-Twilio-Signature does not fit"):
            verify(changed, SOURCE)


@pytest.mark.parametrize("name", ["twilio-json-body", "twilio-json-body-empty-object", "twilio-json-body-only-sha"])
def test_twilios_own_vectors_of_a_body_that_is_no_form(name: str) -> None:
    case = vector(name)
    headers = {"content-type": "application/json", "x-twilio-signature": case["header_value"]}
    request = RawRequest("POST", case["url"], headers, case["body"].encode(), AT)
    assert verify(request, SOURCE) == "signature ok"
    for changed in (
        replace(request, body=request.body + b" "),
        replace(request, url=request.url.replace("myapp", "yourapp")),
        replace(request, url=request.url.replace("bodySHA256", "body")),
    ):
        with pytest.raises(NotAuthenticError):
            verify(changed, SOURCE)


def test_without_a_signature_it_is_not_taken() -> None:
    with pytest.raises(NotAuthenticError, match="X-Twilio-Signature is missing"):
        verify(arrived({"Body": "x"}), SOURCE)


def test_a_flood_of_fields_is_refused() -> None:
    with pytest.raises(NotAuthenticError, match="more than 500 fields"):
        verify(arrived({f"f{number}": "" for number in range(501)}, signature="x"), SOURCE)


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=8),
    st.sampled_from(["https://a.example/x", "http://a.example:8080/x?y=1", "https://A.example", "http://[::1]/x", "x"]),
)
def test_what_twilio_signs_is_taken(fields: dict[str, str], url: str) -> None:
    written = {
        name.encode(errors="replace").decode(): value.encode(errors="replace").decode()
        for name, value in fields.items()
    }
    signed = url + "".join(name + value for name, value in sorted(written.items()))
    assert verify(arrived(written, url, hmac_base64("12345", signed.encode(), "sha1")), SOURCE) == "signature ok"


@given(st.binary(max_size=200), st.text(max_size=40))
def test_whatever_arrives_there_is_no_other_error(body: bytes, url: str) -> None:
    request = RawRequest("POST", url, {"x-twilio-signature": "x"}, body, AT)
    with pytest.raises(NotAuthenticError):
        verify(request, SOURCE)
    delivery_key(request, SOURCE)
    with suppress(MalformedError):
        parse(request, SOURCE)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read(name: str) -> None:
    request, expected = arrived(fixture(f"{name}.json")), fixture(f"{name}.expected.json")
    (event,) = parse(request, SOURCE)
    said = event.submission
    assert {
        "type": event.type,
        "key": event.key,
        "reason": event.reason,
        "submission": said and {"phone": said.phone, "do_not_contact": said.do_not_contact, "consent": said.consent},
        "data": event.data,
    } == expected
    assert delivery_key(request, SOURCE) == expected["key"]


@pytest.mark.parametrize("gone", ["MessageSid", "From"])
def test_what_is_no_message_says_how_to_mend_it(gone: str) -> None:
    fields = {key: value for key, value in fixture("received.json").items() if key not in {gone, "SmsSid"}}
    with pytest.raises(MalformedError, match="A message comes in"):
        parse(arrived(fields), SOURCE)


@pytest.mark.parametrize(("kind", "body", "is_out"), [("STOP", "arrêter", True), ("HELP", "stop", False)])
def test_twilios_own_word_on_it_goes_before_ours(kind: str, body: str, is_out: bool) -> None:
    (event,) = parse(arrived(fixture("received.json") | {"Body": body, "OptOutType": kind}), SOURCE)
    assert event.submission is not None
    assert event.submission.do_not_contact is is_out


def test_it_is_answered_with_twiml_that_says_nothing() -> None:
    assert (RECEIPT.status, RECEIPT.body, RECEIPT.content_type) == (200, b"<Response/>", "text/xml; charset=utf-8")


OURS = {"MessageSid": "SM" + "1b" * 16, "To": "+13125550147", "From": "+13125550100"}


@pytest.mark.parametrize(
    ("state", "code", "reason", "opts_out"),
    [
        ("undelivered", "30003", "the phone is off or out of reach", False),
        ("undelivered", "30007", "the carrier filtered it as spam", False),
        ("failed", "21610", "they texted STOP", True),
        ("failed", "39999", "", False),
    ],
)
def test_a_message_that_did_not_arrive_is_an_event_of_whom_it_was_to(
    state: str, code: str, reason: str, opts_out: bool
) -> None:
    (event,) = parse(arrived(OURS | {"MessageStatus": state, "ErrorCode": code}), SOURCE)

    assert (event.type, event.key) == ("message.bounced", f"{OURS['MessageSid']}:{state}")
    told = {"channel": "sms", "address": OURS["To"], "message": OURS["MessageSid"], "kind": code}
    assert event.data == told | ({"reason": reason} if reason else {})
    assert event.submission is not None
    assert (event.submission.phone, event.submission.do_not_contact) == (OURS["To"], opts_out)
    assert event.record is not None
    assert event.record.fields["status"] == state


@pytest.mark.parametrize(("state", "to"), [("delivered", OURS["To"]), ("undelivered", "whatsapp:+13125550147")])
def test_any_other_report_is_kept_with_the_message_alone(state: str, to: str) -> None:
    (event,) = parse(arrived(OURS | {"MessageStatus": state, "To": to}), SOURCE)

    assert (event.type, event.submission) == ("unsupported", None)
    assert event.record is not None
