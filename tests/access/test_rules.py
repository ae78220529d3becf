from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.access.connecting import read_back
from mainstay.access.rules import GrantEndedError, due_after, fate_of, merged, read_grant
from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.kit.oauth import OAuth

VENDOR = OAuth("https://v/authorize", "https://v/token", "app", "s3cret", lifetime=timedelta(hours=2))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("access_token", "refresh_token", "expires_in", "scope", "scopes", "error", "message", "status")


@pytest.mark.parametrize(
    ("status", "data", "wanted"),
    [
        (400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}, GrantEndedError),
        (401, {"error": "invalid_grant"}, GrantEndedError),
        (400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}, GrantEndedError),
        (400, {"statusCode": 400, "message": "This refresh token is invalid"}, GrantEndedError),
        (401, {"error": "invalid_client"}, NeedsHumanError),
        (400, {"statusCode": 400, "message": "Location is not active"}, NeedsHumanError),
        (400, {"error": "invalid_scope"}, NeedsHumanError),
        (404, None, NeedsHumanError),
        (429, {"error": "slow down"}, TransientError),
        (503, None, TransientError),
        (500, {"error": "invalid_grant"}, TransientError),
    ],
)
def test_what_a_refusal_means(status: int, data: Any, wanted: type[VendorError]) -> None:
    assert type(fate_of(status, data, None)) is wanted


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({"expires_in": 3599}, 3599),
        ({"expires_in": "1800"}, 1800),
        ({}, 7200),
        ({"expires_in": None}, 7200),
        ({"expires_in": 0}, 7200),
        ({"expires_in": -5}, 7200),
        ({"expires_in": "soon"}, 7200),
        ({"expires_in": True}, 7200),
        ({"expires_in": 10**400}, 7200),
        ({"expires_in": float("nan")}, 7200),
    ],
)
def test_how_long_a_token_lives(data: dict[str, Any], seconds: int) -> None:
    grant = read_grant({"access_token": "a"} | data, VENDOR)
    assert grant.lifetime == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "token",
        {},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "a b"},
        {"access_token": "tökén"},
        {"access_token": "a", "refresh_token": ["b"]},
    ],
)
def test_an_answer_that_is_none_is_refused_without_its_text(data: Any) -> None:
    with pytest.raises(PermanentError) as refusal:
        read_grant(data, VENDOR)
    assert "Evil" not in str(refusal.value)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)), st.integers(100, 599))
def test_no_answer_breaks_us(data: Any, status: int) -> None:
    fate = fate_of(status, data, None)
    assert (fate is None) == (status < 300)
    try:
        grant = read_grant(data, VENDOR)
    except PermanentError:
        return
    assert grant.lifetime > timedelta()
    assert not {"access_token", "refresh_token"} & grant.answer.keys()


@pytest.mark.parametrize(("lives", "used"), [(86_400, 86_100), (1800, 1620), (10, 9), (0, 0)])
def test_a_token_is_renewed_before_its_end(lives: int, used: int) -> None:
    assert due_after(timedelta(seconds=lives)) == timedelta(seconds=used)


def test_a_renewal_that_says_less_leaves_facts_as_they_were() -> None:
    assert merged({"a": "1", "b": "2"}, {"a": "", "b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}


@pytest.mark.parametrize(
    ("given_text", "wanted"),
    [
        ("https://acme.example/back?code=a%2Bb&state=s", {"code": "a+b", "state": "s"}),
        (" ?code=a&state=s \n", {"code": "a", "state": "s"}),
        ("https://acme.example/back?error=access_denied&state=s", {"error": "access_denied", "state": "s"}),
        ("4/0Ab_c-d", {"code": "4/0Ab_c-d"}),
        ("abc==", {"code": "abc=="}),
    ],
)
def test_what_a_person_pastes(given_text: str, wanted: dict[str, str]) -> None:
    assert read_back(given_text) == wanted
