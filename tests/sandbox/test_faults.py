from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.sandbox import Sandbox, SandboxError
from mainstay.sandbox.faults import Fault, Faults
from tests.sandbox.wire import GHL, POSTMARK, SLACK, Answer, call

LOST = (http.client.RemoteDisconnected, ConnectionResetError)


def upsert(sandbox: Sandbox, *, timeout: float = 5) -> Answer:
    body = {"locationId": "loc", "email": "sarah@example.com"}
    return call("POST", sandbox.url("gohighlevel") + "/contacts/upsert", body, GHL, timeout=timeout)


def contacts(sandbox: Sandbox) -> int:
    return len(sandbox.state("gohighlevel")["contacts"])


def test_a_status_fault_does_nothing_and_ends_after_its_count(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "status", status=429, retry_after=2, count=2)
    answers = [upsert(sandbox) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[0].json()["statusCode"] == 429
    assert [request["fault"] for request in sandbox.requests("gohighlevel")] == ["status", "status", None]
    assert sandbox.faults()[0]["hits"] == 2


@pytest.mark.parametrize(("kind", "done"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_timeout_leaves_the_client_without_an_answer(sandbox: Sandbox, kind: Any, done: int) -> None:
    sandbox.set_fault("gohighlevel", kind, count=1)
    with pytest.raises(TimeoutError):
        upsert(sandbox, timeout=0.2)
    assert contacts(sandbox) == done
    assert sandbox.requests("gohighlevel")[0]["status"] is None
    assert upsert(sandbox).json()["new"] is (done == 0)


def test_a_timeout_ends_by_closing_the_connection(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "timeout_after", hold_ms=20, count=1)
    with pytest.raises(LOST):
        upsert(sandbox)
    assert contacts(sandbox) == 1


@pytest.mark.parametrize(("kind", "done"), [("drop_before", 0), ("drop_after", 1), ("reset", 0)])
def test_a_lost_connection(sandbox: Sandbox, kind: Any, done: int) -> None:
    sandbox.set_fault("gohighlevel", kind, count=1)
    with pytest.raises(ConnectionResetError if kind == "reset" else LOST):
        upsert(sandbox)
    assert contacts(sandbox) == done


def test_a_truncated_answer_is_no_json_and_the_effect_is_done(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "truncated", count=1)
    answer = upsert(sandbox)
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert contacts(sandbox) == 1


def test_an_html_page_comes_with_200_and_nothing_is_done(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "html", count=1)
    answer = upsert(sandbox)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert contacts(sandbox) == 0


def test_a_hold_lets_the_answer_go_when_it_is_cleared(sandbox: Sandbox) -> None:
    fault = sandbox.set_fault("gohighlevel", "hold", contains="sarah@")
    with ThreadPoolExecutor(1) as beside:
        held = beside.submit(upsert, sandbox)
        while not sandbox.hits(fault):
            assert not held.done()
        assert contacts(sandbox) == 1
        assert not held.done()
        assert sandbox.clear(fault=fault) == 1
        assert held.result().status == 200


def test_a_reset_lets_held_answers_go(sandbox: Sandbox) -> None:
    fault = sandbox.set_fault("gohighlevel", "hold")
    with ThreadPoolExecutor(1) as beside:
        held = beside.submit(upsert, sandbox)
        while not sandbox.hits(fault):
            assert not held.done()
        sandbox.reset()
        assert held.result().status == 200


def test_a_fault_is_narrowed_by_what_the_body_contains(sandbox: Sandbox) -> None:
    fault = sandbox.set_fault("gohighlevel", "status", contains="omar@")
    assert upsert(sandbox).status == 200
    assert sandbox.hits(fault) == 0


def test_an_answer_that_drips_is_whole_in_the_end(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "drip", hold_ms=100, count=1)
    began = time.monotonic()
    assert upsert(sandbox).json()["new"] is True
    assert time.monotonic() - began >= 0.1


def test_an_empty_answer_is_204_and_the_effect_is_done(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "empty", count=1)
    assert (answer := upsert(sandbox)).status == 204
    assert (answer.body, contacts(sandbox)) == (b"", 1)


def test_a_reshaped_answer_has_other_keys_throughout(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "reshaped", count=1)
    said = upsert(sandbox).json()
    assert said["contact_v2"]["email_v2"] == "sarah@example.com"
    assert contacts(sandbox) == 1


def test_latency_delays_and_adds_to_another_fault(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "latency", latency_ms=60)
    sandbox.set_fault("gohighlevel", "status", status=503, latency_ms=60, count=1)
    began = time.monotonic()
    assert upsert(sandbox).status == 503
    assert time.monotonic() - began >= 0.12
    assert upsert(sandbox).status == 200


def test_a_fault_is_narrowed_by_method_path_and_vendor(sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "status", method="POST", path="/contacts/*/tags", skip=1)
    contact = upsert(sandbox).json()["contact"]["id"]
    tags = f"{sandbox.url('gohighlevel')}/contacts/{contact}/tags"
    assert [call("POST", tags, {"tags": ["a"]}, GHL).status for _ in range(3)] == [201, 503, 503]
    assert call("DELETE", tags, {"tags": ["a"]}, GHL).status == 200
    assert call("POST", f"{sandbox.url('slack')}/chat.postMessage", {}, SLACK).status == 200


def test_faults_are_cleared_by_number_by_vendor_and_all(sandbox: Sandbox) -> None:
    first = sandbox.set_fault("gohighlevel", "html")
    sandbox.set_fault("gohighlevel", "status")
    sandbox.set_fault("slack", "html")
    sandbox.set_fault("hubspot", "html")
    assert sandbox.clear(fault=first) == 1
    assert upsert(sandbox).status == 503
    assert sandbox.clear("gohighlevel") == 1
    assert upsert(sandbox).status == 200
    assert sandbox.clear() == 2
    assert sandbox.faults() == []


@pytest.mark.parametrize(
    ("vendor", "options", "message"),
    [
        ("nobody", {}, "vendor 'nobody' is not one of .*gohighlevel"),
        ("slack", {"kind": "flood"}, "kind 'flood' is not one of latency"),
        ("slack", {"status": 200}, "status is an error, from 400 to 599"),
        ("slack", {"probability": 2}, "probability is between 0 and 1"),
        ("slack", {"times": 1}, "a fault has no times; it has vendor"),
        ("slack", {"count": -1}, "count is a whole number from 0"),
        ("slack", {"contains": 5}, "contains is a text, not 5"),
        ("slack", {"retry_after": "soon"}, "retry_after is a number of seconds"),
    ],
)
def test_a_wrong_fault_is_refused_in_words(
    sandbox: Sandbox, vendor: str, options: dict[str, Any], message: str
) -> None:
    given = {"kind": "status"} | options
    with pytest.raises(SandboxError, match=message):
        sandbox.set_fault(vendor, **given)
    assert sandbox.faults() == []


def test_what_a_timeout_hides_is_seen_as_a_repetition(sandbox: Sandbox) -> None:
    mail = {"From": "a@example.com", "To": "b@example.com", "TextBody": "x", "Metadata": {"step": "7f3a/1"}}
    url = f"{sandbox.url('postmark')}/email"
    sandbox.set_fault("postmark", "drop_after", count=1)
    with pytest.raises(LOST):
        call("POST", url, mail, POSTMARK)
    assert sandbox.repeated("postmark") == []
    call("POST", url, mail, POSTMARK)
    call("POST", url, mail | {"Metadata": {"step": "7f3a/2"}}, POSTMARK)
    assert [[effect["seq"] for effect in group] for group in sandbox.repeated("postmark")] == [[1, 2]]


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 20))
def test_a_fault_strikes_count_times_after_skip(skip: int, count: int, requests: int) -> None:
    faults = Faults()
    faults.add(Fault(vendor="slack", kind="status", skip=skip, count=count))
    struck = [faults.strike("slack", "POST", "/x")[1] is not None for _ in range(requests)]
    assert struck == [skip <= number < skip + count for number in range(requests)]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_chance_repeats_with_its_seed(seed: int, probability: float) -> None:
    def draws() -> list[bool]:
        faults = Faults()
        faults.add(Fault(vendor="slack", kind="status", probability=probability, seed=seed))
        return [faults.strike("slack", "POST", "/x")[1] is not None for _ in range(50)]

    assert draws() == draws()


def test_a_fault_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("mainstay.sandbox.faults.time.monotonic", lambda: now)
    faults = Faults()
    faults.add(Fault(vendor="slack", kind="status", for_ms=500))
    assert faults.strike("slack", "POST", "/x")[1] is not None
    now = 100.5
    assert faults.strike("slack", "POST", "/x")[1] is None
