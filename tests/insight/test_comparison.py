from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.insight import compare, has_choice
from mainstay.insight.comparison import DIFFERS, ONE_ONLY, OTHER_ONLY, SAME, Line
from mainstay.model import Contact, new_id

ID, WORKSPACE = new_id(), new_id()


def contact(**values: object) -> Contact:
    return Contact(ID, WORKSPACE, **values)  # type: ignore[arg-type]


def by_field(lines: tuple[Line, ...]) -> dict[str, str]:
    return {line.field: line.verdict for line in lines}


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ({"company": "Birch"}, {"company": "birch"}, {"company": SAME}),
        ({"company": "Birch"}, {"company": "Birch & Co"}, {"company": DIFFERS}),
        ({"company": "Birch"}, {}, {"company": ONE_ONLY}),
        ({}, {"company": "Birch"}, {"company": OTHER_ONLY}),
        ({}, {}, {}),
        ({"first_name": "Sarah"}, {"first_name": "Sarah", "last_name": "Johnson"}, {"name": DIFFERS}),
        ({"tags": ("vip", "lead")}, {"tags": ("VIP",)}, {"tags": SAME}),
        ({"custom": {"Budget": "1"}}, {"custom": {"Budget": "2", "Room": ""}}, {"custom.Budget": DIFFERS}),
    ],
)
def test_fields(one: dict[str, object], other: dict[str, object], verdict: dict[str, str]) -> None:
    assert by_field(compare(contact(**one), contact(**other))) == verdict


def test_one_common_phone_of_many_agrees_and_the_one_in_use_comes_first() -> None:
    ours = [("phone", "+13125550147", "owner"), ("phone", "+13125550199", "shared"), ("email", "a@x.example", "weak")]
    theirs = [("phone", "+13125550199", "shared")]

    lines = compare(contact(phone="+13125550199"), contact(phone="+13125550199"), ours, theirs)

    phone = next(line for line in lines if line.field == "phone")
    assert phone.verdict == SAME
    assert [(value.text, value.is_common, value.standing) for value in phone.one] == [
        ("+13125550199", True, "shared"),
        ("+13125550147", False, "owner"),
    ]
    assert by_field(lines)["email"] == ONE_ONLY


def test_there_is_a_choice_only_where_values_differ() -> None:
    assert has_choice(compare(contact(company="Birch"), contact(company="Elm")))
    assert not has_choice(compare(contact(company="Birch"), contact(email="a@x.example")))
    assert not has_choice(compare(contact(tags=("a",)), contact(tags=("b",))))


TEXT = st.sampled_from(["", "Birch", "BIRCH", "Elm"])
CONTACTS = st.builds(
    lambda company, last_name, email, custom: contact(
        company=company, last_name=last_name, email=email, custom={"k": custom}
    ),
    TEXT,
    TEXT,
    TEXT,
    TEXT,
)


@given(CONTACTS, CONTACTS)
def test_both_ways_round_it_says_the_same(one: Contact, other: Contact) -> None:
    mirrored = {SAME: SAME, DIFFERS: DIFFERS, ONE_ONLY: OTHER_ONLY, OTHER_ONLY: ONE_ONLY}

    there, back = compare(one, other), compare(other, one)

    assert [(line.field, line.one, line.other, line.verdict) for line in there] == [
        (line.field, line.other, line.one, mirrored[line.verdict]) for line in back
    ]
    assert by_field(compare(one, one)).keys() == {line.field for line in compare(one, one) if line.verdict == SAME}
