from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox
from tests.sandbox.wire import POSTMARK, Answer, call

MAIL = {"From": "Acme <hello@example.com>", "To": "sarah@example.com", "Subject": "Hello", "TextBody": "Hi Sarah"}


def send(sandbox: Sandbox, body: Any, path: str = "/email") -> Answer:
    return call("POST", sandbox.url("postmark") + path, body, POSTMARK)


def test_a_mail_is_sent_and_kept(sandbox: Sandbox) -> None:
    answer = send(sandbox, MAIL | {"Metadata": {"run": "7f3a"}, "MessageStream": "outbound"})
    assert answer.status == 200
    kept = sandbox.messages("postmark")[0]
    assert answer.json()["MessageID"] == kept["MessageID"]
    assert (answer.json()["ErrorCode"], kept["Metadata"]) == (0, {"run": "7f3a"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"From": "nobody"}, 300),
        ({"To": ""}, 300),
        ({"To": "a@example.com, nobody"}, 300),
        ({"To": ",".join(f"{n}@example.com" for n in range(51))}, 300),
        ({"TextBody": ""}, 300),
        ({"To": "gone@example.com"}, 406),
    ],
)
def test_a_bad_mail_is_422_with_a_code(sandbox: Sandbox, changes: dict[str, str], code: int) -> None:
    sandbox.configure("postmark", inactive=["gone@example.com"])
    answer = send(sandbox, MAIL | changes)
    assert (answer.status, answer.json()["ErrorCode"]) == (422, code)
    assert sandbox.messages("postmark") == []


def test_a_body_that_is_not_json_is_422(sandbox: Sandbox) -> None:
    assert send(sandbox, b"{").json()["ErrorCode"] == 402


def test_a_batch_answers_for_each_mail(sandbox: Sandbox) -> None:
    answer = send(sandbox, [MAIL, MAIL | {"To": "nobody"}], "/email/batch")
    assert answer.status == 200
    assert [item["ErrorCode"] for item in answer.json()] == [0, 300]
    assert len(sandbox.messages("postmark")) == 1
    assert send(sandbox, [MAIL] * 501, "/email/batch").json()["ErrorCode"] == 410


@pytest.mark.parametrize("token", ["", "invalid-1"])
def test_a_call_needs_a_token(sandbox: Sandbox, token: str) -> None:
    answer = call("POST", f"{sandbox.url('postmark')}/email", MAIL, {"X-Postmark-Server-Token": token})
    assert (answer.status, answer.json()["ErrorCode"]) == (401, 10)


def test_the_test_token_sends_nothing(sandbox: Sandbox) -> None:
    answer = call("POST", f"{sandbox.url('postmark')}/email", MAIL, {"X-Postmark-Server-Token": "POSTMARK_API_TEST"})
    assert answer.json()["Message"] == "Test job accepted"
    assert sandbox.messages("postmark") == []
