from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity import Person
from mainstay.identity.survivorship import (
    CHOSEN,
    CUSTOM,
    FIELDS,
    MANUAL,
    Said,
    View,
    fold,
    fold_all,
    given_up,
    over_hand,
    union,
)
from mainstay.model import Contact

EMPTY = Contact(UUID(int=1), UUID(int=2), version=0)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

names = st.sampled_from(["", "Sarah", "sarah", "S", "S.", "Zoë", "Bob"])
people = st.builds(
    Person,
    email=st.sampled_from(["", "sarah@example.com", "sj@example.com"]),
    phone=st.sampled_from(["", "+13125550147", "+13125550148"]),
    first_name=names,
    last_name=names,
    company=st.sampled_from(["", "Birch & Co", "Birch"]),
    source=st.sampled_from(["", "website", "facebook"]),
    tags=st.lists(st.sampled_from(["vip", "VIP", "new", "straße"]), max_size=3).map(tuple),
    custom=st.dictionaries(st.sampled_from(["size", "budget"]), st.sampled_from(["", "n/a", "1", "2"]), max_size=2),
    weak=st.sampled_from([(), (), ("email",), ("phone",)]),
    cleared=st.sampled_from([(), (), ("company",), ("email",)]),
    connection=st.sampled_from(["", "books", "hub"]),
    over_hand=st.sampled_from([(), (), ("company",), ("first_name", "custom.size")]),
)
owners = st.dictionaries(
    st.sampled_from(["company", "email", "first_name", "custom.size"]), st.sampled_from(["books", "hub", "ghl"])
)
kinds = st.sampled_from(["import", "form", "crm", MANUAL, CHOSEN])
stories = st.lists(st.tuples(people, kinds, st.integers(0, 5)), min_size=1, max_size=5).map(
    lambda rows: [
        Said(UUID(int=number), NOON + timedelta(minutes=at), kind, person)
        for number, (person, kind, at) in enumerate(rows, start=1)
    ]
)


def said(number: int, minutes: int, kind: str = "form", **values: object) -> Said:
    return Said(UUID(int=number), NOON + timedelta(minutes=minutes), kind, Person(**values))  # type: ignore[arg-type]


def values(view: View) -> dict[str, object]:
    found: dict[str, object] = {name: getattr(view.contact, name) for name in FIELDS}
    found |= {f"{CUSTOM}{key}": text for key, text in view.contact.custom.items()}
    return found | {"created": view.contact.created_at, "updated": view.contact.updated_at}


