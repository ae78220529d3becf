from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.gates.rules import (
    LONGEST_PROBE_SECONDS,
    WINDOW_SECONDS,
    Lease,
    Outcomes,
    is_outage,
    probe_pause,
    rest_of,
)
from mainstay.kit import Rate
from mainstay.kit.rate import read_rates


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (TransientError("no answer", unsure=True), True),
        (TransientError("503", status=503), True),
        (TransientError("500", status=500), True),
        (TransientError("408", status=408), True),
        (TransientError("429", status=429), False),
        (TransientError("locked", status=423), False),
        (TransientError("too early", status=425), False),
        (PermanentError("404", status=404), False),
        (NeedsHumanError("401", status=401), False),
    ],
)
def test_what_says_that_a_vendor_is_out(error: VendorError, is_one: bool) -> None:
    assert is_outage(error) is is_one


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TransientError("429", status=429, retry_after=7.5), 7.5),
        (TransientError("429", status=429), 1.0),
        (TransientError("429", status=429, retry_after=10.0**9), 86_400.0),
        (TransientError("503", status=503, retry_after=60.0), 60.0),
        (TransientError("503", status=503), 0.0),
        (TransientError("locked", status=423, retry_after=2.0), 0.0),
        (TransientError("no answer"), 0.0),
        (PermanentError("400", status=400, retry_after=5.0), 0.0),
    ],
)
def test_the_rest_that_a_vendor_asks_for(error: VendorError, seconds: float) -> None:
    assert rest_of(error) == seconds


def test_probes_are_ever_farther_apart_up_to_five_minutes() -> None:
    pauses = [probe_pause(number) for number in range(100)]
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PROBE_SECONDS


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.integers(0, 4)), max_size=120))
def test_a_breaker_opens_by_the_last_minute_alone(story: list[tuple[float, bool, int]]) -> None:
    outcomes, now = Outcomes(), 0.0
    kept: list[tuple[float, bool, int]] = []
    for after, is_failure, run in story:
        now += after
        kept.append((now, is_failure, run))
        recent = [each for each in kept if each[0] > now - WINDOW_SECONDS]
        if not is_failure:
            outcomes.succeeded(now)
            continue
        failures = [each for each in recent if each[1]]
        # Successes from before the first failure are of a time when all was well.
        place = recent.index(failures[0])
        successes = [each for each in recent[place:] if not each[1]]
        expected = len(failures) >= 5 and len(failures) >= len(successes) and len({each[2] for each in failures}) >= 3
        assert outcomes.failed(now, run) is expected


def test_one_run_that_fails_again_and_again_opens_nothing() -> None:
    outcomes = Outcomes()
    assert not any(outcomes.failed(float(second), "one run") for second in range(50))


@given(st.integers(0, 50), st.floats(0.05, 1.0), st.lists(st.floats(0, 0.3), max_size=60))
def test_a_lease_gives_what_was_granted_until_its_end(granted: int, seconds: float, pauses: list[float]) -> None:
    lease, now, taken = Lease(), 100.0, 0
    lease.renew(granted, now + seconds)
    for pause in pauses:
        now += pause
        got = lease.take(now)
        assert not got or now < 100.0 + seconds
        taken += got
    assert taken <= granted
    assert taken == lease.used


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("100 in 10s", (Rate(100, 10),)),
        ("100 in 10s, 200_000 in 1d", (Rate(100, 10), Rate(200_000, 86_400))),
        ("1 in 0.5s", (Rate(1, 0.5),)),
        (" 5 in 1m 30s ", (Rate(5, 90),)),
        ("off", ()),
    ],
)
def test_rates_as_people_write_them(text: str, rates: tuple[Rate, ...]) -> None:
    assert read_rates(text) == rates


@pytest.mark.parametrize(
    "text", ["", "100", "100/10s", "0 in 1s", "-1 in 1s", "5 in 0s", "5 in a while", "5 in 60d", "5 in 1s,", "x in 1s"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='like "100 in 10s"'):
        read_rates(text)
