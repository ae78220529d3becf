from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from mainstay.connectors.vapi import CONNECTOR
from mainstay.connectors.vapi.call import state_of
from mainstay.connectors.vapi.settings import VapiConnection, VapiSource
from mainstay.connectors.vapi.voice import http_settings, make_voice
from mainstay.errors import VendorError
from mainstay.kit import Http, NeedsHumanError, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.vapi import report
from tests.connectors.voice_bench import SECRET, STEP, TOKEN, Placed, VoiceVendor, bench, call, sandbox
from tests.connectors.voice_conformance import OwnNumberConformance
from tests.contracts.vendor_specs import specs_folder
from tests.kit.recorder import Recorder, recording

__all__ = ["bench", "sandbox"]
NUMBER = "42b4b25d-031e-4786-857f-63b346c9580f"


class Vapi:
    name = "vapi"
    connector = CONNECTOR
    agent = "5b0a4a08-133c-4146-9315-0984f8c6be80"
    unknown_id = "7420f27a-30fd-4f49-a995-5549ae7cc00d"
    outcomes: Mapping[str, Any] = {
        "answered": "customer-ended-call",
        "voicemail": "voicemail",
        "no_answer": "customer-did-not-answer",
        "busy": "customer-busy",
        "failed": "twilio-failed-to-connect-call",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_credit": False}
    owned: Mapping[str, Any] = {"numbers": ["another", NUMBER]}

    def settings(self, base_url: str) -> VapiConnection:
        keys = {"api_key": TOKEN, "phone_number_id": NUMBER, "assistant": self.agent, "base_url": base_url}
        return VapiConnection.model_validate({"connector": "vapi", **keys})

    def source(self) -> VapiSource:
        return VapiSource.model_validate({"kind": "vapi", "secret": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [
            Placed(
                each["id"],
                each["customer"]["number"],
                each["assistantId"],
                each["assistantOverrides"]["variableValues"],
            )
            for each in state["calls"]
        ]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET)


class TestConformance(OwnNumberConformance):
    disowned: Mapping[str, Any] = {"numbers": ["another"]}

    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Vapi()


@pytest.fixture
def vendor() -> VoiceVendor:
    return Vapi()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


async def attempt(recorder: Recorder, operation: str, *arguments: Any, **keys: Any) -> Any:
    connection = Vapi().settings(recorder.url).model_copy(update=keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=STEP)
        return await getattr(make_voice(connection, http), operation)(*arguments)


@pytest.mark.parametrize(
    ("message", "kind", "mend"),
    [
        ("Over Concurrency Limit", TransientError, "all lines are in use"),
        ("Wallet Balance is -1", NeedsHumanError, "Billing"),
        ("Subscription is frozen", NeedsHumanError, "Billing"),
        ("Numbers Bought On Vapi Have A Daily Outbound Call Limit", NeedsHumanError, "Billing"),
        (["customer.number must be a valid phone number in the E.164 format"], PermanentError, "correct the contact"),
        ("Couldn't Get Assistant. assistantId x Does Not Exist", NeedsHumanError, "compare phone_number_id"),
        ("Couldn't Get Phone Number", NeedsHumanError, "compare phone_number_id"),
        (["name must be shorter than 40"], PermanentError, "name must be"),
        ({"nested": 1}, PermanentError, "400"),
    ],
)
async def test_words_of_a_400(recorder: Recorder, message: Any, kind: type[VendorError], mend: str) -> None:
    recorder.answer({"message": message, "error": "Bad Request", "statusCode": 400}, status=400)
    with pytest.raises(kind, match=mend) as caught:
        await attempt(recorder, "place_call", call())
    assert not caught.value.unsure


async def test_without_an_assistant_nobody_is_phoned(recorder: Recorder) -> None:
    with pytest.raises(PermanentError, match="no assistant speaks"):
        await attempt(recorder, "place_call", call(), assistant="")
    assert recorder.requests == []


def listed(*numbers: int, mark: str = "") -> list[dict[str, Any]]:
    return [
        {"id": f"c{number}", "createdAt": f"2026-03-02T10:00:00.{number:03}Z"} | ({"name": mark} if mark else {})
        for number in numbers
    ]


@pytest.mark.parametrize("order", [1, -1])
async def test_pages_go_on_whichever_way_they_are_sorted(recorder: Recorder, order: int) -> None:
    whole = listed(*range(60))[::order]
    recorder.answer(whole[:25])
    recorder.answer(whole[24:49])
    recorder.answer([*whole[48:], *listed(99, mark=STEP)])
    assert await attempt(recorder, "find_place_call", call()) == Sent("c99")
    edges = [dict(parse_qsl(urlsplit(each.url).query)) for each in recorder.requests]
    name = "createdAtGe" if order == 1 else "createdAtLe"
    assert [edge[name] for edge in edges[1:]] == [whole[24]["createdAt"], whole[48]["createdAt"]]


@pytest.mark.parametrize(
    "pages",
    [
        [listed(*range(25))] * 2,  # it does not go on
        [[{"id": f"c{number}"} for number in range(25)]],  # nobody knows when they were made
        [[{"createdAt": "2026-03-02T10:00:00Z"}]],
        [[None]],
        [{"calls": []}],
    ],
)
async def test_a_list_that_cannot_be_followed_leaves_the_doubt(recorder: Recorder, pages: list[Any]) -> None:
    for page in pages:
        recorder.answer(page)
    with pytest.raises(TransientError):
        await attempt(recorder, "find_place_call", call())


@pytest.mark.parametrize(
    "url",
    [
        "https://vapi.ai.evil.example/c1/control",
        "https://evilvapi.ai/c1/control",
        "http://phone.vapi.ai/c1/control",
        "https://user@evil.example/.vapi.ai",
        "file:///etc/passwd",
        "x",
    ],
)
async def test_the_key_goes_to_no_other_host(recorder: Recorder, url: str) -> None:
    recorder.answer({"id": "c1", "status": "in-progress", "monitor": {"controlUrl": url}})
    with pytest.raises(PermanentError, match="none of its own"):
        await attempt(recorder, "stop_call", "c1")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize("monitor", [None, {}, {"controlUrl": None}, "x"])
async def test_a_call_without_a_control_address_cannot_be_stopped(recorder: Recorder, monitor: Any) -> None:
    recorder.answer({"id": "c1", "status": "queued", "monitor": monitor})
    with pytest.raises(PermanentError, match="switch on Control"):
        await attempt(recorder, "stop_call", "c1")


async def test_the_address_may_stand_in_angle_brackets(recorder: Recorder) -> None:
    recorder.answer(
        {"id": "c1", "status": "ringing", "monitor": {"controlUrl": f"<{recorder.url}/c1/control>"}},
    )
    recorder.answer({})
    await attempt(recorder, "stop_call", "c1")
    assert [(each.method, each.path) for each in recorder.requests] == [("GET", "/call/c1"), ("POST", "/c1/control")]


async def test_a_call_that_does_not_end_is_tried_again(recorder: Recorder) -> None:
    alive = {"id": "c1", "status": "ringing", "monitor": {"controlUrl": f"{recorder.url}/c1/control"}}
    recorder.answer(alive)
    recorder.answer({"message": "no"}, status=404)
    recorder.answer(alive)
    with pytest.raises(TransientError, match="did not hang up"):
        await attempt(recorder, "stop_call", "c1")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("scheduled", "queued"), ("queued", "queued"), ("ringing", "ringing"), ("in-progress", "talking"),
     ("forwarding", "talking"), ("not-found", "ended"), ("something-new", "queued"), (7, "queued")],
)  # fmt: skip
async def test_states(recorder: Recorder, status: Any, expected: str) -> None:
    recorder.answer({"id": "c1", "status": status})
    assert (await attempt(recorder, "fetch_call", "c1")).status == expected


