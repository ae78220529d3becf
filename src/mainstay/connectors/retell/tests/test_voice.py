from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.retell import CONNECTOR
from mainstay.connectors.retell.call import state_of
from mainstay.connectors.retell.settings import RetellConnection, RetellSource
from mainstay.connectors.retell.voice import http_settings, make_voice
from mainstay.errors import VendorError
from mainstay.kit import Http, NeedsHumanError, PermanentError, Sent, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.retell import report
from tests.connectors.voice_bench import SECRET, STEP, TOKEN, Placed, VoiceVendor, bench, call, sandbox
from tests.connectors.voice_conformance import OwnNumberConformance
from tests.contracts.vendor_specs import specs_folder
from tests.kit.recorder import Recorder, recording
from tests.sources import RECEIVED

__all__ = ["bench", "sandbox"]
FROM = "+13125550100"


class Retell:
    name = "retell"
    connector = CONNECTOR
    agent = "agent_oBeDLoLOeuAbiuaMFXRtDOLriT1"
    unknown_id = "call_5a82f0a43ea0977566b1104fcfc"
    outcomes: Mapping[str, Any] = {
        "answered": "user_hangup",
        "voicemail": "voicemail_reached",
        "no_answer": "dial_no_answer",
        "busy": "dial_busy",
        "failed": "dial_failed",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_credit": False}
    owned: Mapping[str, Any] = {"numbers": ["+13125550199", FROM]}

    def settings(self, base_url: str) -> RetellConnection:
        keys = {"api_key": TOKEN, "from": FROM, "agent": self.agent, "base_url": base_url}
        return RetellConnection.model_validate({"connector": "retell", **keys})

    def source(self) -> RetellSource:
        return RetellSource.model_validate({"kind": "retell", "api_key": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [
            Placed(each["call_id"], each["to_number"], each["agent_id"], each["retell_llm_dynamic_variables"])
            for each in state["calls"]
        ]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET, at=RECEIVED.timestamp())


class TestConformance(OwnNumberConformance):
    disowned: Mapping[str, Any] = {"numbers": ["+13125550199"]}

    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Retell()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


async def attempt(recorder: Recorder, operation: str, *arguments: Any, **keys: Any) -> Any:
    connection = Retell().settings(recorder.url).model_copy(update=keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=STEP)
        return await getattr(make_voice(connection, http), operation)(*arguments)


@pytest.mark.parametrize(
    ("status", "message", "kind", "mend"),
    [
        (400, "Concurrency limit reached", TransientError, "all lines are in use"),
        (402, "Trial has ended, please add payment method.", NeedsHumanError, "Billing"),
        (400, "No valid payment", NeedsHumanError, "Billing"),
        (400, "Invalid destination number", PermanentError, "correct the contact's phone"),
        (422, "to_number is not valid", PermanentError, "correct the contact's phone"),
        (404, "Item +13125550100 not found from phone-number", NeedsHumanError, "compare `from`"),
        (422, "Cannot find requested asset under given api key.", NeedsHumanError, "compare `from`"),
        (400, "No outbound agent id set up for phone number.", NeedsHumanError, "compare `from`"),
        (400, "Invalid request format", PermanentError, "Invalid request format"),
        (400, ["x"], PermanentError, "400"),
    ],
)
async def test_words_of_a_refusal(
    recorder: Recorder, status: int, message: Any, kind: type[VendorError], mend: str
) -> None:
    recorder.answer({"status": "error", "message": message}, status=status)
    with pytest.raises(kind, match=mend) as caught:
        await attempt(recorder, "place_call", call())
    assert not caught.value.unsure


async def test_without_an_agent_the_numbers_own_speaks(recorder: Recorder) -> None:
    recorder.answer({"call_id": "c1"}, status=201)
    await attempt(recorder, "place_call", call(), agent="")
    assert recorder.requests[0].json == {
        "from_number": FROM,
        "to_number": call().to,
        "retell_llm_dynamic_variables": {"name": "Zoë 李", **call().variables},
        "metadata": {"mainstay_key": STEP},
    }


async def test_pages_are_followed_by_their_key(recorder: Recorder) -> None:
    ours = {"call_id": "c9", "metadata": {"mainstay_key": STEP}}
    recorder.answer({"items": [{"call_id": "c1"}], "has_more": True, "pagination_key": "k1"})
    recorder.answer({"items": [{"call_id": "c2", "metadata": None}, ours], "has_more": False})
    assert await attempt(recorder, "find_place_call", call()) == Sent("c9")
    assert [each.json.get("pagination_key") for each in recorder.requests] == [None, "k1"]


@pytest.mark.parametrize(
    "page",
    [
        [],
        {},
        {"items": None},
        {"items": [{}]},
        {"items": [None]},
        {"items": [{"call_id": "c1"}], "has_more": True},
        {"items": [{"call_id": f"c{number}"} for number in range(100)]},
    ],
)
async def test_a_list_that_cannot_be_followed_leaves_the_doubt(recorder: Recorder, page: Any) -> None:
    recorder.answer(page)
    with pytest.raises(TransientError):
        await attempt(recorder, "find_place_call", call())


async def test_too_many_calls_to_one_number_leave_the_doubt(recorder: Recorder) -> None:
    for page in range(20):
        recorder.answer({"items": [{"call_id": f"c{page}"}], "has_more": True, "pagination_key": f"k{page}"})
    with pytest.raises(TransientError, match="not among the newest"):
        await attempt(recorder, "find_place_call", call())


async def test_a_call_that_does_not_end_is_tried_again(recorder: Recorder) -> None:
    recorder.answer({"status": "error", "message": "Call is not ongoing."}, status=400)
    recorder.answer({"call_id": "c1", "call_status": "registered"})
    with pytest.raises(TransientError, match="did not end the call yet"):
        await attempt(recorder, "stop_call", "c1")


async def test_another_refusal_of_a_read_is_shown_masked(recorder: Recorder) -> None:
    recorder.answer({"status": "error", "message": f"Bad key {TOKEN} for +13125550147"}, status=400)
    with pytest.raises(PermanentError) as caught:
        await attempt(recorder, "fetch_call", "c1")
    assert TOKEN not in str(caught.value)
    assert "+13125550147" not in str(caught.value)


def test_every_reason_of_the_vendors_list_has_an_outcome() -> None:
    spec = json.loads((specs_folder() / "retell.json").read_text("utf-8"))
    reasons = spec["components"]["schemas"]["DisconnectionReason"]["enum"]
    outcomes = {
        reason: state_of({"call_status": "ended", "disconnection_reason": reason}).outcome for reason in reasons
    }
    assert set(outcomes.values()) == {"answered", "voicemail", "no_answer", "busy", "failed"}
    assert {reason for reason, outcome in outcomes.items() if outcome == "answered" and "error" in reason} == set()
    assert outcomes["invalid_destination"] == outcomes["dial_failed"] == outcomes["no_valid_payment"] == "failed"


@pytest.mark.parametrize("answer_body", [1e300, "x", [1], {"call_id": "c1", "duration_ms": "1e999", "transcript": []}])
async def test_hostile_answers(recorder: Recorder, answer_body: Any) -> None:
    for operation, argument in (("place_call", call()), ("fetch_call", "c1"), ("find_place_call", call())):
        recorder.answer(json.dumps(answer_body), status=200)
        with contextlib.suppress(VendorError):
            await attempt(recorder, operation, argument)


@pytest.mark.parametrize(
    ("keys", "mend"),
    [({"api_key": ""}, "the key is empty"), ({"from": "3125550100"}, "from"), ({"from": ""}, "from"), ({"x": 1}, "x")],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        RetellConnection.model_validate({"connector": "retell", "api_key": TOKEN, "from": FROM} | keys)
