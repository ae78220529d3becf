from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.slack import CONNECTOR
from mainstay.connectors.slack.chat import SlackConnection, escape, http_settings, make_chat
from mainstay.errors import VendorError
from mainstay.kit import Http, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from tests.contracts.vendor_specs import validate_request, validate_response
from tests.kit.recorder import Recorder

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "xoxb-0000-sample-token"
WEBHOOK_PATH = "/services/T00000000/B00000000/sampleWebhookSecret"
KEY = "0193b2c4-7a10-7abc-9def-0123456789ab/2"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def settings(**keys: Any) -> SlackConnection:
    return SlackConnection.model_validate({"connector": "slack", **keys})


async def post(
    connection: SlackConnection, channel: str, text: str, key: str = KEY
) -> tuple[Sent, list[dict[str, Any]]]:
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=key)
        try:
            return await make_chat(connection, http).post(channel, text), http.exchanges
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


async def post_by_token(vendor: Recorder, channel: str = "#leads", text: str = "hello") -> Sent:
    sent, _ = await post(settings(token=TOKEN, base_url=f"{vendor.url}/api"), channel, text)
    return sent


async def post_by_webhook(vendor: Recorder, text: str = "hello") -> Sent:
    sent, _ = await post(settings(webhook_url=vendor.url + WEBHOOK_PATH), "#leads", text)
    return sent


async def test_token_posts_within_slacks_contract(vendor: Recorder) -> None:
    answer = fixture("post_message.json")
    vendor.answer(answer)

    sent = await post_by_token(vendor, text="New lead: Zoë <3 & Co")

    assert sent == Sent(fixture("post_message.expected.json")["id"])
    [request] = vendor.requests
    assert request.json == {
        "channel": "#leads",
        "text": "New lead: Zoë &lt;3 &amp; Co",
        "metadata": {"event_type": "mainstay", "event_payload": {"key": KEY}},
    }
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    validate_request("slack", request.method, request.url, request.headers, request.body)
    validate_response("slack", "POST", request.url, 200, {"Content-Type": "application/json"}, json.dumps(answer))


async def test_without_a_key_no_metadata_is_sent(vendor: Recorder) -> None:
    vendor.answer({"ok": True, "channel": "C1", "ts": "1.2"})
    await post(settings(token=TOKEN, base_url=f"{vendor.url}/api"), "C1", "x", key="")
    assert vendor.requests[0].json == {"channel": "C1", "text": "x"}


async def test_default_channel_is_for_posts_that_name_none(vendor: Recorder) -> None:
    vendor.answer({"ok": True, "channel": "C1", "ts": "1"})
    vendor.answer({"ok": True, "channel": "C2", "ts": "2"})
    await post(settings(token=TOKEN, base_url=vendor.url, channel="#ops"), " ", "x")
    await post(settings(token=TOKEN, base_url=vendor.url, channel="#ops"), "#leads", "x")
    assert [request.json["channel"] for request in vendor.requests] == ["#ops", "#leads"]


async def test_no_channel_at_all_is_said_before_anything_is_sent(vendor: Recorder) -> None:
    with pytest.raises(PermanentError, match="no channel: name one"):
        await post_by_token(vendor, channel="")
    assert vendor.requests == []


@pytest.mark.parametrize(
    "code",
    [
        "account_inactive",
        "channel_not_found",
        "invalid_auth",
        "is_archived",
        "not_authed",
        "not_in_channel",
        "token_expired",
        "token_revoked",
    ],
)
async def test_what_only_a_person_can_mend(vendor: Recorder, code: str) -> None:
    vendor.answer({"ok": False, "error": code})
    with pytest.raises(VendorError, match=f"Slack: {code}; ") as caught:
        await post_by_token(vendor)
    assert caught.value.fate == "human"


async def test_a_missing_scope_is_named_with_its_mend(vendor: Recorder) -> None:
    vendor.answer(fixture("missing_scope.json"))
    with pytest.raises(VendorError) as caught:
        await post_by_token(vendor)
    expected = fixture("missing_scope.expected.json")
    assert (caught.value.fate, str(caught.value)) == (expected["fate"], expected["error"])


@pytest.mark.parametrize("code", ["msg_too_long", "no_text", "invalid_blocks", "some_new_error"])
async def test_what_would_fail_again(vendor: Recorder, code: str) -> None:
    vendor.answer({"ok": False, "error": code})
    with pytest.raises(PermanentError, match=f"Slack: {code}"):
        await post_by_token(vendor)


@pytest.mark.parametrize(
    ("code", "unsure"),
    [
        ("ratelimited", False),
        ("fatal_error", True),
        ("internal_error", True),
        ("service_unavailable", False),
        ("request_timeout", False),
    ],
)
async def test_what_passes(vendor: Recorder, code: str, unsure: bool) -> None:
    vendor.answer({"ok": False, "error": code})
    with pytest.raises(TransientError, match=f"Slack: {code}") as caught:
        await post_by_token(vendor)
    assert caught.value.unsure is unsure