class TestOneField:
    @pytest.mark.parametrize(
        ("field", "first", "second", "stands"),
        [
            # R7: the latest stands; R8: an older one fills a gap alone.
            ("company", ("form", 1, "A"), ("form", 2, "B"), "B"),
            ("company", ("form", 2, "A"), ("form", 1, "B"), "A"),
            ("company", ("form", 2, ""), ("form", 1, "B"), "B"),
            ("company", ("form", 1, "A"), ("form", 2, ""), "A"),
            # R7: of one instant: manual, crm, form, import, then the first.
            ("company", ("import", 1, "A"), ("form", 1, "B"), "B"),
            ("company", ("form", 1, "A"), ("import", 1, "B"), "A"),
            ("company", ("form", 1, "A"), ("crm", 1, "B"), "B"),
            ("company", ("crm", 1, "A"), ("form", 1, "B"), "A"),
            ("company", ("form", 1, "A"), ("form", 1, "B"), "A"),
            # R7: an initial never replaces a name; an older name replaces an initial.
            ("first_name", ("form", 1, "Sarah"), ("form", 2, "S"), "Sarah"),
            ("first_name", ("form", 1, "Sarah"), ("form", 2, "S."), "Sarah"),
            ("first_name", ("form", 2, "S."), ("form", 1, "Sarah"), "Sarah"),
            ("first_name", ("form", 1, "S"), ("form", 2, "T"), "T"),
            ("first_name", ("form", 1, "\u674e"), ("form", 2, "\u738b"), "\u738b"),
            ("company", ("form", 1, "Birch"), ("form", 2, "B"), "B"),
            # R9: by hand changes only by hand, whenever it was said.
            ("company", (MANUAL, 1, "A"), ("crm", 9, "B"), "A"),
            ("company", ("crm", 9, "A"), (MANUAL, 1, "B"), "B"),
            ("company", (MANUAL, 1, "A"), (MANUAL, 2, "B"), "B"),
            ("first_name", (MANUAL, 1, "Sarah"), (MANUAL, 2, "S"), "S"),
            ("first_name", ("form", 2, "Sarah"), (MANUAL, 1, "S"), "S"),
            # Where somebody came from first, or what a person chose.
            ("source", ("form", 2, "fair"), ("form", 1, "website"), "website"),
            ("source", ("form", 1, "fair"), ("form", 2, "website"), "fair"),
            ("source", ("form", 1, "fair"), (CHOSEN, 2, "website"), "website"),
        ],
    )  # fmt: skip
    def test_which_value_stands(
        self, field: str, first: tuple[str, int, str], second: tuple[str, int, str], stands: str
    ) -> None:
        story = [said(number, at, kind, **{field: text}) for number, (kind, at, text) in enumerate((first, second), 1)]
        assert getattr(fold_all(EMPTY, story).contact, field) == stands
        assert getattr(fold_all(EMPTY, reversed(story)).contact, field) == stands

    @pytest.mark.parametrize("text", ["", "n/a", "null", "-", "  "])
    def test_a_placeholder_never_overwrites_a_custom_value(self, text: str) -> None:
        story = [said(1, 1, custom={"size": "12"}), said(2, 2, custom={"size": text})]
        assert fold_all(EMPTY, story).contact.custom == {"size": "12"}

    def test_what_a_person_emptied_stays_empty(self) -> None:
        story = [said(1, 1, company="A"), said(2, 2, MANUAL, cleared=("company",)), said(3, 3, company="B")]
        assert fold_all(EMPTY, story).contact.company == ""
        assert fold_all(EMPTY, [*story, said(4, 4, MANUAL, company="C")]).contact.company == "C"

    def test_an_email_that_names_nobody_only_fills_a_gap(self) -> None:
        story = [said(1, 1, email="info@example.com", weak=("email",)), said(2, 0, email="sarah@example.com")]
        assert fold_all(EMPTY, story).contact.email == "sarah@example.com"


class TestFold:
    @given(stories)
    def test_the_order_of_arrival_does_not_matter(self, story: list[Said]) -> None:
        told = (
            {tuple(values(fold_all(EMPTY, order)).items()) for order in permutations(story)}
            if len(story) < 5
            else set()
        )
        assert len(told) < 2 or len({frozenset(each) for each in told}) == 1

    @given(stories)
    def test_one_by_one_is_as_all_at_once(self, story: list[Said]) -> None:
        view = View(EMPTY, {})
        for each in story:
            view = fold(view, each)
            assert fold(view, each) is view  # the same once more changes nothing (R14)
        assert view == fold_all(EMPTY, story)

    @given(stories)
    def test_what_stands_was_said(self, story: list[Said]) -> None:
        view = fold_all(EMPTY, story)
        by_id = {str(each.change_id): each for each in story}
        for name, origin in view.origins.items():
            source = by_id[origin.change]
            key = name.removeprefix(CUSTOM)
            stands = view.contact.custom[key] if name.startswith(CUSTOM) else getattr(view.contact, name)
            given_value = (
                (source.person.custom or {}).get(key, "") if name.startswith(CUSTOM) else getattr(source.person, name)
            )
            assert stands == given_value

    @given(stories)
    def test_nothing_given_is_erased_but_by_hand(self, story: list[Said]) -> None:
        contact = fold_all(EMPTY, story).contact
        for name in FIELDS:
            is_given = any(getattr(each.person, name) for each in story)
            is_cleared = any(each.kind == MANUAL and name in each.person.cleared for each in story)
            assert bool(getattr(contact, name)) == is_given or is_cleared

    @given(stories)
    def test_created_is_the_earliest_and_updated_the_latest(self, story: list[Said]) -> None:
        contact = fold_all(EMPTY, story).contact
        times = [each.at for each in story if fold(View(EMPTY, {}), each).contact is not EMPTY]
        if times:
            assert (contact.created_at, contact.updated_at) == (min(times), max(times))

    @given(stories)
    def test_tags_are_the_union_each_once(self, story: list[Said]) -> None:
        contact = fold_all(EMPTY, story).contact
        assert {tag.casefold() for tag in contact.tags} == {
            tag.casefold() for each in story for tag in each.person.tags
        }
        assert len({tag.casefold() for tag in contact.tags}) == len(contact.tags)


