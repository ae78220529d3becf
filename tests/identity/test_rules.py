from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import MalformedError
from mainstay.identity import Person, normalise, person_from_json, person_to_json
from mainstay.identity.rules import Match, are_compatible, clean, match, merge, normalise_email, normalise_phone
from mainstay.model import Contact, Submission

NOW = datetime(2026, 3, 2, tzinfo=UTC)
EMPTY = Contact(UUID(int=1), UUID(int=2), version=0)

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
)
names = st.sampled_from(["", "Sarah", "sarah", "S", "S.", "Zoë", "Zoe", "Bob"])
people = st.builds(
    Person,
    email=st.sampled_from(["", "sarah@example.com", "sj@example.com"]),
    phone=st.sampled_from(["", "+13125550147", "+13125550148"]),
    first_name=names,
    last_name=names,
    company=st.sampled_from(["", "Birch & Co", "Birch"]),
    source=st.sampled_from(["", "website", "facebook"]),
    tags=st.lists(st.sampled_from(["vip", "VIP", "new", "straße"]), max_size=3).map(tuple),
    custom=st.dictionaries(st.sampled_from(["size", "budget"]), st.sampled_from(["", "1", "2"]), max_size=2),
)


def fold(known: Contact, person: Person) -> Contact:
    return merge(known, person, NOW)[0]


class TestEmail:
    @pytest.mark.parametrize(
        "raw",
        ["Sarah@Example.com", " sarah@example.com\n", "mailto:sarah@example.com", "<sarah@example.com>",
         "sarah@ex\u200bample.com", "\uff53\uff41\uff52\uff41\uff48@example.com", "'sarah@example.com'"],
    )  # fmt: skip
    def test_its_variants_are_one(self, raw: str) -> None:
        assert normalise_email(raw) == "sarah@example.com"

    @pytest.mark.parametrize("raw", ["", "sarah", "sarah@", "@example.com", "a b@example.com", "sarah@example..com"])
    def test_what_is_none_is_never_repaired(self, raw: str) -> None:
        with pytest.raises(ValueError, match="is not an e-mail address"):
            normalise_email(raw)

    @given(st.emails())
    def test_canonical_is_stable(self, raw: str) -> None:
        try:
            once = normalise_email(raw)
        except ValueError:
            return
        assert normalise_email(once) == once == once.lower()


class TestPhone:
    @pytest.mark.parametrize(
        "raw",
        ["(312) 555-0147", "312.555.0147", "+1 312 555 0147", "0013125550147", "1-312-555-0147", "tel:+13125550147",
         "+1 (312) 555\u20110147", "\uff13\uff11\uff12 555 0147"],
    )  # fmt: skip
    def test_its_variants_are_one(self, raw: str) -> None:
        assert normalise_phone(raw, "US") == "+13125550147"

    @pytest.mark.parametrize("raw", ["", "12", "555-0147", "call me", "+999123", "1" * 400])
    def test_what_is_none_is_refused(self, raw: str) -> None:
        with pytest.raises(ValueError, match="phone number"):
            normalise_phone(raw, "US")

    def test_without_a_region_only_international_numbers_are_read(self) -> None:
        assert normalise_phone("+442079460018", "") == "+442079460018"
        with pytest.raises(ValueError, match="is not a phone number"):
            normalise_phone("020 7946 0018", "")


class TestNormalise:
    @given(submissions, st.sampled_from(["US", "GB", ""]))
    def test_anything_becomes_a_person_or_is_malformed(self, submission: Submission, region: str) -> None:
        try:
            person = normalise(submission, region)
        except MalformedError:
            return
        assert person.email or person.phone or person.external_id
        assert person_from_json(person_to_json(person)) == person_from_json(
            person_to_json(person_from_json(person_to_json(person)))
        )
        again = normalise(
            Submission(email=person.email, phone=person.phone, first_name=person.first_name,
                       last_name=person.last_name, company=person.company, external_id=person.external_id),
            region,
        )  # fmt: skip
        assert (again.email, again.phone, again.company) == (person.email, person.phone, person.company)

    def test_an_unreadable_value_is_noted_and_the_lead_goes_on(self) -> None:
        person = normalise(Submission(email="sarah@example.com", phone="555", name="Johnson, Sarah"), "US")
        assert (person.email, person.phone) == ("sarah@example.com", "")
        assert (person.first_name, person.last_name) == ("Sarah", "Johnson")
        assert person.notes == ("'555' is not a valid phone number in US",)

    @pytest.mark.parametrize("nothing", ["", " ", "N/A", "null", "-", "undefined", "\u200b"])
    def test_a_placeholder_is_nothing(self, nothing: str) -> None:
        person = normalise(Submission(email="sarah@example.com", phone=nothing, company=nothing), "US")
        assert (person.phone, person.company, person.notes) == ("", "", ())

    def test_nobody_is_malformed_and_says_why(self) -> None:
        with pytest.raises(MalformedError, match="neither an e-mail address nor a phone number"):
            normalise(Submission(name="Sarah"), "US")
        with pytest.raises(MalformedError, match="'sarah@' is not an e-mail address"):
            normalise(Submission(email="sarah@"), "US")

    def test_sizes_are_bounded(self) -> None:
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
    def test_cleaning_is_stable(self, text: str) -> None:
        assert clean(clean(text)) == clean(text)


