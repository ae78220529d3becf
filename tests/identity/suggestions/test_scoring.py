"""The score of a pair: the same from either side, in any company, alone or among millions."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.identity.suggestions import Columns, Frequencies, Traits, read, score, shipped_model
from mainstay.identity.suggestions.features import (
    DIFFERENT,
    EQUAL,
    FEATURES,
    INITIAL,
    MISSING,
    NICKNAME,
    TYPO,
    features,
)
from mainstay.identity.suggestions.scoring import read_model
from tests.identity.suggestions.book import contacts

BOOKS = st.lists(contacts(), min_size=2, max_size=12)


def compared(one: dict[str, str], other: dict[str, str]) -> dict[str, float]:
    columns = Columns.of([read(one, "US"), read(other, "US")])
    row = features(columns, np.array([0]), np.array([1]))[0]
    return dict(zip(FEATURES, row.tolist(), strict=True))


@pytest.mark.parametrize(
    ("one", "other", "first", "last"),
    [
        ("Robert Smith", "Robert Smith", EQUAL, EQUAL),
        ("Robert Smith", "Bob Smith", NICKNAME, EQUAL),
        ("Robert Smith", "R. Smith", INITIAL, EQUAL),
        ("Robert Smith", "Robert S", EQUAL, INITIAL),
        ("Robert Smith", "Robetr Smith", TYPO, EQUAL),
        ("Robert Smith", "Walter Smith", DIFFERENT, EQUAL),
        ("García López, José", "García, José", EQUAL, INITIAL),
        ("Robert Smith", "Smith Robert", EQUAL, EQUAL),
    ],
)
def test_names_are_compared_part_by_part(one: str, other: str, first: float, last: float) -> None:
    found = compared({"full_name": one}, {"full_name": other})
    assert (found["first"], found["last"]) == (first, last)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"last_name": "Hayes Jr."}, {"last_name": "Hayes Sr"}, {"suffix": -2}),
        ({"last_name": "Hayes Jr."}, {"last_name": "Hayes"}, {"suffix": 0}),
        ({"email": "a.b@gmail.com"}, {"email": "ab+x@gmail.com"}, {"email": 3}),
        ({"email": "bob12@gmail.com"}, {"email": "bob12@yahoo.com"}, {"email": 2, "local_digits": 2}),
        ({"email": "bob@gmail.com"}, {}, {"email": MISSING, "local_distance": MISSING}),
        ({"phone": "+13125550143"}, {"phone": "+13125550144"}, {"phone_distance": 1, "phone_prefix": 1}),
        ({"street": "12 Oak Street"}, {"street": "12 Oak St"}, {"house": 1, "street": 1}),
        ({"company": "Smith Plumbing"}, {"company": "Plumbing Smith LLC"}, {"company": 1}),
        ({"birth_date": "1971-06-24"}, {"birth_date": "1981-06-24"}, {"birth_date": 1, "birth_year": 10}),
    ],
)
def test_the_rest_is_compared(one: dict[str, str], other: dict[str, str], expected: dict[str, float]) -> None:
    found = compared({"first_name": "Clay", **one}, {"first_name": "Clay", **other})
    assert {name: found[name] for name in expected} == expected


@settings(max_examples=60, deadline=None)
@given(BOOKS)
def test_a_pair_is_the_same_from_either_side(book: list[Traits]) -> None:
    columns = Columns.of(book)
    left, right = (side.astype(np.int64) for side in np.triu_indices(len(book), 1))
    np.testing.assert_allclose(features(columns, left, right), features(columns, right, left), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(BOOKS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_is_irrelevant(book: list[Traits], draw: Any) -> None:
    order = list(range(len(book)))
    draw.shuffle(order)
    shuffled = Columns.of([book[place] for place in order])
    where = np.argsort(order)
    left, right = (side.astype(np.int64) for side in np.triu_indices(len(book), 1))
    np.testing.assert_allclose(
        features(Columns.of(book), left, right), features(shuffled, where[left], where[right]), atol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(BOOKS)
def test_one_contact_against_others_scores_as_the_whole_book_does(book: list[Traits]) -> None:
    columns = Columns.of(book)
    right = np.arange(1, len(book))
    whole = shipped_model().scores(features(columns, np.zeros_like(right), right))
    alone = score(book[0], book[1:], columns.frequencies())
    np.testing.assert_allclose(whole, alone, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(BOOKS)
def test_a_score_is_a_probability(book: list[Traits]) -> None:
    found = score(book[0], book[1:], Frequencies(1000))
    assert ((found >= 0) & (found <= 1)).all()


def test_a_rare_name_says_more_than_a_common_one() -> None:
    one = read({"full_name": "Quiana Szczepanski", "city": "Dallas"}, "US")
    rare = Frequencies(1_000_000, {"city": {"dallas": 20_000}})
    counts = {"first": {"quiana": 5000}, "last": {"szczepanski": 8000}, "name": {"quiana szczepanski": 60}}
    common = Frequencies(1_000_000, {"city": {"dallas": 20_000}, **counts})
    assert score(one, [one], rare)[0] > score(one, [one], common)[0] + 0.2


def test_a_father_is_not_his_son() -> None:
    father = {"full_name": "Clay Hayes", "street": "2483 Franklin Rd", "city": "Perth", "email": "chayes@gmail.com"}
    son = {"first_name": "Clay", "last_name": "Hayes Jr.", **{name: father[name] for name in ("street", "city")}}
    found = score(
        read(father, "AU"), [read(father | {"email": "clay9@web.de"}, "AU"), read(son, "AU")], Frequencies(100_000)
    )
    assert found[0] > 0.9
    assert found[1] < 0.5


def test_the_model_says_where_it_comes_from() -> None:
    card = shipped_model().card
    assert {"trained", "seed", "data", "metrics"} <= card.keys()


def test_a_model_for_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="other features"):
        read_model(orjson.loads(b'{"features": ["first"]}'))
