"""One contact as suggestions compare it: every value folded to the form in which two records of a person agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from mainstay.identity.normalisation import Status, normalise_email, normalise_phone
from mainstay.identity.normalisation.folding import fold
from mainstay.identity.normalisation.name import NameParts, read_fields, read_whole

FIELDS = (
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "company",
    "street",
    "city",
    "postcode",
    "country",
    "birth_date",
    "number",
)
"""What a contact may carry, as text. ``number`` is any number that belongs to one person: customer, tax, membership."""

_NO_VALUE = frozenset({"", "nan", "null", "none", "n/a", "na", "-", "--", ".", "unknown", "undefined"})
_ROAD_WORDS = {
    "street": "st", "str": "st", "strasse": "st", "straße": "st", "road": "rd", "avenue": "ave", "av": "ave",
    "lane": "ln", "drive": "dr", "close": "cl", "court": "ct", "place": "pl", "boulevard": "blvd", "square": "sq",
    "terrace": "ter", "crescent": "cres", "circuit": "cct", "highway": "hwy", "parkway": "pkwy", "circle": "cir",
    "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se",
    "southwest": "sw", "saint": "st", "mount": "mt",
}  # fmt: skip
_ROAD_TYPES = frozenset({*_ROAD_WORDS.values(), "way"} - {"mt"})
_UNITS = frozenset({"apt", "apartment", "unit", "suite", "ste", "flat", "floor", "fl", "room", "rm", "bldg"})
_LEGAL = frozenset(
    {
        "inc",
        "incorporated",
        "llc",
        "ltd",
        "limited",
        "gmbh",
        "ag",
        "co",
        "corp",
        "corporation",
        "company",
        "plc",
        "llp",
        "pty",
        "sa",
        "the",
        "of",
        "and",
    }
)
_NOT_DIGIT = re.compile(r"\D+")
_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})")
_MONTH_FIRST = frozenset({"", "US", "CA", "PH"})


class Traits(NamedTuple):
    """A contact folded; "" where it says nothing.

    ``name`` holds the words of the whole name, sorted; ``weak`` is set where the e-mail names nobody: a role mailbox,
    a blocked value, no address at all.
    """

    first: str = ""
    middle: str = ""
    last: str = ""
    suffix: str = ""
    name: str = ""
    email: str = ""
    alias: str = ""
    local: str = ""
    domain: str = ""
    weak: str = ""
    phone: str = ""
    company: str = ""
    address: str = ""
    house: str = ""
    road: str = ""
    street: str = ""
    city: str = ""
    postcode: str = ""
    country: str = ""
    birth_date: str = ""
    number: str = ""


def read(record: Mapping[str, str], region: str) -> Traits:
    """Fold a contact. Its own country reads its phone; ``region`` (two letters) where it names none."""
    country = _country(_given(record.get("country")))
    region = country if len(country) == 2 else region
    company = _company(_given(record.get("company")))
    first_raw, last_raw = _given(record.get("first_name")), _given(record.get("last_name"))
    full_raw = _given(record.get("full_name"))
    if not first_raw and full_raw and last_raw in {"", full_raw} and not company:
        first, middle, last, suffix, company = _of_full_name(full_raw)
    elif full_raw and not (first_raw and last_raw):
        first, middle, last, suffix = _whole_name(full_raw)
    else:
        first, middle, last, suffix = _name(first_raw, last_raw)
    email, alias, local, domain, weak = _email(_given(record.get("email")))
    house, road, street = _street(_given(record.get("street")))
    return Traits(
        first,
        middle,
        last,
        suffix,
        " ".join(sorted(f"{first} {middle} {last}".split())),
        email,
        alias,
        local,
        domain,
        weak,
        _phone(_given(record.get("phone")), region),
        company,
        f"{house} {road}" if house and road else "",
        house,
        road,
        street,
        _folded(_given(record.get("city"))),
        _folded(_given(record.get("postcode"))).replace(" ", ""),
        country,
        _date(_given(record.get("birth_date")), region),
        _folded(_given(record.get("number"))).replace(" ", ""),
    )


def _given(text: str | None) -> str:
    stripped = text.strip() if text else ""
    return "" if stripped.lower() in _NO_VALUE else stripped


@lru_cache(1 << 17)
def _folded(text: str) -> str:
    return fold(text)


@lru_cache(1 << 17)
def _name(first: str, last: str) -> tuple[str, str, str, str]:
    """Return given name, middle names, family name and generational suffix."""
    return _parts(read_fields(first, last))


def _parts(parts: NameParts) -> tuple[str, str, str, str]:
    begin, _, middle = fold(" ".join(parts.given)).partition(" ")
    return begin, middle, fold(" ".join(parts.family)), parts.suffix


_ORGANISATION = frozenset(
    {
        "inc",
        "llc",
        "ltd",
        "gmbh",
        "corp",
        "school",
        "center",
        "centre",
        "services",
        "service",
        "college",
        "church",
        "hospital",
        "clinic",
        "institute",
        "university",
        "academy",
        "association",
        "foundation",
        "company",
        "group",
        "care",
        "day",
        "nursery",
    }
)


@lru_cache(1 << 17)
def _of_full_name(full: str) -> tuple[str, str, str, str, str]:
    """Return the parts of a name that stands in one column, and the company, where it is the name of one."""
    words = fold(full).split()
    if len(words) > 4 or any(word in _ORGANISATION or word[0].isdigit() for word in words):
        return "", "", "", "", _company(full)
    return (*_whole_name(full), "")


@lru_cache(1 << 17)
def _whole_name(full: str) -> tuple[str, str, str, str]:
    return _parts(read_whole(full))


@lru_cache(1 << 10)
def _country(text: str) -> str:
    return text.upper() if len(text) == 2 else fold(text)


def _email(raw: str) -> tuple[str, str, str, str, str]:
    if "@" not in raw:
        return "", "", "", "", ""
    read_ = normalise_email(raw)
    # What is no address is still compared, but names nobody.
    email = read_.canonical or raw.lower()
    local, _, domain = email.rpartition("@")
    bare = local.partition("+")[0]
    alias = (
        read_.alias_key or f"{bare.replace('.', '') if domain in {'gmail.com', 'googlemail.com'} else bare}@{domain}"
    )
    return email, alias, bare, domain, "" if read_.identifying and read_.canonical else "weak"


def _phone(raw: str, region: str) -> str:
    """Return the number as E.164 where it is valid, else the same form of what it may be."""
    if not raw:
        return ""
    read_ = normalise_phone(raw, region)
    if read_.status is Status.VALID:
        return read_.canonical
    digits = _NOT_DIGIT.sub("", raw)
    if len(digits) < 6:
        return ""
    try:
        number = phonenumbers.parse(f"+{digits[2:]}" if digits.startswith("00") else raw, region or None)
    except phonenumbers.NumberParseException:
        return digits
    return f"+{number.country_code}{number.national_number}"


@lru_cache(1 << 17)
def _company(text: str) -> str:
    words = fold(text.replace("'", "")).split()
    return " ".join(word for word in words if word not in _LEGAL) or " ".join(words)


@lru_cache(1 << 16)
def _street(text: str) -> tuple[str, str, str]:
    """Return house number, the road without its kind and direction, and the whole line."""
    words: list[str] = []
    for word in fold(text).split():
        if word in _UNITS and words:
            break
        words.append(_ROAD_WORDS.get(word, word))
    house = next((word for word in words if word[0].isdigit()), "")
    if house:
        words.remove(house)
    road = " ".join(word for word in words if word not in _ROAD_TYPES) or " ".join(words)
    return house, road, " ".join(words)


def _date(text: str, region: str) -> str:
    """Return a date as eight digits, or what digits there are."""
    if not text:
        return ""
    if found := _DATE.match(text):
        one, two, three = found.groups()
        if len(one) == 4:
            return f"{one}{two:0>2}{three:0>2}"
        if len(three) == 4:
            month, day = (one, two) if region in _MONTH_FIRST and int(one) <= 12 else (two, one)
            return f"{three}{month:0>2}{day:0>2}"
    return _NOT_DIGIT.sub("", text)[:8]
