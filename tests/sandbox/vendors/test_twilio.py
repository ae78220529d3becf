from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from tests.sandbox.wire import TWILIO, TWILIO_ACCOUNT, Answer, call

TEXT = {"To": "+13125550147", "From": "+13125550100", "Body": "Hi Sarah"}


def ask(sandbox: Sandbox, method: str, tail: str = ".json", /, **form: str) -> Answer:
    url = f"{sandbox.url('twilio')}/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages{tail}"
    return call(method, url, urlencode(form).encode() if form else None, TWILIO)


def listed(sandbox: Sandbox, **query: str) -> list[str]:
    return [message["body"] for message in ask(sandbox, "GET", f".json?{urlencode(query)}").json()["messages"]]


def test_a_message_is_sent_and_kept(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "POST", **TEXT)
    assert answer.status == 201
    (kept,) = sandbox.messages("twilio")
    assert (kept["sid"], kept["to"], kept["body"]) == (answer.json()["sid"], "+13125550147", "Hi Sarah")
    assert ask(sandbox, "GET", f"/{kept['sid']}.json").json() == kept
    assert [effect["kind"] for effect in sandbox.effects("twilio")] == ["message.sent"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"To": "312 555"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"From": "+15005550001"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "+15005550008"}, 21611),
        ({"To": "+13125550199"}, 21610),
        ({"From": "+13125550177"}, 21606),
    ],
)
def test_a_bad_message_has_twilios_code(sandbox: Sandbox, changes: dict[str, str], code: int) -> None:
    sandbox.configure("twilio", opted_out=["+13125550199"], senders=["+13125550100"])
    answer = ask(sandbox, "POST", **(TEXT | changes))
    assert (answer.json()["code"], answer.json()["status"]) == (code, answer.status)
    assert sandbox.messages("twilio") == []


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic %", "Bearer x", "Basic eDp5"])
def test_a_call_needs_the_accounts_token(sandbox: Sandbox, authorization: str) -> None:
    url = f"{sandbox.url('twilio')}/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages.json"
    answer = call("POST", url, urlencode(TEXT).encode(), TWILIO | {"Authorization": authorization})
    assert (answer.status, answer.json()["code"]) == (401, 20003)


def test_the_good_tokens_can_be_named(sandbox: Sandbox) -> None:
    sandbox.configure("twilio", tokens=["token-2"])
    assert ask(sandbox, "POST", **TEXT).status == 401


def test_the_list_is_filtered_by_numbers_and_days(sandbox: Sandbox) -> None:
    for number, body in enumerate(("a", "b", "c")):
        ask(sandbox, "POST", **(TEXT | {"To": f"+1312555014{number % 2}", "Body": body}))
    today = datetime.now(UTC).date()
    yesterday, tomorrow = str(today - timedelta(days=1)), str(today + timedelta(days=1))
    assert listed(sandbox) == ["c", "b", "a"]
    assert listed(sandbox, To="+13125550140") == ["c", "a"]
    assert listed(sandbox, From="+13125550199") == []
    assert listed(sandbox, **{"DateSent>": yesterday, "DateSent<": tomorrow}) == ["c", "b", "a"]
    assert listed(sandbox, **{"DateSent>": tomorrow}) == listed(sandbox, DateSent=yesterday) == []
    assert listed(sandbox, PageSize="2", Page="1") == ["a"]
    sandbox.configure("twilio", list_lag_ms=60_000)
    assert listed(sandbox) == []


def test_another_method_or_path_is_refused(sandbox: Sandbox) -> None:
    assert ask(sandbox, "DELETE", f"/SM{'0' * 32}.json").status == 405
    assert ask(sandbox, "GET", "/x").status == 404
    with pytest.raises(SandboxError, match="no messages to seed"):
        sandbox.seed("twilio", "messages", [{}])