def test_union_keeps_the_first_spelling_and_the_order() -> None:
    assert union(("VIP", "new"), ["vip", "straße", "STRASSE", "b"]) == ("VIP", "new", "straße", "b")


@given(stories, stories)
def test_what_a_merge_by_hand_says_again_lets_the_chosen_side_stand(ours: list[Said], theirs: list[Said]) -> None:
    theirs = [Said(UUID(int=100 + n), each.at, each.kind, each.person) for n, each in enumerate(theirs)]
    kept, both = fold_all(EMPTY, ours), fold_all(EMPTY, [*ours, *theirs])
    again = given_up(kept, both)
    later = NOON + timedelta(days=1)
    for number, (name, text) in enumerate(again.items(), start=200):
        kind = MANUAL if name in both.origins and both.origins[name].is_held else CHOSEN
        person = Person(custom={name.removeprefix(CUSTOM): text}) if name.startswith(CUSTOM) else Person(**{name: text})  # type: ignore[arg-type]
        both = fold(both, Said(UUID(int=number), later, kind, person))
    for name, stands in values(kept).items():
        text = str(stands)
        is_thin = name in {"first_name", "last_name"} and len(text.rstrip(".")) == 1
        is_placeholder = name.startswith(CUSTOM) and text == "n/a"
        if text and name not in {"created", "updated"} and not is_thin and not is_placeholder:
            assert values(both)[name] == text


class TestOwners:
    BOOKS: ClassVar = {"company": "books", "custom.vat": "books", "first_name": "books"}

    @pytest.mark.parametrize(
        ("field", "owner", "other", "stands"),
        [
            # Whoever else speaks, whenever, by hand too.
            ("company", ("crm", 1, "A"), ("form", 2, "B"), "A"),
            ("company", ("crm", 1, "A"), (MANUAL, 2, "B"), "A"),
            ("company", ("crm", 1, "A"), (CHOSEN, 2, "B"), "A"),
            # An import of what the owner says is its word.
            ("company", ("import", 1, "A"), ("form", 2, "B"), "A"),
            # It owns an initial as well; what it leaves empty others fill.
            ("first_name", ("crm", 1, "S."), ("form", 2, "Sarah"), "S."),
            ("company", ("crm", 2, ""), ("form", 1, "B"), "B"),
        ],
    )
    def test_the_owner_s_word_stands(
        self, field: str, owner: tuple[str, int, str], other: tuple[str, int, str], stands: str
    ) -> None:
        story = [
            said(1, owner[1], owner[0], **{field: owner[2]}, connection="books"),
            said(2, other[1], other[0], **{field: other[2]}, connection="hub"),
        ]
        for order in (story, story[::-1]):
            assert getattr(fold_all(EMPTY, order, self.BOOKS).contact, field) == stands

    def test_an_answer_like_none_is_nobody_s_word(self) -> None:
        story = [said(1, 2, "crm", custom={"vat": "n/a"}, connection="books"), said(2, 1, custom={"vat": "DE1"})]
        assert fold_all(EMPTY, story, self.BOOKS).contact.custom == {"vat": "DE1"}

    def test_of_what_the_owner_says_the_latest_stands(self) -> None:
        story = [said(1, 2, "crm", company="A", connection="books"), said(2, 1, "crm", company="B", connection="books")]
        assert fold_all(EMPTY, story, self.BOOKS).contact.company == "A"

    @given(stories, owners)
    def test_any_order_gives_the_same(self, story: list[Said], owned: dict[str, str]) -> None:
        told = {frozenset(values(fold_all(EMPTY, order, owned)).items()) for order in permutations(story)}
        assert len(told) == 1

    @given(stories, owners)
    def test_one_by_one_gives_the_same_as_all_at_once(self, story: list[Said], owned: dict[str, str]) -> None:
        view = View(EMPTY, {})
        for each in story:
            view = fold(view, each, owned)
            assert fold(view, each, owned) is view
        assert view == fold_all(EMPTY, story, owned)

    @given(stories, owners)
    def test_what_an_owner_ever_said_is_what_stands(self, story: list[Said], owned: dict[str, str]) -> None:
        contact = fold_all(EMPTY, story, owned).contact
        for field, owner in owned.items():
            words = {_word(each.person, field) for each in story if each.person.connection == owner}
            words -= {"", "n/a"}
            by_hand_alone = {each.kind for each in story if each.person.connection == owner} <= {MANUAL}
            if words and not by_hand_alone and all(each.kind != MANUAL for each in story):
                assert _word(contact, field) in words


