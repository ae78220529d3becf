from __future__ import annotations

import json
from typing import Any

import pytest

from mainstay.connectors.resend.email import check, http_settings, make_email
from mainstay.connectors.resend.settings import ResendConnection
from mainstay.errors import VendorError
from mainstay.kit import EmailMessage, Http, NeedsHumanError, Sent, TransientError
from mainstay.kit.http import open_session
from tests.contracts.vendor_specs import validate_request, validate_response
from tests.kit.recorder import Recorder

MAIL = EmailMessage("sarah@example.com", "Grüße 👍", "Hi", "<p>Hi</p>", "dana@acme.example")
SENT = {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}
DOMAIN = {"id": "d1", "name": "acme.example", "status": "verified", "created_at": "2026-03-02", "region": "us-east-1"}


def settings(vendor: Recorder) -> ResendConnection:
    values = {"connector": "resend", "api_key": "re_sample", "from": "Acme <hello@acme.example>"}
    return ResendConnection.model_validate({**values, "base_url": vendor.url})


async def send(vendor: Recorder, key: str = "run-1") -> Sent:
    async with open_session() as session:
        http = Http(session, http_settings(settings(vendor)), idempotency_key=key)
        return await make_email(settings(vendor), http).send(MAIL)


async def checked(vendor: Recorder) -> str:
    async with open_session() as session:
        return await check(settings(vendor), Http(session, http_settings(settings(vendor))))


async def test_a_mail_keeps_resends_contract(vendor: Recorder) -> None:
    vendor.answer(SENT)
    assert await send(vendor) == Sent(SENT["id"])
    [request] = vendor.requests
    assert request.headers["idempotency-key"] == "run-1"
    validate_request("resend", request.method, request.url, request.headers, request.body)
    validate_response("resend", "POST", request.url, 200, {"Content-Type": "application/json"}, json.dumps(SENT))


@pytest.mark.parametrize(
    ("status", "name", "fate"),
    [
        (400, "invalid_idempotency_key", "permanent"),
        (400, "validation_error", "permanent"),
        (401, "missing_api_key", "human"),
        (401, "restricted_api_key", "human"),
        (403, "invalid_api_key", "human"),
        (403, "validation_error", "human"),
        (404, "not_found", "permanent"),
        (405, "method_not_allowed", "permanent"),
        (409, "invalid_idempotent_request", "permanent"),
        (409, "concurrent_idempotent_requests", "transient"),
        (422, "missing_required_field", "permanent"),
        (422, "invalid_from_address", "human"),
        (422, "invalid_access", "human"),
        (429, "rate_limit_exceeded", "transient"),
        (429, "daily_quota_exceeded", "transient"),
        (429, "monthly_quota_exceeded", "human"),
        (451, "security_error", "permanent"),
        (500, "application_error", "transient"),
        (503, "", "transient"),
        (400, [1], "permanent"),
    ],
)
async def test_what_an_error_means(vendor: Recorder, status: int, name: Any, fate: str) -> None:
    vendor.answer({"statusCode": status, "name": name, "message": "No."}, status=status)
    with pytest.raises(VendorError) as caught:
        await send(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, status)


async def test_a_daily_quota_is_waited_for(vendor: Recorder) -> None:
    vendor.answer({"statusCode": 429, "name": "daily_quota_exceeded", "message": "No."}, status=429)
    with pytest.raises(TransientError) as caught:
        await send(vendor)
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("body", [[], [1], "text", {"id": None}, {"id": {"x": 1}}, None])
async def test_answers_of_any_form(vendor: Recorder, body: Any) -> None:
    vendor.answer(body)
    try:
        assert isinstance(await send(vendor), Sent)
    except TransientError as unsure:
        assert unsure.unsure  # noqa: PT017 an object is taken, anything else is not Resend's


async def test_check_says_whose_it_is(vendor: Recorder) -> None:
    vendor.answer({"object": "list", "has_more": False, "data": [DOMAIN]})
    assert await checked(vendor) == "Resend, sending as acme.example"
    vendor.answer({"statusCode": 401, "name": "restricted_api_key", "message": "only send"}, status=401)
    assert "only sends" in await checked(vendor)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, {"data": []}, "is not among its domains"),
        (200, {"data": [DOMAIN | {"status": "pending"}, 1]}, "is pending"),
        (401, {"name": "missing_api_key", "message": "x"}, "make a new API key"),
        (403, {"name": "invalid_api_key", "message": "x"}, "make a new API key"),
    ],
)
async def test_check_says_what_is_wrong(vendor: Recorder, status: int, body: Any, words: str) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(NeedsHumanError, match=words):
        await checked(vendor)
