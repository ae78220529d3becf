"""What a contact is folded into before it is compared."""

from __future__ import annotations

import pytest

from mainstay.identity.suggestions import Traits, read


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"first_name": "Lisa C.", "last_name": "Smith"}, ("lisa", "c", "smith", "")),
        ({"first_name": "MARÍA José", "last_name": "Vélez"}, ("maria", "jose", "velez", "")),
        ({"first_name": "Clay", "last_name": "Hayes Jr."}, ("clay", "", "hayes", "jr")),
        ({"full_name": "Clay Hayes"}, ("clay", "", "hayes", "")),
        ({"full_name": "Hayes, Clay"}, ("clay", "", "hayes", "")),
        ({"last_name": "waller"}, ("", "", "waller", "")),
        ({"first_name": "Sarah"}, ("sarah", "", "", "")),
        ({"first_name": "NaN", "last_name": "None"}, ("", "", "", "")),
    ],
)
def test_names(record: dict[str, str], expected: tuple[str, str, str, str]) -> None:
    found = read(record, "US")
    assert (found.first, found.middle, found.last, found.suffix) == expected


@pytest.mark.parametrize(
    ("street", "house", "road", "whole"),
    [
        ("189 Spring Close", "189", "spring", "spring cl"),
        ("189 Spring Cl", "189", "spring", "spring cl"),
        ("1854 S. Racine", "1854", "racine", "s racine"),
        ("1854 S Racine Avenue", "1854", "racine", "s racine ave"),
        ("Hauptstr. 5", "5", "hauptstr", "hauptstr"),
        ("12 Oak St Apt 4", "12", "oak", "oak st"),
        ("", "", "", ""),
    ],
)
def test_streets(street: str, house: str, road: str, whole: str) -> None:
    found = read({"street": street}, "US")
    assert (found.house, found.road, found.street) == (house, road, whole)


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("1971-06-24", "US", "19710624"),
        ("06/24/1971", "US", "19710624"),
        ("24.6.1971", "DE", "19710624"),
        ("24/06/1971", "US", "19710624"),
        ("19081209", "AU", "19081209"),
        ("1971-06-24 00:00:00", "US", "19710624"),
        ("", "US", ""),
    ],
)
def test_birth_dates(given: str, region: str, expected: str) -> None:
    assert read({"birth_date": given}, region).birth_date == expected


def test_a_number_that_is_not_valid_is_still_compared_in_one_form() -> None:
    numbers = {read({"phone": phone, "country": "GB"}, "US").phone for phone in ("+447700280833", "0770-028-0833")}
    assert len(numbers) == 1


def test_the_contacts_own_country_reads_its_phone() -> None:
    assert read({"phone": "0445 838351", "country": "AU"}, "US").phone == "+61445838351"


@pytest.mark.parametrize(
    ("name", "company"),
    [
        ("Precious Little One's Learning Center, Inc.", "precious little ones learning center"),
        ("Chicago Public Schools Esmond Elementary", "chicago public schools esmond elementary"),
        ("Sarah Johnson", ""),
    ],
)
def test_a_name_of_an_organisation_is_a_company(name: str, company: str) -> None:
    assert read({"full_name": name}, "US").company == company


def test_nothing_is_nothing() -> None:
    assert read({}, "US") == Traits()
