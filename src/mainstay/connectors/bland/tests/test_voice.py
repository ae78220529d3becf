from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.bland import CONNECTOR
from mainstay.connectors.bland.call import same_number
from mainstay.connectors.bland.settings import BlandConnection, BlandSource
from mainstay.connectors.bland.voice import http_settings, make_voice
from mainstay.errors import VendorError
from mainstay.kit import Http, NeedsHumanError, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.bland import report
from tests.connectors.voice_bench import SECRET, STEP, TOKEN, Bench, Placed, VoiceVendor, bench, call, sandbox
from tests.connectors.voice_conformance import VoiceConformance
from tests.contracts.vendor_specs import validate_request
from tests.kit.recorder import Recorder, recording

__all__ = ["bench", "sandbox"]
FROM = "+13125550100"


class Bland:
    name = "bland"
    connector = CONNECTOR
    agent = "a0f0d4ed-f5f5-4f16-b3f9-22166594d7a7"
    unknown_id = "9d404c1b-6a23-4426-953a-a52c392ff8f1"
    outcomes: Mapping[str, Any] = {
        "answered": "human",
        "voicemail": "voicemail",
        "no_answer": "no-answer",
        "busy": "busy",
        "failed": "failed",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_balance": False}
    owned: Mapping[str, Any] = {}

    def settings(self, base_url: str) -> BlandConnection:
        keys = {"api_key": TOKEN, "pathway": self.agent, "base_url": base_url}
        return BlandConnection.model_validate({"connector": "bland", **keys})

    def source(self) -> BlandSource:
        return BlandSource.model_validate({"kind": "bland", "secret": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [Placed(each["call_id"], each["to"], each["pathway_id"], each["variables"]) for each in state["calls"]]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET)


class TestConformance(VoiceConformance):
    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Bland()


@pytest.fixture
def vendor() -> VoiceVendor:
    return Bland()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


async def attempt(recorder: Recorder, operation: str, *arguments: Any, **keys: Any) -> Any:
    connection = Bland().settings(recorder.url).model_copy(update=keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=STEP)
        return await getattr(make_voice(connection, http), operation)(*arguments)


def listed(call_id: str, *, age: int = 0, to: str = "+13125550147") -> dict[str, Any]:
    made = datetime.now(UTC) - timedelta(seconds=age)
    return {"call_id": call_id, "to": to, "created_at": made.isoformat()}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("message", "kind", "mend"),
    [
        ("Insufficient balance", NeedsHumanError, "Billing"),
        ("Invalid API key", NeedsHumanError, "API key into the connection"),
        ("Rate limit exceeded", TransientError, "Rate limit"),
        ("Invalid pathway_id", NeedsHumanError, "compare the connection's keys"),
        ("Invalid phone number", PermanentError, "correct the contact's phone"),
        ("Something else", PermanentError, "Something else"),
        (None, PermanentError, r"^\d00: "),
    ],
)
async def test_words_of_a_refusal_count_whatever_its_status(
    recorder: Recorder, status: int, message: Any, kind: type[VendorError], mend: str
) -> None:
    recorder.answer({"status": "error", "message": message}, status=status)
    with pytest.raises(kind, match=mend) as caught:
        await attempt(recorder, "place_call", call())
    assert not caught.value.unsure


@pytest.mark.parametrize(
    "answer_body",
    [
        {"status": "error", "message": "Internal server error."},
        {"status": "error", "call_id": "c1"},
        {"status": "success"},
    ],
)
async def test_what_leaves_open_whether_somebody_is_phoned_is_unsure(recorder: Recorder, answer_body: Any) -> None:
    recorder.answer(answer_body)
    with pytest.raises(TransientError) as caught:
        await attempt(recorder, "place_call", call())
    assert caught.value.unsure


async def test_all_that_the_settings_say_is_sent(recorder: Recorder) -> None:
    recorder.answer({"status": "success", "call_id": "c1"})
    keys = {"pathway": "", "task": "Ask.", "sender": FROM, "voice": "maya", "webhook": "https://a.example/in/w/calls"}
    await attempt(recorder, "place_call", call(), **keys, max_minutes=5, record=True, detect_voicemail=False)
    [request] = recorder.requests
    assert request.json == {
        "phone_number": call().to,
        "task": "Ask.",
        "from": FROM,
        "voice": "maya",
        "webhook": "https://a.example/in/w/calls",
        "metadata": {"mainstay_key": STEP},
        "request_data": {"name": "Zoë 李", **call().variables},
        "max_duration": 5,
        "record": True,
    }
    validate_request("bland", request.method, request.url, request.headers, request.body)


async def test_without_a_script_nobody_is_phoned(recorder: Recorder) -> None:
    with pytest.raises(PermanentError, match="what to talk about"):
        await attempt(recorder, "place_call", call(), pathway="")
    assert recorder.requests == []


@pytest.mark.parametrize("quirk", [{"short_numbers": True}, {"echoes_metadata": False}, {"refuses_politely": True}])
async def test_a_lost_call_is_found_whatever_bland_shows_of_it(bench: Bench, quirk: dict[str, Any]) -> None:
    await bench.configure(**quirk)
    sent = await bench.voice().place_call(call())
    assert await bench.voice().find_place_call(call()) == sent
    assert await bench.voice().find_place_call(call(to="+13125550148")) is None
    assert await bench.voice(tried_ago=-10).find_place_call(call()) is None  # it was there before this step was tried


async def test_polite_refusals_are_refusals(bench: Bench) -> None:
    await bench.configure(refuses_politely=True)
    assert await bench.voice().fetch_call(bench.vendor.unknown_id) is None
    with pytest.raises(PermanentError, match="has no call"):
        await bench.voice().stop_call(bench.vendor.unknown_id)
    sent = await bench.voice().place_call(call())
    await bench.voice().stop_call(sent.id)
    await bench.voice().stop_call(sent.id)
    assert await bench.effects() == ["call.placed", "call.stopped"]


async def test_the_mark_may_come_back_as_text_or_among_the_variables(recorder: Recorder) -> None:
    for call_id, detail in (
        ("c1", {"metadata": json.dumps({"mainstay_key": STEP})}),
        ("c2", {"variables": {"metadata": {"mainstay_key": STEP}}}),
        ("c3", {}),
    ):
        recorder.answer({"calls": [listed(call_id)]})
        recorder.answer({"call_id": call_id} | detail)
        assert await attempt(recorder, "find_place_call", call()) == Sent(call_id)
    recorder.answer({"calls": [listed("c4"), listed("c5", to="+442079460000"), listed("c6", age=60)]})
    recorder.answer({"call_id": "c4", "metadata": {}})
    assert await attempt(recorder, "find_place_call", call()) is None


@pytest.mark.parametrize(
    "pages",
    [
        [{}],
        [{"calls": None}],
        [{"calls": [{}]}],
        [{"calls": [None]}],
        [{"calls": [{"call_id": "c1", "created_at": "yesterday"}]}],
        [{"calls": [{"call_id": "../x", "to": "+13125550147", "created_at": "2999-01-01T00:00:00Z"}]}],
        [{"calls": [listed(f"c{number}", to="1", age=-86_400) for number in range(100)]}] * 2,  # it does not go on
    ],
)
async def test_a_list_that_cannot_be_followed_leaves_the_doubt(recorder: Recorder, pages: list[Any]) -> None:
    for page in pages:
        recorder.answer(page)
    with pytest.raises(TransientError):
        await attempt(recorder, "find_place_call", call())


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("+13125550147", "3125550147", True),
        ("+1 (312) 555-0147", "+13125550147", True),
        ("+13125550147", "+13125550148", False),
        ("0147", "+13125550147", False),
        ("", "+13125550147", False),
    ],
)
def test_numbers(one: str, other: str, is_same: bool) -> None:
    assert same_number(one, other) is same_number(other, one) is is_same


@pytest.mark.parametrize("answer_body", [1e300, "x", [1], {"call_id": "c1", "call_length": "1e999", "transcripts": 5}])
async def test_hostile_answers(recorder: Recorder, answer_body: Any) -> None:
    for operation, argument in (("place_call", call()), ("fetch_call", "c1"), ("find_place_call", call())):
        recorder.answer(json.dumps(answer_body), status=200)
        with contextlib.suppress(VendorError):
            await attempt(recorder, operation, argument)


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"api_key": ""}, "the key is empty"),
        ({"pathway": "p", "task": "t"}, "either pathway"),
        ({"webhook": "example.com"}, "the whole address"),
        ({"from": "3125550100"}, "from"),
        ({"max_minutes": 0}, "max_minutes"),
        ({"x": 1}, "x"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        BlandConnection.model_validate({"connector": "bland", "api_key": TOKEN} | keys)
