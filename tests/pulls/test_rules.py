from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity import Person
from mainstay.model import Contact, new_id
from mainstay.pulls.rules import VALUES, Former, is_as_made, is_quiet, key_of, news, says_more, without_defaults

THEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OURS = Contact(
    new_id(),
    new_id(),
    email="ann@example.com",
    phone="+13125550147",
    first_name="Ann",
    last_name="Li",
    company="Acme",
    tags=("VIP",),
    custom={"roof": "tile"},
)


def person(**said: Any) -> Person:
    return Person(**{"connection": "hub", "external_id": "1", "occurred_at": THEN.isoformat()} | said)


@pytest.mark.parametrize(
    ("said", "is_news"),
    [
        ({}, False),
        ({name: getattr(OURS, name) for name in VALUES}, False),
        ({"first_name": "Anna"}, True),
        ({"phone": ""}, False),
        ({"tags": ("vip",)}, False),
        ({"tags": ("vip", "new")}, True),
        ({"custom": {"roof": "tile", "age": ""}}, False),
        ({"custom": {"roof": "slate"}}, True),
        ({"custom": {"age": "9"}}, True),
        ({"source": "elsewhere"}, False),
        ({"do_not_contact": True}, True),
        ({"consent": "by phone"}, False),
    ],
)
def test_what_is_news(said: dict[str, Any], is_news: bool) -> None:
    assert (news(person(**said), OURS, Former()) is not None) is is_news


def test_consent_is_news_of_one_who_opted_out() -> None:
    opted_out = replace(OURS, do_not_contact=True)
    assert news(person(consent="by phone"), opted_out, Former()) is not None
    assert news(person(do_not_contact=True), opted_out, Former()) is None


def test_what_we_were_before_is_no_news_but_the_rest_is() -> None:
    former = Former()
    former.add({"company": "Before", "phone": "+13125550199", "custom": {"roof": "slate"}, "do_not_contact": True})
    said = person(company="Before", phone="+13125550199", custom={"roof": "slate"}, do_not_contact=True)
    assert news(said, OURS, former) is None
    kept = news(replace(said, first_name="Anna", raw={"phone": "555-0199", "first_name": " Anna"}), OURS, former)
    assert kept is not None
    assert (kept.first_name, kept.company, kept.phone, kept.custom) == ("Anna", "", "", {})
    assert kept.raw == {"first_name": " Anna"}
    assert not kept.do_not_contact


WORDS = st.sampled_from(["", "a", "b", "c"])
PEOPLE = st.fixed_dictionaries(dict.fromkeys(VALUES, WORDS))


@given(theirs=PEOPLE, ours=PEOPLE, before=st.lists(PEOPLE, max_size=3))
def test_news_is_never_what_is_known_and_never_more_than_was_said(
    theirs: dict[str, Any], ours: dict[str, Any], before: list[dict[str, str]]
) -> None:
    former = Former()
    for each in before:
        former.add(each)
    said, contact = person(**theirs), replace(OURS, **ours)
    kept = news(said, contact, former)
    fresh = {
        name: value
        for name, value in theirs.items()
        if value and value != ours[name] and all(value != each[name] for each in before)
    }
    assert (kept is not None) is bool(fresh)
    if kept is not None:
        assert says_more(kept, contact)
        assert {name: value for name in VALUES if (value := getattr(kept, name)) not in {"", ours[name]}} == fresh


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (9, True), (11, False), (None, False)])
def test_a_record_as_our_push_made_it_has_the_defaults_of_its_system(seconds: int | None, expected: bool) -> None:
    created = None if seconds is None else THEN - timedelta(seconds=seconds)
    assert is_as_made(person(), created) is expected
    kept = without_defaults(person(custom={"country": "US", "roof": "slate"}), OURS)
    assert kept.custom == {"roof": "slate"}


def test_the_same_said_again_has_the_same_key() -> None:
    assert key_of(person(company="A")) == key_of(person(company="A"))
    later = (THEN + timedelta(seconds=1)).isoformat()
    assert key_of(person(company="A")) != key_of(person(company="A", occurred_at=later))
    assert key_of(person(company="A")) != key_of(person(company="A", external_id="2"))


@pytest.mark.parametrize(
    ("changed", "created", "is_new", "expected"),
    [
        (1, 1, True, False),
        (1, -1, True, True),
        (1, None, True, False),
        (-1, None, True, True),
        (1, -1, False, False),
        (-1, -1, False, True),
        (0, 0, True, False),
    ],
)
def test_what_starts_no_workflow(changed: int, created: int | None, is_new: bool, expected: bool) -> None:
    said = person(occurred_at=(THEN + timedelta(hours=changed)).isoformat())
    made = None if created is None else THEN + timedelta(hours=created)
    assert is_quiet(said, made, THEN, is_new=is_new) is expected


def test_without_a_time_it_is_of_now() -> None:
    assert not is_quiet(person(occurred_at=""), None, THEN, is_new=False)
