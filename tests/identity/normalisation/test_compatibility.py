"""Whether two names may be one person's, and which name says less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity.normalisation import are_compatible, shortens
from mainstay.identity.normalisation.nicknames import nicknames

parts = st.lists(
    st.sampled_from(["Sarah", "S.", "Johnson", "Jr", "van", "Jean-Luc", "Bob", "Robert", "Mr", "Müller", "Mueller",
    "&", "习"]),
    max_size=3,
).map(" ".join) | st.text(max_size=12)  # fmt: skip
people = st.tuples(parts, parts)


def name(text: str) -> tuple[str, str]:
    first, _, last = text.partition("|")
    return first, last


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # equal, but for case, accents, punctuation, titles, degrees
        ("Sarah|Johnson", "sarah|JOHNSON"), ("Zoë|Müller", "Zoe|Muller"), ("Jürgen|Müller", "Juergen|Mueller"),
        ("Søren|Å", "Soeren|Aa"), ("Conan|O'Brien", "Conan|OBrien"), ("Mary-Jane|Watson", "Mary Jane|Watson"),
        ("MaryJane|Watson", "Mary Jane|Watson"), ("Dr. Sarah|Johnson, MD", "Sarah|Johnson"), ("Anna|Groß",
        "Anna|Gross"),
        ('Robert "Bob"|Smith', "Robert|Smith"), ("Juan|García López", "Juan García|López"), ("Sarah|van Dyck",
        "Sarah|Dyck"),
        ("明|王", "明|王"),
        # a nickname
        ("Robert|Smith", "Bob|Smith"), ("William|Smith", "Bill|Smith"), ("Elizabeth|Smith", "Liz|Smith"),
        ("Margaret|Smith", "Peggy|Smith"), ("Katherine|Smith", "Kate|Smith"), ("Bob|Smith", "Rob|Smith"),
        ("Stephen|Smith", "Steve|Smith"), ("Chris|Smith", "Christine|Smith"), ("Catherine|Smith", "Katherine|Smith"),
        ("José|García", "Pepe|García"), ("Bob A.|Smith", "Robert Allan|Smith"),
        # an initial
        ("Sarah|Johnson", "S.|Johnson"), ("Sarah|Johnson", "S|J"), ("Charles|Cash", "Charles|C."),
        ("Jean-Luc|Dupont", "J.|Dupont"), ("Jean-Luc|Dupont", "J.-L.|Dupont"), ("Jean-Luc|Dupont", "JL|Dupont"),
        ("Anthony|Soprano", "A.J.|Soprano"), ("John Albert|Smith", "John A.|Smith"), ("Sarah|van Dyck", "Sarah|V."),
        ("Sarah|van Dyck", "Sarah|D."),
        # something is missing
        ("Sarah|", "Sarah|Johnson"), ("|Johnson", "Sarah|Johnson"), ("|", "Sarah|Johnson"), ("Unknown|",
        "Sarah|Johnson"),
        ("Sarah|N/A", "Sarah|Johnson"), ("John|Smith", "John Q.|Smith"), ("Mary|Watson", "Mary Jane|Watson"),
        ("Juan|García López", "Juan|García"), ("Sarah|Smith-Jones", "Sarah|Jones"), ("Jean-Luc Marie|D", "Jean-Luc|D"),
        # in the wrong field
        ("Johnson|Sarah", "Sarah|Johnson"), ("Sarah Johnson|", "Sarah|Johnson"), ("|Sarah Johnson", "Sarah|Johnson"),
        ("Mary Jane|", "Mary Jane|Watson"), ("|van der Berg", "Jan|van der Berg"), ("John|Smith Jr.",
        "John Smith, Jr|"),
    ],
)  # fmt: skip
def test_one_person_may_write_both(one: str, other: str) -> None:
    assert are_compatible(name(one), name(other))
    assert are_compatible(name(other), name(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # families and offices
        ("Sarah|Johnson", "Bob|Johnson"), ("John|Smith", "James|Smith"), ("Sarah|Johnson", "Sarah|Miller"),
        ("Mr|Smith", "Mrs|Smith"), ("Mr. John|Smith", "Mrs. J.|Smith"), ("John & Jane|Smith", "Jane|Smith"),
        ("John and Jane|Smith", "John|Smith"), ("Sarah Johnson|", "Sarah|Miller"), ("Sarah|", "Bob|"),
        # father and son
        ("John|Smith Sr.", "John|Smith Jr."), ("John|Smith", "John|Smith Jr."), ("John|Smith II", "John|Smith III"),
        ("J.|Smith", "John|Smith Jr."), ("Johnson Jr|Sarah", "Sarah|Johnson"),
        # initials that differ
        ("J.|Smith", "K.|Smith"), ("John A.|Smith", "John B.|Smith"), ("Sarah|J.", "Sarah|K."), ("S.|Johnson",
        "Bob|Johnson"),
        # typing errors, or not
        ("Sarah|Johnson", "Sara|Johnson"), ("Maria|Gonzalez", "Mario|Gonzalez"), ("Sarah|Johnson", "Sarah|Jonson"),
        ("Jon|Smith", "Jan|Smith"),
        # names that share a nickname, or only look like one
        ("Albert|Smith", "Alan|Smith"), ("Christopher|Smith", "Christine|Smith"), ("John|Smith", "Jonathan|Smith"),
        ("Andrew|Smith", "Andrea|Smith"), ("William|Smith", "Wilma|Smith"), ("Aaron|Smith", "Erin|Smith"),
        ("Julia|Smith", "Julie|Smith"), ("Louis|Smith", "Louise|Smith"), ("Ron|Smith", "Aaron|Smith"),
        # a compound is a name of its own
        ("Jean|Dupont", "Jean-Luc|Dupont"), ("Luc|Dupont", "Jean-Luc|Dupont"),
        # ideographs are no initials
        ("明|王", "明明|王"), ("近平|习", "近朋|习"),
        # missing in two places is too much
        ("Juan Carlos|García López", "Juan|López"),
    ],
)  # fmt: skip
def test_two_people_are_kept_apart(one: str, other: str) -> None:
    assert not are_compatible(name(one), name(other))
    assert not are_compatible(name(other), name(one))


@given(people, people)
def test_compatibility_has_no_direction(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert are_compatible(one, other) is are_compatible(other, one)
    assert are_compatible(one, one)
    assert are_compatible(one, ("", ""))


def test_a_nickname_counts_both_ways_and_is_not_passed_on() -> None:
    assert "bob" in nicknames("robert")
    assert "robert" in nicknames("bob")
    assert {"albert", "alan"} <= nicknames("al")
    assert "alan" not in nicknames("albert")
    assert nicknames("nobody's") == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "is_shorter"),
    [("Sarah", "S.", True), ("Sarah", "s", True), ("Sarah", "B.", True), ("Sarah", "", True), ("John Robert",
     "J.R.", True),
     ("Sarah Jane", "Sarah J.", True), ("Johnson", "J", True), ("Zoë", "Z", True), ("S.", "Sarah", False),
     ("Sarah", "Sarah", False), ("Sarah", "Sara", False), ("Sarah J.", "Sarah Jane", False), ("J", "K", False), ("",
     "", False),
     ("", "S", False), ("明明", "明", False), ("Bob", "Robert", False)],
)  # fmt: skip
def test_an_initial_says_less_than_a_name(old: str, new: str, is_shorter: bool) -> None:
    assert shortens(old, new) is is_shorter
