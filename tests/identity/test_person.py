from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import MalformedError
from mainstay.identity import Person, normalise, person_from_json, person_to_json
from mainstay.identity.normalisation import clean
from mainstay.identity.person import said_at
from mainstay.model import Submission

texts = st.text(max_size=40)
submissions = st.builds(
    Submission,
    email=texts | st.emails(),
    phone=texts | st.from_regex(r"\+?[0-9 ()./x-]{0,20}", fullmatch=True),
    name=texts,
    first_name=texts,
    last_name=texts,
    company=texts,
    source=texts,
    tags=st.lists(texts, max_size=4).map(tuple),
    custom=st.dictionaries(texts, texts, max_size=4),
    connection=st.sampled_from(["", "ghl"]),
    external_id=st.sampled_from(["", "a1"]),
    occurred_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    do_not_contact=st.booleans(),
    consent=texts,
)


@given(submissions, st.sampled_from(["US", "GB", ""]))
def test_anything_becomes_a_person_or_is_malformed(submission: Submission, region: str) -> None:
    try:
        person = normalise(submission, region)
    except MalformedError:
        return
    assert person.email or person.phone or person.external_id or person.first_name or person.last_name
    read = person_from_json(person_to_json(person))
    assert person_from_json(person_to_json(read)) == read
    again = normalise(
        Submission(email=person.email, phone=person.phone, first_name=person.first_name,
                   last_name=person.last_name, company=person.company, external_id=person.external_id),
        region,
    )  # fmt: skip
    assert (again.email, again.phone, again.company) == (person.email, person.phone, person.company)


@given(submissions)
def test_no_value_is_lost(submission: Submission) -> None:
    try:
        person = normalise(submission, "US")
    except MalformedError:
        return
    for field in ("email", "phone", "first_name", "last_name", "company"):
        written = getattr(submission, field)
        if written and written != getattr(person, field):
            assert (person.raw or {})[field] == written[:500]


def test_an_unreadable_value_is_noted_and_the_lead_goes_on() -> None:
    person = normalise(Submission(email="sarah@example.com", phone="555", name="Johnson, Sarah"), "US")
    assert (person.email, person.phone) == ("sarah@example.com", "")
    assert (person.first_name, person.last_name) == ("Sarah", "Johnson")
    (note,) = person.notes
    assert note.startswith("'555' is not a phone number")


@pytest.mark.parametrize("nothing", ["", " ", "N/A", "null", "-", "undefined", "\u200b"])
def test_a_placeholder_is_nothing(nothing: str) -> None:
    person = normalise(Submission(email="sarah@example.com", phone=nothing, company=nothing), "US")
    assert (person.phone, person.company, person.notes) == ("", "", ())


def test_a_name_alone_is_somebody() -> None:
    person = normalise(Submission(name="Sarah Johnson"), "US", is_name_enough=True)
    assert (person.first_name, person.last_name, person.flags) == ("Sarah", "Johnson", ("no identifier",))


def test_nobody_is_malformed_and_says_why() -> None:
    with pytest.raises(MalformedError, match="neither an e-mail address"):
        normalise(Submission(company="Birch"), "US", is_name_enough=True)
    with pytest.raises(MalformedError, match="'sarah@' is not an e-mail address"):
        normalise(Submission(email="sarah@"), "US")


def test_sizes_are_bounded() -> None:
    person = normalise(
        Submission(
            email="sarah@example.com",
            first_name="x" * 5000,
            custom={f"key{number}" * 100: "y" * 9000 for number in range(500)},
        ),
        "US",
    )
    assert len(person.first_name) == 200
    assert person.custom is not None
    assert len(person.custom) <= 100
    assert all(len(key) <= 100 and len(value) <= 2000 for key, value in person.custom.items())


@given(texts)
def test_cleaning_is_stable(text: str) -> None:
    assert clean(clean(text)) == clean(text)


NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("occurred_at", "at"),
    [
        ("", NOW),
        ("2026-03-01T12:00:00+00:00", NOW - timedelta(days=1)),
        ("2026-03-01T12:00:00", NOW - timedelta(days=1)),
        ("2026-03-02T14:00:00+02:00", NOW),
        ("2027-01-01T00:00:00+00:00", NOW),
        ("last week", NOW),
    ],
)
def test_it_was_said_by_the_senders_clock_unless_that_is_ahead(occurred_at: str, at: datetime) -> None:
    assert said_at(Person(occurred_at=occurred_at), NOW) == at
