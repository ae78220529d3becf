from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from mainstay.connectors.sendgrid.email import check, http_settings, make_email
from mainstay.connectors.sendgrid.settings import SendgridConnection
from mainstay.errors import VendorError
from mainstay.kit import EmailMessage, Http, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from tests.contracts.vendor_specs import validate_request, validate_response
from tests.kit.recorder import Recorder

MAIL = EmailMessage("sarah@example.com", "Grüße 👍", "Hi", "<p>Hi</p>", "dana@acme.example")


def settings(vendor: Recorder) -> SendgridConnection:
    values = {"connector": "sendgrid", "api_key": "SG.sample", "from": "Acme <hello@acme.example>"}
    return SendgridConnection.model_validate({**values, "base_url": vendor.url})


async def send(vendor: Recorder, mail: EmailMessage = MAIL) -> Sent:
    async with open_session() as session:
        http = Http(session, http_settings(settings(vendor)), idempotency_key="run-1")
        return await make_email(settings(vendor), http).send(mail)


async def test_a_mail_keeps_sendgrids_contract(vendor: Recorder) -> None:
    vendor.answer(b"", status=202, headers={"X-Message-Id": "14c5d75ce93"}, content_type="text/plain")
    assert await send(vendor) == Sent("14c5d75ce93")
    [request] = vendor.requests
    assert request.json["personalizations"][0]["custom_args"] == {"mainstay_key": "run-1"}
    assert [part["type"] for part in request.json["content"]] == ["text/plain", "text/html"]
    validate_request("sendgrid", request.method, request.url, request.headers, request.body)
    validate_response("sendgrid", "POST", request.url, 202, {"Content-Type": "text/plain"}, b"")


async def test_check_sends_nothing_and_keeps_the_contract(vendor: Recorder) -> None:
    vendor.answer(b"", status=200)
    async with open_session() as session:
        said = await check(settings(vendor), Http(session, http_settings(settings(vendor))))
    assert said == "SendGrid, sending as hello@acme.example"
    [request] = vendor.requests
    assert request.json["mail_settings"] == {"sandbox_mode": {"enable": True}}
    validate_request("sendgrid", request.method, request.url, request.headers, request.body)


@pytest.mark.parametrize("mail", [replace(MAIL, subject=" "), replace(MAIL, text="", html="")])
async def test_what_sendgrid_takes_not_is_not_sent(vendor: Recorder, mail: EmailMessage) -> None:
    with pytest.raises(PermanentError, match="no subject or no text"):
        await send(vendor, mail)
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("status", "said", "fate", "mend"),
    [
        (400, "Does not contain a valid address.", "permanent", "valid address"),
        (401, "The provided authorization grant is invalid", "human", "API key"),
        (401, "Maximum credits exceeded", "human", "raise the plan"),
        (403, "The from address does not match a verified Sender Identity.", "human", "verify the sender"),
        (404, "x", "permanent", "x"),
        (413, "x", "permanent", "x"),
        (429, "too many requests", "transient", "SendGrid"),
        (500, "x", "transient", "SendGrid"),
        (503, "x", "transient", "SendGrid"),
    ],
)
async def test_what_an_error_means(vendor: Recorder, status: int, said: str, fate: str, mend: str) -> None:
    more: dict[str, Any] = {"field": None, "help": {}} if status < 500 else {}
    body = {"errors": [{"message": said, **more}]}
    vendor.answer(body, status=status)
    with pytest.raises(VendorError, match=mend) as caught:
        await send(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, status)
    [request] = vendor.requests
    answered = {"Content-Type": "application/json"}
    validate_response("sendgrid", "POST", request.url, status, answered, json.dumps(body))


async def test_the_moment_at_which_its_window_ends_is_waited_for(vendor: Recorder) -> None:
    headers = {"X-RateLimit-Reset": str(int(time.time()) + 30)}
    vendor.answer({"errors": []}, status=429, headers=headers)
    with pytest.raises(TransientError) as caught:
        await send(vendor)
    assert caught.value.retry_after is not None
    assert 25 < caught.value.retry_after <= 30


@pytest.mark.parametrize("body", [[], {"errors": 1}, {"errors": [1, {"message": 2}, {}]}, "x", None])
async def test_errors_of_any_form(vendor: Recorder, body: Any) -> None:
    vendor.answer(body, status=400)
    with pytest.raises(PermanentError):
        await send(vendor)


async def test_a_page_of_a_proxys_is_no_yes(vendor: Recorder) -> None:
    vendor.answer("<html>", content_type="text/html")
    with pytest.raises(TransientError, match="not one of SendGrid's") as caught:
        await send(vendor)
    assert caught.value.unsure
