"""Contacts normalised a second on one core (an e-mail, a phone and a name each), beside the bare libraries.

    python3 dev.py setup && .venv/bin/python bench/normalise.py [--contacts 100000] [--json]

The contacts are made here, from nine countries. Addresses: four fifths plain, the others in capitals, padded, tagged,
wrapped or wrong; a fifth at a domain of their own. Phones: 40% in E.164, 45% as their country prints them, a tenth
behind 00 or without the +, the others with an extension, an apostrophe, or a digit short. Names: 85% plain, the
others in capitals, turned round, with a title or a suffix. The limit is what ``email-validator`` and ``phonenumbers``
take for the same values, fewer of which they read, and no names. CPU time, the best of three rounds. Nothing here is
a test: no figure is asserted.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import orjson
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from mainstay.cli.normalizing import answer, line_of
from mainstay.identity.normalisation import normalise_email, normalise_name, normalise_phone

_FIRST = (
    "Sarah",
    "John",
    "María José",
    "Zoë",
    "Jean-Luc",
    "Robert",
    "Anna",
    "Wei",
    "Priya",
    "Mohammed",
    "Lukas",
    "Emma",
)
_LAST = ("Johnson", "Smith", "García López", "Müller", "O'Brien", "van der Berg", "Patel", "Nguyen", "Khan", "Silva")
_DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "icloud.com", "birchplumbing.com", "smith-dental.co.uk", "web.de")
_REGIONS = ("US", "US", "US", "US", "GB", "DE", "AU", "IN", "MX", "BR", "PK", "AE")
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact, as it was sent."""

    email: str
    phone: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Values, contacts, or lines of `mainstay contacts normalize` (JSON in and out), a second on one core."""

    contacts: int
    contacts_per_second: float
    emails_per_second: float
    phones_per_second: float
    names_per_second: float
    lines_per_second: float
    email_validator_per_second: float
    phonenumbers_per_second: float
    ratio_to_libraries: float
    refused_emails: int
    refused_phones: int


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(make(options.contacts))
    if options.json:
        print(json.dumps(asdict(figures)))
        return
    for name, figure in asdict(figures).items():
        print(
            f"{name.replace('_', ' '):28} {figure:>12,.1f}" if isinstance(figure, float) else f"{name:28} {figure:>12,}"
        )


def measure(contacts: Sequence[Contact]) -> Figures:
    """Time each kind of value apart, ours and the libraries'."""
    count = len(contacts)
    emails = _seconds(lambda: [normalise_email(contact.email) for contact in contacts])
    phones = _seconds(lambda: [normalise_phone(contact.phone, contact.region) for contact in contacts])
    names = _seconds(lambda: [normalise_name(contact.name) for contact in contacts])
    lines = [
        orjson.dumps({"id": number, "kind": kind, "raw": raw, "region": contact.region})
        for number, contact in enumerate(contacts)
        for kind, raw in (("email", contact.email), ("phone", contact.phone), ("name", contact.name))
    ]
    bare_emails = _seconds(lambda: [_bare_email(contact.email) for contact in contacts])
    bare_phones = _seconds(lambda: [_bare_phone(contact.phone, contact.region) for contact in contacts])
    return Figures(
        contacts=count,
        contacts_per_second=count / (emails + phones + names),
        emails_per_second=count / emails,
        phones_per_second=count / phones,
        names_per_second=count / names,
        lines_per_second=len(lines) / _seconds(lambda: [line_of(answer(line)) for line in lines]),
        email_validator_per_second=count / bare_emails,
        phonenumbers_per_second=count / bare_phones,
        ratio_to_libraries=(bare_emails + bare_phones) / (emails + phones),
        refused_emails=sum(not normalise_email(contact.email).is_valid for contact in contacts),
        refused_phones=sum(not normalise_phone(contact.phone, contact.region).is_valid for contact in contacts),
    )


def _seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def _bare_email(text: str) -> str:
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return ""


def _bare_phone(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def make(count: int) -> list[Contact]:
    """Make contacts, the same at every run."""
    chance = random.Random(20)
    return list(_contacts(chance, count))


def _contacts(chance: random.Random, count: int) -> Iterable[Contact]:
    for number in range(count):
        first, last, region = chance.choice(_FIRST), chance.choice(_LAST), chance.choice(_REGIONS)
        yield Contact(
            _email(chance, f"{first[0]}{last}".split()[0].lower(), number), _phone(chance, region), region,
            _name(chance, first, last),
        )  # fmt: skip


def _email(chance: random.Random, start: str, number: int) -> str:
    local = f"{start}{number}" if start.isascii() else f"m.{number}"
    plain = f"{local}@{f'plumbing{number}.com' if chance.random() < 0.2 else chance.choice(_DOMAINS)}"
    return chance.choices(
        (plain, plain.upper(), f" {plain} ", plain.replace("@", "+shop@"), f"mailto:{plain}", f"<{plain}>",
         f"\u200b{plain}",
         plain.replace(".com", ".con"), plain.replace("@", "")),
        (80, 4, 4, 4, 1, 1, 1, 1, 1),
    )[0]  # fmt: skip


def _phone(chance: random.Random, region: str) -> str:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    canonical = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    canonical = f"{canonical[:-4]}{chance.randrange(10_000):04}"
    number = phonenumbers.parse(canonical)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    abroad = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return chance.choices(
        (canonical, national, abroad, f"00{canonical[1:]}", canonical[1:], f"{national} x12", f"'{national}",
         canonical[:-1]),
        (40, 25, 20, 5, 5, 1, 1, 3),
    )[0]  # fmt: skip


def _name(chance: random.Random, first: str, last: str) -> str:
    return chance.choices(
        (f"{first} {last}", f"{first} {last}".upper(), f"{last}, {first}", f"Dr. {first} {last}",
         f"{first} {last} Jr."),
        (85, 8, 4, 2, 1),
    )[0]  # fmt: skip


if __name__ == "__main__":
    main()
