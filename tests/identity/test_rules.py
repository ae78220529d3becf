from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.identity import Person, Policy
from mainstay.identity.rules import Bridge, BridgeFacts, Hits, Known, match, why_not_one

EMAIL, PHONE = "sarah@example.com", "+13125550147"
SARAH = Known(UUID(int=11), "Sarah", "Johnson", EMAIL)
BOB = Known(UUID(int=12), "Bob", "Johnson", "bob@example.com")
ANN = Known(UUID(int=13), "Ann", "Birch")
NOBODY = Known(UUID(int=14))
BARE = Known(UUID(int=15))
ROBERT = Known(UUID(int=16), "R", "Johnson")


def person(first: str = "", last: str = "", *, email: str = EMAIL, phone: str = PHONE) -> Person:
    return Person(email=email, phone=phone, first_name=first, last_name=last)


@pytest.mark.parametrize(
    ("said", "hits", "found", "rule"),
    [
        # R2, R3: external id, then e-mail, then phone; an e-mail names its contact under any name.
        (person("Sarah"), Hits(), None, "new"),
        (person("Sarah"), Hits(external=ANN, email=SARAH, phone=[BOB]), ANN, "external id"),
        (person("Sarah"), Hits(email=SARAH, phone=[BOB]), SARAH, "email"),
        (person("Bob"), Hits(email=SARAH), SARAH, "email"),
        # R4: a phone names its contact under the same name, an initial, or none.
        (person("Sarah", "Johnson"), Hits(phone=[SARAH]), SARAH, "phone"),
        (person("sarah", "JOHNSON"), Hits(phone=[SARAH]), SARAH, "phone"),
        (person("S."), Hits(phone=[SARAH]), SARAH, "phone"),
        (person(), Hits(phone=[SARAH]), SARAH, "phone"),
        (person("Bob"), Hits(phone=[NOBODY]), NOBODY, "phone"),
        (person("Bob"), Hits(phone=[SARAH]), None, "new"),
        (person("Sarah", "Birch"), Hits(phone=[SARAH]), None, "new"),
        # R4: a shared phone names one whose name alone fits, and only when the write has a first name.
        (person("Sarah"), Hits(phone=[SARAH, BOB]), SARAH, "shared phone"),
        (person("S"), Hits(phone=[SARAH, BOB]), SARAH, "shared phone"),
        (person("", "Johnson"), Hits(phone=[SARAH, ANN]), None, "new"),
        (person(), Hits(phone=[SARAH, BOB]), None, "new"),
        (person("Sarah"), Hits(phone=[SARAH, NOBODY]), None, "new"),
        (person("Bob"), Hits(phone=[BOB, ROBERT]), BOB, "shared phone"),
        (person("R"), Hits(phone=[BOB, ROBERT]), ROBERT, "shared phone"),
        (person("Ann"), Hits(phone=[SARAH, BOB]), None, "new"),
        # R14: what could be several is, said once more, the same as the last time.
        (person(email=""), Hits(phone=[SARAH, BARE]), BARE, "shared phone"),
        (person(email=""), Hits(phone=[BARE, NOBODY]), NOBODY, "shared phone"),
        (person("Sarah", "Johnson"), Hits(phone=[SARAH, Known(UUID(int=17), "S", "Johnson")]), SARAH, "shared phone"),
    ],
)  # fmt: skip
def test_which_contact_it_is(said: Person, hits: Hits, found: Known | None, rule: str) -> None:
    matched = match(said, hits)
    assert (matched.contact, matched.rule) == (found, rule)


@pytest.mark.parametrize(
    ("hits", "bridges"),
    [
        (Hits(email=SARAH, phone=[SARAH, BOB]), ()),
        (Hits(email=SARAH, phone=[BOB]), (Bridge("phone", BOB, is_only_owner=True),)),
        (Hits(email=SARAH, phone=[ANN, BOB, NOBODY]), (Bridge("phone", NOBODY, is_only_owner=False),)),
        (Hits(external=ANN, email=SARAH), (Bridge("email", SARAH, is_only_owner=True),)),
        (
            Hits(external=ANN, email=SARAH, phone=[BOB]),
            (Bridge("email", SARAH, is_only_owner=True), Bridge("phone", BOB, is_only_owner=True)),
        ),
    ],
)
def test_what_its_other_keys_name(hits: Hits, bridges: tuple[Bridge, ...]) -> None:
    assert match(person("Sarah"), hits).bridges == bridges