HANDS = st.sampled_from(["form", "import", MANUAL, "system", "system"])
events = st.lists(st.tuples(HANDS, st.integers(0, 9), st.sampled_from(["A", "B", "C", "D"])), min_size=1, max_size=8)


class TestSystemOfRecord:
    """What is said later in the system of record takes the place of what was set by hand, and binds as that did."""

    @staticmethod
    def heard(story: list[tuple[str, int, str]]) -> tuple[View, list[Said]]:
        """Write events one after the other, as the write path does; what somebody sets by hand is said now."""
        view, told, now = View(EMPTY, {}), [], 0
        for number, (hand, minute, text) in enumerate(story, start=1):
            now = max(now, minute)
            kind = "crm" if hand == "system" else hand
            each = said(number, now if hand == MANUAL else minute, kind, company=text)
            if hand == "system":
                each = replace(each, person=replace(each.person, over_hand=over_hand(view, each)))
            view = fold(view, each)
            told.append(each)
        return view, told

    @pytest.mark.parametrize(
        ("story", "stands"),
        [
            ([(MANUAL, 1, "A"), ("system", 2, "B")], "B"),
            ([(MANUAL, 2, "A"), ("system", 1, "B")], "A"),
            ([(MANUAL, 2, "A"), ("system", 2, "B")], "A"),
            ([("system", 2, "B"), (MANUAL, 2, "A")], "A"),
            ([(MANUAL, 1, "A"), ("form", 2, "B")], "A"),
            # It binds forms, and a person is free again.
            ([(MANUAL, 1, "A"), ("system", 2, "B"), ("form", 3, "C")], "B"),
            ([(MANUAL, 1, "A"), ("system", 2, "B"), (MANUAL, 3, "C")], "C"),
            ([(MANUAL, 1, "A"), ("system", 3, "B"), ("system", 2, "C")], "B"),
            # Before anybody took the field in hand it is one of many, and the latest stands.
            ([("system", 1, "A"), ("form", 2, "B")], "B"),
            ([(MANUAL, 1, "A"), ("system", 2, "A"), ("system", 3, "B")], "B"),
        ],
    )
    def test_which_value_stands(self, story: list[tuple[str, int, str]], stands: str) -> None:
        assert self.heard(story)[0].contact.company == stands

    @given(events)
    def test_any_order_of_what_was_written_tells_the_same(self, story: list[tuple[str, int, str]]) -> None:
        view, told = self.heard(story)
        for order in (told, told[::-1], sorted(told, key=lambda each: each.at), told[1::2] + told[::2]):
            assert fold_all(EMPTY, order).contact.company == view.contact.company

    @given(events)
    def test_a_value_set_by_hand_stands_until_its_system_says_something_later(
        self, story: list[tuple[str, int, str]]
    ) -> None:
        stands, at, by, now = "", -1, "", 0
        for hand, minute, text in story:
            now = max(now, minute)
            if hand == MANUAL and (now, by == "system") > (at, False):
                stands, at, by = text, now, hand
            elif hand == "system" and at >= 0 and minute > at and text != stands:
                stands, at, by = text, minute, hand
        contact = self.heard(story)[0].contact
        assert at < 0 or contact.company == stands


def _word(of: Person | Contact, field: str) -> str:
    found = (of.custom or {}).get(field.removeprefix(CUSTOM), "") if field.startswith(CUSTOM) else getattr(of, field)
    return str(found)
