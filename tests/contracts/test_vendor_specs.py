"""The contract checks refuse what they are there to refuse, and say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contracts.vendor_specs import specs_folder, validate_request, validate_response
from tests.sandbox.wire import GHL, HUBSPOT, POSTMARK, SLACK, TWILIO, TWILIO_ACCOUNT

JSON = {"Content-Type": "application/json"}
GHL_UPSERT = "https://services.leadconnectorhq.com/contacts/upsert"
HUBSPOT_CONTACTS = "https://api.hubapi.com/crm/v3/objects/contacts"
SLACK_POST = "https://slack.com/api/chat.postMessage"
POSTMARK_EMAIL = "https://api.postmarkapp.com/email"
TWILIO_SEND = f"https://api.twilio.com/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages.json"
META_LEAD = "https://graph.facebook.com/v25.0/4"


@pytest.mark.parametrize(
    ("vendor", "method", "url", "headers", "body", "reason"),
    [
        ("gohighlevel", "POST", GHL_UPSERT, GHL, {"email": "a@example.com"}, "'locationId' is a required property"),
        ("gohighlevel", "POST", GHL_UPSERT, GHL, {"locationId": "l", "emial": "x"}, "not in the contract: emial"),
        ("gohighlevel", "POST", GHL_UPSERT, GHL, {"locationId": "l", "tags": "x"}, "tags: 'x' is not of type 'array'"),
        ("gohighlevel", "POST", GHL_UPSERT, HUBSPOT, {"locationId": "l"}, "Missing required header parameter: Version"),
        ("gohighlevel", "POST", GHL_UPSERT, {"Version": "v3"}, {"locationId": "l"}, "Security not found"),
        ("gohighlevel", "GET", f"{GHL_UPSERT}/x/y", GHL, None, "no such operation"),
        ("hubspot", "POST", HUBSPOT_CONTACTS, HUBSPOT, {"properties": {}}, "'associations' is a required property"),
        ("hubspot", "POST", HUBSPOT_CONTACTS, HUBSPOT, {"properties": {"a": 1}, "associations": []}, "properties.a: 1"),
        ("hubspot", "GET", f"{HUBSPOT_CONTACTS}/1?idProp=x", HUBSPOT, None, "idProp"),
        ("hubspot", "GET", f"{HUBSPOT_CONTACTS}/1", {}, None, "no Authorization: Bearer header"),
        ("slack", "POST", SLACK_POST, SLACK, {"text": "x"}, "'channel' is a required property"),
        ("slack", "POST", SLACK_POST, SLACK, {"channel": "C1", "txt": "x"}, "txt"),
        ("slack", "POST", SLACK_POST, SLACK, {"channel": "C1", "blocks": "[]"}, "blocks is a list in a JSON body"),
        ("slack", "POST", SLACK_POST, {}, {"channel": "C1", "text": "x"}, "Missing required header parameter: token"),
        ("slack", "POST", "https://hooks.slack.com/services/T1/B1/x", {}, {"txt": "x"}, "text, blocks or attachments"),
        ("postmark", "POST", POSTMARK_EMAIL, POSTMARK, {"To": ["a@example.com"]}, "To: .* is not of type 'string'"),
        ("postmark", "POST", POSTMARK_EMAIL, {}, {"To": "a@example.com"}, "X-Postmark-Server-Token"),
        ("twilio", "POST", TWILIO_SEND, TWILIO, b"Body=x", "'To' is a required property"),
        ("twilio", "POST", TWILIO_SEND, TWILIO, b"To=%2B1&Bodi=x", "not in the contract: Bodi"),
        ("twilio", "POST", TWILIO_SEND, TWILIO, b"To=%2B1&MessagingServiceSid=x", "MessagingServiceSid: 'x'"),
        ("twilio", "POST", TWILIO_SEND, TWILIO | {"Authorization": ""}, b"To=%2B1", "Security not found"),
        ("twilio", "GET", f"{TWILIO_SEND}?Recipient=x", TWILIO, None, "Recipient"),
        ("meta", "GET", f"{META_LEAD}?fields=email", {}, None, "not readable on a Lead"),
        ("meta", "POST", META_LEAD, {}, {}, "a lead is only read"),
    ],
)
def test_a_request_outside_the_contract_is_refused(
    vendor: str, method: str, url: str, headers: dict[str, str], body: Any, reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        validate_request(vendor, method, url, JSON | headers, body)


@pytest.mark.parametrize(
    ("vendor", "url", "status", "body", "reason"),
    [
        ("gohighlevel", GHL_UPSERT, 200, {"contact": {"id": 1}}, "contact.id: 1 is not of type 'string'"),
        ("gohighlevel", GHL_UPSERT, 200, {"contact": {"nick": "x"}}, "not in the contract: contact.nick"),
        ("gohighlevel", GHL_UPSERT, 418, {"statusCode": 418}, "status 418 is not in the contract"),
        ("gohighlevel", GHL_UPSERT, 429, {"statusCode": "429"}, "statusCode: '429' is not of type 'number'"),
        ("hubspot", HUBSPOT_CONTACTS, 409, {"message": "x", "category": "CONFLICT"}, "'correlationId' is a required"),
        ("slack", SLACK_POST, 200, {"ok": False, "error": "nonsense"}, "'nonsense' is not one of"),
        ("slack", SLACK_POST, 200, {"ok": True, "channel": "C123456789"}, "'ts' is a required property"),
        ("slack", "https://hooks.slack.com/services/T1/B1/x", 200, b"fine", "not 'fine'"),
        ("postmark", POSTMARK_EMAIL, 422, {"ErrorCode": "300"}, "ErrorCode: '300' is not of type 'integer'"),
        ("twilio", TWILIO_SEND, 201, {"sid": "x"}, "sid: 'x' does not match"),
        ("twilio", TWILIO_SEND, 201, {"id": "x"}, "not in the contract: id"),
        ("twilio", TWILIO_SEND, 400, {"code": "21211"}, "code: '21211' is not of type 'integer'"),
        (
            "twilio",
            TWILIO_SEND,
            400,
            {"code": 1, "message": "x", "more_info": "", "status": 400, "x": 1},
            "contract: x",
        ),
        ("meta", META_LEAD, 400, {"error": "x"}, "an error is"),
        ("meta", META_LEAD, 200, {"id": 4}, "id is a string"),
    ],
)
def test_an_answer_outside_the_contract_is_refused(vendor: str, url: str, status: int, body: Any, reason: str) -> None:
    method = "GET" if vendor == "meta" else "POST"
    with pytest.raises(AssertionError, match=reason):
        validate_response(vendor, method, url, status, JSON, body)


def test_missing_contracts_skip_and_say_so_but_fail_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSTAY_VENDOR_SPECS", str(tmp_path / "none"))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="name their folder in MAINSTAY_VENDOR_SPECS"):
        specs_folder()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI never skips contract tests"):
        specs_folder()


def test_the_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSTAY_VENDOR_SPECS", str(tmp_path))
    assert specs_folder() == tmp_path