class TestMerge:
    @given(st.lists(people, min_size=1, max_size=5))
    def test_nothing_that_was_given_is_ever_erased(self, given_people: list[Person]) -> None:
        known = EMPTY
        for person in given_people:
            merged = fold(known, person)
            for field in ("email", "phone", "first_name", "last_name", "company", "source"):
                assert bool(getattr(merged, field)) == bool(getattr(known, field) or getattr(person, field))
            assert {tag.casefold() for tag in merged.tags} == {tag.casefold() for tag in (*known.tags, *person.tags)}
            assert merged.tags[: len(known.tags)] == known.tags
            assert set(merged.custom) == set(known.custom) | {
                key for key, item in (person.custom or {}).items() if item
            }
            known = merged

    @given(people, people)
    def test_the_same_again_changes_nothing(self, first: Person, person: Person) -> None:
        known = fold(fold(EMPTY, first), person)
        again, before, after = merge(known, person, NOW)
        assert again is known
        assert (before, after) == ({}, {})

    @given(people, people)
    def test_a_change_is_one_version_and_says_what_it_was(self, first: Person, person: Person) -> None:
        known = fold(EMPTY, first)
        merged, before, after = merge(known, person, NOW)
        assert merged.version == known.version + bool(after)
        assert before == {field: getattr(known, field) for field in after}
        assert all(getattr(merged, field) == value for field, value in after.items())

    @given(people)
    def test_the_canonical_email_and_phone_stay(self, person: Person) -> None:
        known = Contact(UUID(int=1), UUID(int=2), email="first@example.com", phone="+13125550199", source="import")
        merged = fold(known, person)
        assert (merged.email, merged.phone, merged.source) == (known.email, known.phone, known.source)

    @given(st.lists(people, min_size=1, max_size=4))
    def test_the_order_decides_only_between_values_of_one_field(self, given_people: list[Person]) -> None:
        results = [reduce(fold, order, EMPTY) for order in permutations(given_people)]
        shapes = {
            (
                *(bool(getattr(merged, field)) for field in ("email", "phone", "first_name", "last_name", "company")),
                frozenset(tag.casefold() for tag in merged.tags),
                frozenset(merged.custom),
            )
            for merged in results
        }
        assert len(shapes) == 1

    def test_an_initial_never_replaces_a_name_and_a_name_does_an_initial(self) -> None:
        known = fold(EMPTY, Person(email="s@example.com", first_name="Sarah", last_name="J"))
        merged = fold(known, Person(email="s@example.com", first_name="S.", last_name="Johnson"))
        assert merged.name == "Sarah Johnson"


@pytest.mark.parametrize(
    ("known", "given_name", "is_compatible"),
    [("Sarah", "sarah", True), ("Sarah", "S", True), ("s.", "Sarah", True), ("", "Bob", True), ("Zoë", "Zoe", True),
     ("Sarah", "Bob", False), ("Sarah", "Sara", False), ("Jean-Luc", "Jean Luc", True)],
)  # fmt: skip
def test_who_may_share_a_phone(known: str, given_name: str, is_compatible: bool) -> None:
    assert are_compatible(known, given_name) is is_compatible
    assert are_compatible(given_name, known) is is_compatible


ELSEWHERE = "the phone number belongs to another contact and stays there"
ONE, TWO, THREE = UUID(int=11), UUID(int=12), UUID(int=13)


@pytest.mark.parametrize(
    ("by_external_id", "by_email", "by_phone", "owner", "found"),
    [
        (None, None, None, "", Match(None, "new")),
        (None, ONE, None, "", Match(ONE, "email")),
        (None, ONE, ONE, "Bob", Match(ONE, "email")),
        (None, ONE, TWO, "Sarah", Match(ONE, "email", ELSEWHERE)),
        (None, None, TWO, "S", Match(TWO, "phone")),
        (None, None, TWO, "Bob", Match(None, "new", "the phone number is shared with a contact of another name")),
        (THREE, ONE, None, "", Match(THREE, "external id")),
        (THREE, None, TWO, "", Match(THREE, "external id", ELSEWHERE)),
    ],
)  # fmt: skip
def test_which_contact_it_is(
    by_external_id: UUID | None, by_email: UUID | None, by_phone: UUID | None, owner: str, found: Match
) -> None:
    person = Person(email="sarah@example.com", phone="+13125550147", first_name="Sarah")
    assert (
        match(person, by_external_id=by_external_id, by_email=by_email, by_phone=by_phone, phone_owner_first_name=owner)
        == found
    )