@pytest.mark.parametrize("way", [post_by_token, post_by_webhook])
async def test_rate_limit_says_when_to_come_back(vendor: Recorder, way: Any) -> None:
    vendor.answer({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "30"})
    with pytest.raises(TransientError) as caught:
        await way(vendor)
    assert (caught.value.status, caught.value.retry_after) == (429, 30.0)


@pytest.mark.parametrize("way", [post_by_token, post_by_webhook])
async def test_an_answer_that_is_not_slacks_is_no_success(vendor: Recorder, way: Any) -> None:
    vendor.answer("<h1>Welcome to the guest network</h1>", content_type="text/html")
    with pytest.raises(TransientError, match="not one of Slack's") as caught:
        await way(vendor)
    assert caught.value.unsure


@pytest.mark.parametrize("body", [None, [], "text", 5, {"ok": "yes"}, {"ok": None}, {"error": {"a": 1}}])
async def test_json_of_another_shape_is_no_success(vendor: Recorder, body: Any) -> None:
    vendor.answer(json.dumps(body))
    with pytest.raises(TransientError, match="not one of Slack's"):
        await post_by_token(vendor)


async def test_refusal_without_a_readable_code(vendor: Recorder) -> None:
    vendor.answer({"ok": False, "error": {"deep": [1]}})
    with pytest.raises(PermanentError, match="Slack: "):
        await post_by_token(vendor)


async def test_webhook_posts_within_slacks_contract(vendor: Recorder) -> None:
    vendor.answer("ok", content_type="text/html")

    sent = await post_by_webhook(vendor, text="New lead: Zoë <!channel> 李")

    assert sent == Sent("")
    [request] = vendor.requests
    assert request.path == WEBHOOK_PATH
    assert request.json == {"text": "New lead: Zoë &lt;!channel&gt; 李"}
    validate_request("slack", request.method, request.url, request.headers, request.body)
    validate_response("slack", "POST", request.url, 200, {"Content-Type": "text/html"}, "ok")


@pytest.mark.parametrize(
    ("status", "word", "fate"),
    [
        (400, "invalid_payload", "permanent"),
        (403, "action_prohibited", "human"),
        (403, "invalid_token", "human"),
        (404, "no_service", "human"),
        (404, "channel_not_found", "human"),
        (410, "channel_is_archived", "human"),
        (500, "rollup_error", "transient"),
        (503, "service_unavailable", "transient"),
    ],
)
async def test_webhook_refusals(vendor: Recorder, status: int, word: str, fate: str) -> None:
    vendor.answer(word, status=status, content_type="text/html")
    with pytest.raises(VendorError, match=word) as caught:
        await post_by_webhook(vendor)
    assert (caught.value.fate, caught.value.status) == (fate, status)


@pytest.mark.parametrize("base", ["/slack", "/slack/", "/slack/api", "/slack/api/"])
async def test_base_url_takes_the_place_of_the_webhooks_host(vendor: Recorder, base: str) -> None:
    vendor.answer("ok", content_type="text/html")
    connection = settings(webhook_url="https://hooks.slack.com" + WEBHOOK_PATH, base_url=vendor.url + base)
    await post(connection, "", "x")
    assert vendor.requests[0].path == "/slack" + WEBHOOK_PATH


async def test_the_way_in_is_never_kept(vendor: Recorder) -> None:
    vendor.answer(f"no_service {WEBHOOK_PATH}", status=404, content_type="text/html")
    vendor.answer({"ok": False, "error": f"bad {TOKEN}"})
    for way in (post_by_webhook, post_by_token):
        with pytest.raises(VendorError) as caught:
            await way(vendor)
        kept = str(caught.value) + "".join(caught.value.__notes__)
        assert "sampleWebhookSecret" not in kept
        assert TOKEN not in kept


def test_settings_show_no_secret() -> None:
    for connection in (settings(token=TOKEN), settings(webhook_url="https://hooks.slack.com" + WEBHOOK_PATH)):
        assert "sample" not in repr(connection) + repr(http_settings(connection))


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({}, "give either token"),
        ({"token": TOKEN, "webhook_url": "https://hooks.slack.com/services/x"}, "give either token"),
        ({"webhook_url": "hooks.slack.com/services/x"}, "whole address"),
        ({"webhook_url": "https://hooks.slack.com/"}, "whole address"),
        ({"webhook_url": "https://hooks.slack.com/services/x", "channel": "#ops"}, "channel has no effect"),
        ({"token": TOKEN, "chanel": "#ops"}, "chanel"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend) as caught:
        settings(**keys)
    assert TOKEN not in str(caught.value)


def test_the_declaration() -> None:
    assert CONNECTOR.name == "slack"
    assert CONNECTOR.idempotency == {"chat.post": "lookup"}
    assert http_settings(settings(token=TOKEN)).base_url == "https://slack.com/api"


@given(st.text())
def test_escaped_text_holds_no_markup_and_loses_nothing(text: str) -> None:
    escaped = escape(text)
    assert "<" not in escaped
    assert ">" not in escaped
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text
