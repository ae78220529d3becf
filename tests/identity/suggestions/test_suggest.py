"""A whole book: what is found, what follows from it, and why."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.identity.suggestions import Columns, read, suggest, why
from mainstay.identity.suggestions.blocking import candidates, places
from mainstay.identity.suggestions.linking import implied
from tests.identity.suggestions.book import contacts

FILL = [
    {"full_name": f"{first} {last}", "email": f"{first}.{last}@example.com".lower()}
    for first in ("Adele", "Boris", "Celine", "Dmitri", "Elvira")
    for last in ("Ashdown", "Birkett", "Coldwell", "Dunmore", "Eastlake")
]
SAME = [
    {"full_name": "Quentin Farrow", "phone": "+13125550143", "street": "12 Oak Street", "city": "Dallas"},
    {"full_name": "Q. Farrow", "email": "qf99@gmail.com", "street": "12 Oak St", "city": "Dallas"},
    {"full_name": "Quentin Farrow", "email": "qf99@gmial.com"},
]


def test_a_person_is_found_in_a_book() -> None:
    columns = Columns.of([read(record, "US") for record in [*SAME, *FILL]])
    found = suggest(columns)
    pairs = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert {(0, 1), (1, 2)} <= pairs
    assert all(right < len(SAME) for _, right in pairs)
    told = dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), why(columns, found), strict=True))
    assert "first name is an initial" in told[0, 1]
    assert "same address" in told[0, 1]
    assert "same e-mail but for a typing error in the domain" in told[1, 2]


def test_the_same_email_is_a_pair_by_rule_but_not_across_a_suffix_or_a_role_mailbox() -> None:
    book = [
        {"full_name": "Ada Lorne", "email": "x@example.com"},
        {"full_name": "Zoltan Petrie", "email": "x@example.com"},
        {"first_name": "Clay", "last_name": "Hayes Jr", "email": "hayes@example.com"},
        {"first_name": "Clay", "last_name": "Hayes Sr", "email": "hayes@example.com"},
    ]
    found = suggest(Columns.of([read(record, "US") for record in [*book, *FILL]]), least=0.9)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(0, 1)]
    assert found.has_identifier.tolist() == [True]


def test_an_empty_book_and_a_book_of_one() -> None:
    assert len(suggest(Columns.of([]))) == 0
    assert len(suggest(Columns.of([read(SAME[0], "US")]))) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(contacts(), min_size=0, max_size=10), st.randoms(use_true_random=False))
def test_the_same_pairs_whatever_the_order(book: list, draw: object) -> None:  # type: ignore[type-arg]
    order = list(range(len(book)))
    draw.shuffle(order)  # type: ignore[attr-defined]

    def found(columns: Columns, names: list[int]) -> dict[frozenset[int], float]:
        pairs = suggest(columns, least=0.1)
        ends = zip(pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist(), strict=True)
        return {frozenset((names[left], names[right])): round(score, 6) for left, right, score in ends}

    assert found(Columns.of(book), list(range(len(book)))) == found(Columns.of([book[at] for at in order]), order)


@settings(max_examples=60, deadline=None)
@given(st.lists(contacts(), min_size=2, max_size=12))
def test_candidates_are_in_order_and_each_once(book: list) -> None:  # type: ignore[type-arg]
    pairs = candidates(Columns.of(book))
    left, right = places(pairs)
    assert (left < right).all()
    assert (np.diff(pairs.astype(object)) > 0).all()


def test_what_follows_from_a_chain() -> None:
    left, right = np.array([0, 1, 2, 5]), np.array([1, 2, 3, 6])
    keys, scores, via = implied(left, right, np.array([0.9, 0.9, 0.8, 0.4]), 0.5)
    found = dict(
        zip(zip(*(side.tolist() for side in places(keys)), strict=True), scores.round(3).tolist(), strict=True)
    )
    assert found == {(0, 2): 0.81, (1, 3): 0.72, (0, 3): 0.648}
    assert set(via.tolist()) <= {1, 2}
