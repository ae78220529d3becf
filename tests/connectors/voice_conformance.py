"""What every connector with the role ``voice`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(VoiceConformance):
        @pytest.fixture
        def vendor(self) -> VoiceVendor: ...

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from mainstay.errors import VendorError
from mainstay.kit import Call, CallState, NeedsHumanError, PermanentError, TransientError
from tests.connectors.voice_bench import STEP, TO, TOKEN, VARIABLES, Bench, VoiceVendor, call, delivered
from tests.contracts.vendor_specs import specs_folder, validate_recorded

OUTCOMES = ("answered", "voicemail", "no_answer", "busy", "failed")


class VoiceConformance:
    """The tests. A subclass gives the fixture ``vendor``."""

    # ------------------------------------------------------------------------------------------------- placing

    async def test_a_call_is_placed_by_one_request(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())

        placed = await bench.only()
        assert (placed.id, placed.to, placed.agent) == (sent.id, TO, bench.vendor.agent)
        assert {key: placed.variables.get(key) for key in VARIABLES} == VARIABLES
        assert len(await bench.requests()) == 1
        assert await bench.effects() == ["call.placed"]

    async def test_a_call_may_name_who_speaks(self, bench: Bench) -> None:
        other = bench.vendor.agent[:-1] + "9"
        await bench.voice().place_call(call(agent=other))
        assert (await bench.only()).agent == other

    async def test_a_call_without_variables_and_name_is_placed(self, bench: Bench) -> None:
        await bench.voice().place_call(Call(TO))
        assert (await bench.only()).to == TO

    @pytest.mark.parametrize("to", ["", "(312) 555-0147", "3125550147", "+1312555014a", f"{TO},{TO}", "+1\n3125550147"])
    async def test_what_is_no_number_is_not_phoned(self, bench: Bench, to: str) -> None:
        with pytest.raises(PermanentError, match="with its country"):
            await bench.voice().place_call(call(to=to))
        assert await bench.requests() == []

    async def test_a_wrong_number_is_permanent_and_says_what_to_do(self, bench: Bench) -> None:
        await bench.ends("invalid")
        with pytest.raises(PermanentError, match="correct the contact's phone"):
            await bench.voice().place_call(call())
        assert await bench.placed() == []

    # ------------------------------------------------------------------------------------- never phoning twice

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated", "empty", "reshaped"])
    async def test_a_lost_answer_is_unsure_and_the_call_is_found(self, bench: Bench, kind: str) -> None:
        bench.timeout = 0.5
        await bench.fault(kind)
        with pytest.raises(TransientError) as caught:
            await bench.voice().place_call(call())
        assert caught.value.unsure

        bench.timeout = 5
        found = await bench.voice().find_place_call(call())

        assert found is not None
        assert found.id == (await bench.only()).id
        assert await bench.effects() == ["call.placed"]

    async def test_a_call_that_was_not_placed_is_not_found(self, bench: Bench) -> None:
        bench.timeout = 0.5
        await bench.fault("timeout_before")
        with pytest.raises(TransientError) as caught:
            await bench.voice().place_call(call())
        assert caught.value.unsure

        bench.timeout = 5
        assert await bench.voice().find_place_call(call()) is None

    async def test_the_call_of_another_step_is_not_ours(self, bench: Bench) -> None:
        await bench.voice("0192aa00-0000-7000-8000-00000000000a-4").place_call(call())
        await bench.voice("0192aa00-0000-7000-8000-00000000000b-3").place_call(call())
        assert await bench.voice().find_place_call(call()) is None

    async def test_a_long_key_is_a_mark_too(self, bench: Bench) -> None:
        key = STEP + "-" + "9" * 40
        sent = await bench.voice(key).place_call(call())
        assert await bench.voice(key).find_place_call(call()) == sent
        assert await bench.voice(key + "9").find_place_call(call()) is None

    async def test_it_is_found_among_many_and_after_it_ended(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())
        for number in range(30):
            await bench.voice(f"{STEP}-{number}").place_call(call())
        await bench.ends("busy")
        assert await bench.voice(tried_ago=60).find_place_call(call()) == sent

    async def test_a_list_that_lags_shows_it_later(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())
        await bench.configure(list_lag_ms=60_000)
        assert await bench.voice().find_place_call(call()) is None
        await bench.configure(list_lag_ms=0)
        assert await bench.voice().find_place_call(call()) == sent
        assert bench.vendor.connector.lookup_after >= 10

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
    async def test_a_look_up_that_is_refused_leaves_the_doubt(self, bench: Bench, status: int) -> None:
        await bench.voice().place_call(call())
        await bench.fault("status", status=status)
        with pytest.raises(TransientError):
            await bench.voice().find_place_call(call())

    @pytest.mark.parametrize("kind", ["truncated", "html", "reshaped", "empty"])
    async def test_a_look_up_that_cannot_be_read_leaves_the_doubt(self, bench: Bench, kind: str) -> None:
        await bench.voice().place_call(call())
        await bench.fault(kind)
        with pytest.raises(TransientError):
            await bench.voice().find_place_call(call())

    async def test_the_connector_says_what_a_repeat_does(self, vendor: VoiceVendor) -> None:
        assert vendor.connector.idempotency == {
            "voice.place_call": "lookup",
            "voice.stop_call": "state",
            "voice.fetch_call": "state",
        }

    # ------------------------------------------------------------------------------------- reading and stopping

    @pytest.mark.parametrize("outcome", OUTCOMES)
    async def test_how_it_went(self, bench: Bench, outcome: str) -> None:
        sent = await bench.voice().place_call(call())
        await bench.ends(outcome)

        state = await bench.voice().fetch_call(sent.id)

        assert isinstance(state, CallState)
        assert (state.id, state.status, state.outcome) == (sent.id, "ended", outcome)
        assert state.reason
        if outcome == "answered":
            assert "wann passt es? 👍" in state.transcript
            assert state.seconds >= 0
            assert state.summary
            assert state.recording_url.startswith("https://")

    async def test_a_call_under_way_has_no_outcome(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())
        state = await bench.voice().fetch_call(sent.id)
        assert state.status in {"queued", "ringing", "talking"}
        assert (state.outcome, state.seconds) == ("", 0)

    async def test_a_call_that_is_not_there_is_none(self, bench: Bench) -> None:
        assert await bench.voice().fetch_call(bench.vendor.unknown_id) is None

    @pytest.mark.parametrize("call_id", ["", "../../secrets", "a/b", "a?b=c", ".", "x" * 1000])
    async def test_what_is_no_id_is_never_sent(self, bench: Bench, call_id: str) -> None:
        for operation in ("fetch_call", "stop_call"):
            with pytest.raises(PermanentError, match="is not the id of a call"):
                await getattr(bench.voice(), operation)(call_id)
        assert await bench.requests() == []

    async def test_a_call_is_stopped_once(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())
        await bench.voice().stop_call(sent.id)
        await bench.voice().stop_call(sent.id)
        assert (await bench.voice().fetch_call(sent.id)).status == "ended"
        assert await bench.effects() == ["call.placed", "call.stopped"]

    async def test_a_call_that_ended_by_itself_is_not_stopped(self, bench: Bench) -> None:
        sent = await bench.voice().place_call(call())
        await bench.ends("answered")
        await bench.voice().stop_call(sent.id)
        assert await bench.effects() == ["call.placed"]

    async def test_a_call_that_is_not_there_cannot_be_stopped(self, bench: Bench) -> None:
        with pytest.raises(PermanentError):
            await bench.voice().stop_call(bench.vendor.unknown_id)

    # ------------------------------------------------------------------------------------------------ failures

    async def test_a_rate_limit_says_when_to_come_back(self, bench: Bench) -> None:
        await bench.fault("status", status=429, retry_after=7)
        with pytest.raises(TransientError) as caught:
            await bench.voice().place_call(call())
        assert (caught.value.retry_after, caught.value.status, caught.value.unsure) == (7, 429, False)
        assert await bench.placed() == []

    async def test_a_rate_limit_without_a_time_still_waits(self, bench: Bench) -> None:
        await bench.fault("status", status=429)
        with pytest.raises(TransientError) as caught:
            await bench.voice().place_call(call())
        assert caught.value.retry_after == 10

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_vendor_in_trouble_leaves_open_whether_it_phones(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)
        with pytest.raises(TransientError) as caught:
            await bench.voice().place_call(call())
        assert caught.value.unsure

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_key_needs_a_person_and_says_what_to_do(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)
        with pytest.raises(NeedsHumanError, match="key") as caught:
            await bench.voice().place_call(call())
        assert caught.value.status == status

    async def test_a_revoked_key_needs_a_person(self, bench: Bench) -> None:
        await bench.configure(tokens=["another"])
        for operation in (
            bench.voice().place_call(call()),
            bench.check(),
            bench.voice().fetch_call(bench.vendor.unknown_id),
        ):
            with pytest.raises(NeedsHumanError, match="key"):
                await operation
        assert await bench.placed() == []

    async def test_an_account_that_must_pay_needs_a_person(self, bench: Bench) -> None:
        await bench.configure(**bench.vendor.no_credit)
        with pytest.raises(NeedsHumanError, match=r"(?i)billing"):
            await bench.voice().place_call(call())
        assert await bench.placed() == []

    async def test_a_402_needs_a_person(self, bench: Bench) -> None:
        await bench.fault("status", status=402)
        with pytest.raises(NeedsHumanError, match=r"(?i)billing"):
            await bench.voice().place_call(call())

    async def test_the_key_is_in_no_error_and_no_record(self, bench: Bench) -> None:
        await bench.fault("status", status=401)
        voice = bench.voice()
        with pytest.raises(NeedsHumanError) as caught:
            await voice.place_call(call())
        settings = bench.vendor.settings("")
        kept = f"{caught.value!r} {bench.attempts[-1].exchanges} {settings!r} {vars(voice)}"
        assert TOKEN not in kept
        assert TO not in kept

    async def test_a_vendor_that_is_not_there_is_tried_again(self, bench: Bench) -> None:
        with pytest.raises(TransientError) as caught:
            await bench.voice(base_url="http://127.0.0.1:1").place_call(call())
        assert not caught.value.unsure

    @pytest.mark.parametrize("kind", ["truncated", "html", "empty", "reshaped"])
    @pytest.mark.parametrize("operation", ["fetch_call", "stop_call", "check"])
    async def test_an_answer_that_is_not_the_vendors_is_a_clear_error(
        self, bench: Bench, operation: str, kind: str
    ) -> None:
        sent = await bench.voice().place_call(call())
        await bench.fault(kind)
        running = bench.check() if operation == "check" else getattr(bench.voice(), operation)(sent.id)
        with contextlib.suppress(VendorError):
            await running

    async def test_check_says_whose_account_it_is(self, bench: Bench) -> None:
        await bench.configure(**bench.vendor.owned)
        assert await bench.check()
        assert await bench.effects() == []

    # ------------------------------------------------------------------------------------------------ contract

    async def test_every_request_keeps_the_vendors_contract(self, bench: Bench) -> None:
        specs_folder()
        await bench.configure(**bench.vendor.owned)
        sent = await bench.voice().place_call(call())
        await bench.voice().find_place_call(call())
        await bench.voice().fetch_call(sent.id)
        await bench.voice().stop_call(sent.id)
        await bench.check()

        requests = await bench.requests()

        assert len(requests) >= 5
        for record in requests:
            validate_recorded(record)
            assert record["status"] < 400

    # ------------------------------------------------------------------------------------------------ the source

    @pytest.mark.parametrize("outcome", OUTCOMES)
    async def test_a_call_that_ended_is_one_event_of_whoever_was_phoned(self, bench: Bench, outcome: str) -> None:
        sent = await bench.voice().place_call(call())
        [record] = (await bench.state())["calls"]
        [kind] = bench.vendor.connector.sources
        settings = bench.vendor.source()
        arrived = delivered(bench.vendor.report(record, bench.vendor.outcomes[outcome]))

        if kind.challenge is not None:
            assert kind.challenge(arrived, settings) is None
        assert kind.verify(arrived, settings).endswith("ok")
        [event] = kind.parse(arrived, settings)

        assert event.type == "call.ended"
        assert event.submission is not None
        assert event.submission.phone == TO
        assert set(asdict(CallState("", "ended"))) <= set(event.data)
        assert {key: event.data[key] for key in ("id", "status", "outcome", "direction", "to")} == {
            "id": sent.id,
            "status": "ended",
            "outcome": outcome,
            "direction": "outbound",
            "to": TO,
        }
        assert sent.id in kind.delivery_key(arrived, settings)
        # The event says what a look at the call would.
        await bench.ends(outcome)
        read = await bench.voice().fetch_call(sent.id)
        assert (read.outcome, read.reason) == (outcome, event.data["reason"])


class OwnNumberConformance(VoiceConformance):
    """The same, and more: the vendor tells whether the account has what the connection names (``disowned``)."""

    disowned: Mapping[str, Any]

    async def test_check_says_what_the_account_lacks(self, bench: Bench) -> None:
        await bench.configure(**self.disowned)
        with pytest.raises(NeedsHumanError, match="the key is good, but"):
            await bench.check()

    async def test_what_the_connection_names_and_the_account_lacks_needs_a_person(self, bench: Bench) -> None:
        await bench.configure(**self.disowned)
        with pytest.raises(NeedsHumanError, match="compare"):
            await bench.voice().place_call(call())
        assert await bench.placed() == []
