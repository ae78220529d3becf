from __future__ import annotations

import pytest

from mainstay.errors import NeedsHumanError, PermanentError, TransientError
from mainstay.kit import CallState, Response
from mainstay.kit.calling import (
    MAX_TEXT_CHARS,
    call_event,
    classify_call,
    is_marked,
    is_phone,
    looking,
    mark_of,
    number_of,
    said,
    whole_seconds,
)


def test_a_mark_is_the_key_or_a_digest_of_forty_characters() -> None:
    assert mark_of("0192aa00-0000-7000-8000-00000000000a-123") == "0192aa00-0000-7000-8000-00000000000a-123"
    long = [mark_of("k" * length) for length in (41, 42, 400)]
    assert {len(each) for each in long} == {40}
    assert len(set(long)) == 3


@pytest.mark.parametrize(
    ("metadata", "mark", "is_ours"),
    [
        ({"mainstay_key": "m"}, "m", True),
        ({"mainstay_key": "n"}, "m", False),
        ({"mainstay_key": ""}, "", False),
        ({}, "", False),
        (None, "m", False),
        ("m", "m", False),
        ([], "m", False),
    ],
)
def test_whose_a_call_is(metadata: object, mark: str, is_ours: bool) -> None:
    assert is_marked(metadata, mark) is is_ours


@pytest.mark.parametrize("error", [PermanentError("no", status=404), NeedsHumanError("no", status=401)])
def test_a_look_up_that_is_refused_leaves_the_doubt(error: Exception) -> None:
    with pytest.raises(TransientError, match="no") as caught, looking():
        raise error
    assert caught.value.status == getattr(error, "status", None)


@pytest.mark.parametrize(
    ("status", "unsure", "after"),
    [(408, True, None), (423, False, None), (429, False, 10.0), (500, True, None), (503, True, None)],
)
def test_what_leaves_open_whether_somebody_is_phoned(status: int, unsure: bool, after: float | None) -> None:
    refusal = classify_call(Response(status, {}, b"no"))
    assert isinstance(refusal, TransientError)
    assert (refusal.unsure, refusal.retry_after) == (unsure, after)


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), ("2.5", 2.5), (True, 0.0), ("x", 0.0), (None, 0.0), (-4, 0.0), ("nan", 0.0), ("1e999", 0.0), ([], 0.0)],
)
def test_numbers(value: object, number: float) -> None:
    assert number_of(value) == number


def test_lengths_and_texts_are_bounded() -> None:
    assert whole_seconds(1e300) == 864_000
    assert number_of(10**400) == 0.0
    assert len(said("x" * (MAX_TEXT_CHARS + 5))) == MAX_TEXT_CHARS
    assert said({"a": 1}) == said(None) == ""


@pytest.mark.parametrize(
    ("text", "is_number"),
    [
        ("+13125550147", True),
        ("3125550147", True),
        ("(312) 555-0147", True),
        ("anonymous", False),
        ("sip:x@example.com", False),
        ("", False),
        ("911", False),
    ],
)
def test_who_has_a_number(text: str, is_number: bool) -> None:
    assert is_phone(text) is is_number
    event = call_event("call.ended", CallState("c", "ended"), key="k", person=text)
    assert event.type == ("call.ended" if is_number else "unsupported")
