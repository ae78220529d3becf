"""The demo's leads: people with ground truth, written as people and forms write them. The same for each seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SOURCES = ("website", "partner", "typeform", "facebook", "calendly", "jotform")

_FIRST = (
    *("Ada", "Amir", "Ana", "Ben", "Bianca", "Carlos", "Chen", "Chloé", "Dana", "Diego", "Elif", "Emma", "Fatima"),
    *("Felix", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jamal", "Jonas", "Kaito", "Lara", "Leo", "Lucía", "Maria"),
    *("Mateo", "Mia", "Nadia", "Noah", "Nora", "Olga", "Omar", "Paula", "Priya", "Rosa", "Sam", "Sarah", "Sofia"),
    *("Tariq", "Tom", "Uma", "Vera", "Yusuf", "Zoë"),
)
_LAST = (
    *("Adams", "Becker", "Brown", "Chen", "Costa", "Davis", "Diaz", "Evans", "Fischer", "Garcia", "Gupta", "Hughes"),
    *("Ito", "Jensen", "Johnson", "Kaya", "Kim", "Kowalski", "Lee", "Lopez", "Martin", "Meyer", "Müller", "Nguyen"),
    *("Novak", "O'Brien", "Okafor", "Park", "Patel", "Perez", "Quinn", "Rossi", "Sato", "Schmidt", "Silva", "Smith"),
    *("Torres", "Walker", "Wang", "Yilmaz"),
)
_COMPANIES = ("", "", "", "Northside Dental", "Lakeview Lofts", "Blue Door Bakery", "Oak & Sons", "Riverside School")

Person = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lead:
    """One submission: ``person`` as typed, ``who`` the true person's number, ``key`` the sender's id of it.

    ``is_redelivery`` marks a second sending of the same submission.
    """

    source: str
    person: Person
    who: int
    key: str
    is_redelivery: bool = False


def make_leads(count: int = 300, people: int = 200, *, seed: int = 7) -> list[Lead]:
    """Give ``count`` leads of ``people`` persons, in the order in which they are sent.

    Each person comes at least once with e-mail and phone; the rest are the same persons again through other forms, in
    other spellings; one in twelve submissions is sent twice by its vendor, as vendors do.
    """
    rng = random.Random(seed)  # noqa: S311 - sample data
    persons = [_person(number, rng) for number in range(people)]
    leads = [Lead(rng.choice(SOURCES), person, who, f"first-{who}") for who, person in enumerate(persons)]
    again = rng.sample(range(people), k=min(people, max(0, count - people - count // 12)))
    leads += [Lead(rng.choice(SOURCES), _retyped(persons[who], rng), who, f"again-{who}") for who in again]
    rng.shuffle(leads)
    for lead in rng.sample(leads, k=count - len(leads)):
        place = rng.randrange(leads.index(lead) + 1, len(leads) + 1)
        leads.insert(place, Lead(lead.source, lead.person, lead.who, lead.key, is_redelivery=True))
    return leads


def _person(number: int, rng: random.Random) -> dict[str, str]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    local = f"{first}.{last}{number}".lower().replace("'", "")
    plain = local.translate(str.maketrans("éíëüö", "eieuo"))
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{plain}@example.com",
        "phone": f"(312) 555-{number:04d}",
        "company": rng.choice(_COMPANIES),
    }


def _retyped(person: Person, rng: random.Random) -> dict[str, str]:
    digits = "".join(filter(str.isdigit, person["phone"]))
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    spellings: tuple[Callable[[], str], ...] = (
        lambda: f"+1 {area} {exchange} {line}",
        lambda: f"{area}-{exchange}-{line}",
        lambda: f"1.{area}.{exchange}.{line}",
        lambda: digits,
        lambda: "",
    )
    email = rng.choice((str.upper, str.title, lambda text: f"  {text} ", str))(person["email"])
    first = rng.choice((person["first_name"], person["first_name"].upper(), person["first_name"].lower()))
    return {**person, "email": email, "phone": rng.choice(spellings)(), "first_name": first, "company": ""}
