"""Every answer of the simulators of Resend, SendGrid and the layers keeps what is known of the vendor's contract."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from mainstay.kit import standard_webhooks
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import Answer, call

KEY = {"Authorization": "Bearer sample-1"}
MAIL = {"from": "Acme <hello@acme.example>", "to": ["zoe@example.com"], "subject": "Grüße", "text": "Hi"}
SENDGRID = {
    "personalizations": [{"to": [{"email": "zoe@example.com"}]}],
    "from": {"email": "hello@acme.example", "name": "Acme"},
    "subject": "Grüße",
    "content": [{"type": "text/plain", "value": "Hi"}],
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


def ask(
    sandbox: Sandbox, vendor: str, path: str, body: Any, headers: Mapping[str, str], *, good: bool = True
) -> Answer:
    url = f"{sandbox.base_url}/{vendor}{path}"
    method = "GET" if body is None else "POST"
    sent = {"Content-Type": "application/json", **headers}
    if good:
        validate_request(vendor, method, url, sent, body)
    answer = call(method, url, body, sent)
    validate_response(vendor, method, url, answer.status, answer.headers, answer.body, sent)
    return answer


def test_resend_takes_a_key_once_and_for_one_mail(sandbox: Sandbox) -> None:
    keyed = KEY | {"Idempotency-Key": "run-1"}
    first, again = (ask(sandbox, "resend", "/emails", MAIL, keyed) for _ in range(2))
    assert first.json() == again.json()
    other = ask(sandbox, "resend", "/emails", MAIL | {"text": "Another"}, keyed)
    assert (other.status, other.json()["name"]) == (409, "invalid_idempotent_request")
    assert len(sandbox.effects("resend")) == 1
    long = ask(sandbox, "resend", "/emails", MAIL, KEY | {"Idempotency-Key": "x" * 257}, good=False)
    assert (long.status, long.json()["name"]) == (400, "invalid_idempotency_key")


def test_resend_lists_domains_but_not_to_a_key_that_only_sends(sandbox: Sandbox) -> None:
    assert ask(sandbox, "resend", "/domains", None, KEY).json()["data"][0]["name"] == "acme.example"
    sandbox.configure("resend", only_sends=True)
    assert ask(sandbox, "resend", "/domains", None, KEY).json()["name"] == "restricted_api_key"
    assert ask(sandbox, "resend", "/emails", MAIL, KEY).status == 200


@pytest.mark.parametrize(
    ("settings", "changes", "headers", "status", "name"),
    [
        ({}, {}, {}, 401, "missing_api_key"),
        ({"tokens": ["other"]}, {}, KEY, 403, "invalid_api_key"),
        ({"domains": ["other.example"]}, {}, KEY, 403, "validation_error"),
        ({"daily_left": 0}, {}, KEY, 429, "daily_quota_exceeded"),
        ({"monthly_left": 0}, {}, KEY, 429, "monthly_quota_exceeded"),
        ({}, {"subject": ""}, KEY, 422, "missing_required_field"),
        ({}, {"text": ""}, KEY, 422, "validation_error"),
        ({}, {"from": "hello"}, KEY, 422, "invalid_from_address"),
        ({}, {"to": ["nobody"]}, KEY, 422, "validation_error"),
    ],
)
def test_resends_refusals(
    sandbox: Sandbox, settings: Any, changes: Any, headers: dict[str, str], status: int, name: str
) -> None:
    sandbox.configure("resend", **settings)
    answer = ask(sandbox, "resend", "/emails", MAIL | changes, headers, good=False)
    assert (answer.status, answer.json()["name"]) == (status, name)
    assert sandbox.messages("resend") == []


def test_sendgrid_answers_with_nothing_but_an_id_and_takes_a_repeat_for_another_mail(sandbox: Sandbox) -> None:
    answers = [ask(sandbox, "sendgrid", "/v3/mail/send", SENDGRID, KEY) for _ in range(2)]
    assert {(answer.status, answer.body) for answer in answers} == {(202, b"")}
    assert len({answer.headers["X-Message-Id"] for answer in answers}) == 2
    assert len(sandbox.repeated("sendgrid")) == 1
    trial = SENDGRID | {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert ask(sandbox, "sendgrid", "/v3/mail/send", trial, KEY).status == 200
    assert len(sandbox.messages("sendgrid")) == 2


@pytest.mark.parametrize(
    ("settings", "changes", "headers", "status"),
    [
        ({}, {}, {}, 401),
        ({"has_credits": False}, {}, KEY, 401),
        ({"senders": ["other@acme.example"]}, {}, KEY, 403),
        ({}, {"subject": ""}, KEY, 400),
        ({}, {"content": []}, KEY, 400),
        ({}, {"from": {"email": "x"}}, KEY, 400),
        ({}, {"personalizations": [{"to": []}]}, KEY, 400),
        ({}, {"personalizations": "x"}, KEY, 400),
    ],
)
def test_sendgrids_refusals(
    sandbox: Sandbox, settings: Any, changes: Any, headers: dict[str, str], status: int
) -> None:
    sandbox.configure("sendgrid", **settings)
    answer = ask(sandbox, "sendgrid", "/v3/mail/send", SENDGRID | changes, headers, good=False)
    assert answer.status == status
    assert answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("vendor", ["resend", "sendgrid", "make", "zapier", "n8n", "webhook"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_faults_have_the_vendors_shape(sandbox: Sandbox, vendor: str, status: int) -> None:
    sandbox.set_fault(vendor, "status", status=status, retry_after=3)
    if vendor in {"resend", "sendgrid"}:
        path, body = ("/emails", MAIL) if vendor == "resend" else ("/v3/mail/send", SENDGRID)
        answer = ask(sandbox, vendor, path, body, KEY)
    else:
        answer = tell(sandbox, vendor)
    assert (answer.status, answer.headers["Retry-After"]) == (status, "3")


def tell(sandbox: Sandbox, vendor: str, key: str = "run-1") -> Answer:
    body = json.dumps({"event": "lead.qualified", "id": key, "data": {}}).encode()
    return ask(sandbox, vendor, "/webhook/hook", body, standard_webhooks.sign([SECRET], key, datetime.now(UTC), body))


@pytest.mark.parametrize(
    ("vendor", "status", "said", "off", "runs"),
    [
        ("make", 200, b"Accepted", 400, 2),
        ("zapier", 200, b'"status":"success"', 410, 2),
        ("n8n", 200, b"Workflow was started", 404, 2),
        ("webhook", 204, b"", 410, 1),
    ],
)
def test_a_hook_takes_an_event(sandbox: Sandbox, vendor: str, status: int, said: bytes, off: int, runs: int) -> None:
    answers = [tell(sandbox, vendor) for _ in range(2)]
    assert [answer.status for answer in answers] == [status, status]
    assert said in answers[0].body
    assert len(sandbox.effects(vendor)) == runs
    sandbox.configure(vendor, is_on=False)
    assert tell(sandbox, vendor, "run-2").status == off
    sandbox.configure(vendor, is_on=True, most_per_second=1)
    assert [tell(sandbox, vendor, f"run-{number}").status for number in range(3, 6)].count(429) >= 1
    for record in sandbox.requests(vendor):
        validate_recorded(record)
