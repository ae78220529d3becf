from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mainstay.records.ownership import Ownership, Said, fold

BEGAN = datetime(2026, 5, 4, 9, tzinfo=UTC)
OWNED = Ownership("books", owners={"due": "crm"})
words = st.lists(
    st.builds(
        lambda connection, values, minute, initial: (connection, values, minute, initial),
        st.sampled_from(["", "books", "crm", "stripe"]),
        st.dictionaries(st.sampled_from(["total", "due", "status"]), st.sampled_from(["", "a", "b"]), min_size=1),
        st.integers(0, 3),
        st.frozensets(st.sampled_from(["total", "status"])),
    ),
    max_size=7,
).map(
    lambda found: [
        Said(f"{number:03}", connection, values, BEGAN + timedelta(minutes=minute), initial)
        for number, (connection, values, minute, initial) in enumerate(found)
    ]
)


def told(said: list[Said], ownership: Ownership) -> dict[str, str]:
    values, origins = {}, {}  # type: ignore[var-annotated]
    for each in said:
        folded = fold(values, origins, each, ownership)
        values, origins = dict(folded.values), dict(folded.origins)
    return values


@given(said=words, order=st.randoms(use_true_random=False), system=st.sampled_from(["", "books"]))
def test_the_order_in_which_words_arrive_is_of_no_matter(said: list[Said], order: object, system: str) -> None:
    ownership = Ownership(system, owners={"due": "crm"})
    shuffled = list(said)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    assert told(shuffled, ownership) == told(said, ownership)


@given(said=words)
def test_what_the_owner_of_a_field_said_last_stands(said: list[Said]) -> None:
    values = told(said, OWNED)

    for name, owner in (("total", "books"), ("due", "crm")):
        of_owner = [each for each in said if each.connection == owner and name in each.values]
        if of_owner:
            last = max(of_owner, key=lambda each: (name not in each.initial, each.at, each.id))
            assert values[name] == last.values[name]


def test_another_s_word_is_refused_and_told_of() -> None:
    first = fold({}, {}, Said("1", "books", {"total": "120.50", "status": "open"}, BEGAN), OWNED)
    later = fold(
        first.values,
        first.origins,
        Said("2", "stripe", {"total": "99.00", "status": "open", "url": "https://pay.example"}, BEGAN + timedelta(1)),
        OWNED,
    )

    assert later.values == {"total": "120.50", "status": "open", "url": "https://pay.example"}
    assert later.refused == {"total": "99.00"}
    assert (later.before, later.after) == ({"url": ""}, {"url": "https://pay.example"})


def test_an_echo_shows_who_said_it_first() -> None:
    first = fold({}, {}, Said("1", "books", {"total": "120.50"}, BEGAN), OWNED)
    again = fold(first.values, first.origins, Said("2", "books", {"total": "120.50"}, BEGAN + timedelta(1)), OWNED)

    assert again.after == {}
    assert again.origins["total"]["since"] == "1"


def test_how_it_began_gives_way_to_whatever_was_said_since_however_old() -> None:
    paid = fold({}, {}, Said("1", "books", {"status": "paid"}, BEGAN - timedelta(days=9)), OWNED)
    made = Said("2", "books", {"status": "open", "total": "5"}, BEGAN, frozenset({"status"}))

    assert fold(paid.values, paid.origins, made, OWNED).values == {"status": "paid", "total": "5"}
    new = fold({}, {}, made, OWNED)
    assert new.values["status"] == "open"
    assert (
        fold(new.values, new.origins, Said("3", "books", {"status": "paid"}, BEGAN), OWNED).values["status"] == "paid"
    )


def test_what_is_written_in_our_own_book_counts_more_than_what_systems_say_where_it_is_right() -> None:
    ours = Ownership(owners={"due": "books"})
    by_hand = fold({}, {}, Said("1", "", {"title": "Roof", "due": "a"}, BEGAN), ours)
    later = fold(
        by_hand.values, by_hand.origins, Said("2", "books", {"title": "roof", "due": "b"}, BEGAN + timedelta(1)), ours
    )

    assert later.values == {"title": "Roof", "due": "b"}
    assert later.refused == {"title": "roof"}
    last = Said("3", "", {"title": "Roofs"}, BEGAN + timedelta(2))
    assert fold(later.values, later.origins, last, ours).values["title"] == "Roofs"