async def test_every_reason_of_the_vendors_list_has_an_outcome() -> None:
    spec = json.loads((specs_folder() / "vapi.json").read_text("utf-8"))
    reasons = spec["components"]["schemas"]["Call"]["properties"]["endedReason"]["enum"]
    outcomes = {reason: state_of({"id": "c", "status": "ended", "endedReason": reason}).outcome for reason in reasons}
    assert len(outcomes) > 500
    assert {reason for reason, outcome in outcomes.items() if "error" in reason and outcome == "answered"} == set()
    assert {
        outcomes[reason] for reason in ("assistant-ended-call", "silence-timed-out", "call.forwarding.no-answer")
    } == {"answered"}
    assert {
        outcomes[reason] for reason in ("vonage-rejected", "call-deleted", "twilio-reported-customer-misdialed")
    } == {"failed"}


@pytest.mark.parametrize("answer_body", [1e300, "x", [1], {"id": 5, "endedReason": [], "artifact": 3, "startedAt": {}}])
async def test_hostile_answers(recorder: Recorder, answer_body: Any) -> None:
    for operation, argument in (("place_call", call()), ("fetch_call", "c1"), ("find_place_call", call())):
        recorder.answer(json.dumps(answer_body), status=200)
        with contextlib.suppress(VendorError):
            await attempt(recorder, operation, argument)


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"api_key": " "}, "the key is empty"),
        ({"phone_number_id": "+13125550100"}, "phone_number_id"),
        ({"assistant": "My assistant"}, "named by its id"),
        ({"token": "x"}, "token"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    filled = {"connector": "vapi", "api_key": TOKEN, "phone_number_id": NUMBER} | keys
    with pytest.raises(ValidationError, match=mend):
        VapiConnection.model_validate(filled)