def test_a_new_contact_shares_the_phone_and_says_so() -> None:
    matched = match(person("Bob"), Hits(phone=[SARAH]))
    assert (matched.contact, matched.shares_phone) == (None, True)
    assert matched.note == "the phone number is shared with a contact of another name: +13125550147"


class TestPolicy:
    def test_the_phone_may_be_asked_first(self) -> None:
        matched = match(person("Bob"), Hits(email=SARAH, phone=[BOB]), Policy(order=("phone", "email")))
        assert matched.contact == BOB
        assert matched.bridges == (Bridge("email", SARAH, is_only_owner=True),)

    def test_a_phone_that_is_asked_first_and_does_not_fit_leaves_it_to_the_email(self) -> None:
        matched = match(person("Sarah"), Hits(email=SARAH, phone=[BOB]), Policy(order=("phone", "email")))
        assert (matched.contact, matched.rule) == (SARAH, "email")

    def test_a_phone_may_name_its_owner_whatever_the_name(self) -> None:
        matched = match(person("Bob"), Hits(phone=[SARAH]), Policy(shared_phones="same"))
        assert (matched.contact, matched.rule) == (SARAH, "phone")


ANNS = Known(UUID(int=21), "Ann", "Birch")
BARES = Known(UUID(int=22), "", "")
A_DOT = Known(UUID(int=23), "A.", "Birch")


class TestBridge:
    @pytest.mark.parametrize(
        ("said", "one", "other", "is_one"),
        [
            (person("Ann", "Birch"), ANNS, A_DOT, True),
            (person(), ANNS, A_DOT, True),
            (person("Ann"), BARES, ANNS, True),
            (person(), BARES, BARES, True),
            (person("Bob"), ANNS, A_DOT, False),
            (person("Bob"), BARES, ANNS, False),
            (person(), ANNS, BOB, False),
        ],
    )
    def test_it_merges_when_all_three_names_are_compatible(
        self, said: Person, one: Known, other: Known, *, is_one: bool
    ) -> None:
        reason = why_not_one(said, one, Bridge("phone", other, is_only_owner=True), BridgeFacts())
        assert reason == ("" if is_one else "the names differ")

    @pytest.mark.parametrize(
        ("is_only_owner", "facts", "policy", "reason"),
        [
            (False, BridgeFacts(), Policy(), "several contacts share the phone number"),
            (True, BridgeFacts(is_rejected=True), Policy(), "a person has said that they are two"),
            (True, BridgeFacts(), Policy(bridges="suggest"), "the stack asks a person before contacts are merged"),
            (
                True,
                BridgeFacts({"ghl": frozenset({"a1"})}, {"ghl": frozenset({"a2"})}),
                Policy(),
                "ghl has them as two records",
            ),
            (True, BridgeFacts({"ghl": frozenset({"a1"})}, {"hubspot": frozenset({"1"})}), Policy(), ""),
            (True, BridgeFacts({"ghl": frozenset({"a1"})}), Policy(), ""),
            (True, BridgeFacts(counts={"email": 6}), Policy(), "together they would have more than 5 emails"),
            (True, BridgeFacts(counts={"email": 5, "phone": 5}), Policy(), ""),
            (
                True,
                BridgeFacts(counts={"phone": 3}),
                Policy(max_phones=2),
                "together they would have more than 2 phones",
            ),
        ],
    )
    def test_it_asks_where_anything_speaks_against_it(
        self, *, is_only_owner: bool, facts: BridgeFacts, policy: Policy, reason: str
    ) -> None:
        bridge = Bridge("phone", A_DOT, is_only_owner=is_only_owner)
        assert why_not_one(person("Ann"), ANNS, bridge, facts, policy) == reason
