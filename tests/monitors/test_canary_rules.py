"""How far a canary has come, and which hop broke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainstay.kit import Composed
from mainstay.monitors.canary_rules import Canary, Seen, Sight, follow, hops_of, trouble_of_canary

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
CANARY = Canary(
    "website",
    "c@acme.example",
    timedelta(hours=1),
    timedelta(minutes=5),
    lambda _key, _at: Composed(b"{}", {}),
    crm="hub",
    chat="slack",
)
IN = Seen("inbound.v1", "done", at=NOW)
PUSHED = Seen("push.v1", "done", at=NOW)
DONE = Seen("welcome.v1", "done", at=NOW)


def ran(*runs: Seen, in_crm: bool = False, told: bool = False) -> Sight:
    return Sight(delivered="processed", runs=runs, in_crm=in_crm, told_at=NOW if told else None)


@pytest.mark.parametrize(
    ("sight", "hop", "is_over", "passed"),
    [
        (Sight(), "source website", False, 0),
        (Sight(refusal="HTTP 401"), "source website", True, 0),
        (Sight(delivered="rejected", reason="no e-mail"), "source website", True, 0),
        (Sight(delivered="accepted"), "source website", False, 0),
        (ran(Seen("inbound.v1", "queued")), "source website", False, 0),
        (ran(Seen("inbound.v1", "failed", error="boom")), "source website", True, 0),
        (ran(IN), "crm hub", False, 1),
        (ran(IN, Seen("push.v1", "waiting", "retry of crm.push_contact")), "crm hub", False, 1),
        (ran(IN, Seen("push.v1", "failed", error="HTTP 401")), "crm hub", True, 1),
        (ran(IN, PUSHED, Seen("welcome.v1", "running"), in_crm=True), "workflow welcome.v1", False, 2),
        (
            ran(IN, PUSHED, Seen("welcome.v1", "failed", connection="slack", step="chat.post"), in_crm=True),
            "chat slack",
            True,
            2,
        ),
        (
            ran(IN, PUSHED, Seen("w.v1", "waiting", held_at="texts", connection="texts", step="sms.send"), in_crm=True),
            "sms texts",
            False,
            2,
        ),
        (ran(IN, PUSHED, DONE, in_crm=True), "chat slack", False, 3),
        (ran(IN, PUSHED, Seen("nurture.v1", "waiting", "2 days"), in_crm=True, told=True), "", True, 4),
        (ran(IN, PUSHED, DONE, in_crm=True, told=True), "", True, 4),
    ],
)
def test_a_canary_is_followed_to_the_hop_that_breaks(sight: Sight, hop: str, is_over: bool, passed: int) -> None:
    flight = follow(CANARY, sight)
    assert (flight.hop, flight.is_over, len(flight.passed)) == (hop, is_over, passed)
    if hop:
        trouble = trouble_of_canary(flight)
        assert trouble.cause.startswith(f"Broken: {hop}. It came ")
        assert trouble.severity == "critical"


def test_hops_are_timed_from_when_it_was_sent() -> None:
    flight = follow(CANARY, ran(IN, PUSHED, DONE, in_crm=True, told=True))
    assert hops_of(flight.passed, NOW - timedelta(seconds=2))[0] == {"name": "website", "ms": 2000}
