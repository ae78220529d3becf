"""Why a pair is suggested, in a few plain words; what speaks against it too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.suggestions.features import (
    DIFFERENT,
    EQUAL,
    FEATURES,
    INITIAL,
    MISSING,
    NICKNAME,
    SIMILAR,
    TYPO,
)

_AT = {name: place for place, name in enumerate(FEATURES)}
_RARE, _COMMON = -4.0, -2.7
_RELATIONS = {
    NICKNAME: "is a nickname",
    INITIAL: "is an initial",
    TYPO: "differs by a typing error",
    SIMILAR: "is similar",
    DIFFERENT: "differs",
}


def reasons(row: NDArray[np.float32]) -> list[str]:
    """Return what speaks for the pair and then, each beginning with "but", what speaks against it.

    ``row`` is one row of :func:`features`.
    """
    value = {name: float(row[place]) for name, place in _AT.items()}
    found = [*_identifiers(value), *_numbers(value), *_names(value), *_place(value)]
    return [each for each in found if not each.startswith("but ")] + [each for each in found if each.startswith("but ")]


def _names(value: dict[str, float]) -> list[str]:
    first, last = value["first"], value["last"]
    found = []
    if first == last == EQUAL and not value["swapped"]:
        found.append(f"same name{_rarity(value['namesakes_expected'] - 6, -5.5, -3.5)}")
    else:
        if last == EQUAL:
            found.append(f"same surname{_rarity(value['last_rarity'], _RARE, _COMMON)}")
        elif last > MISSING:
            found.append(("but " if last == DIFFERENT else "") + f"surname {_RELATIONS[last]}")
        if first == EQUAL:
            found.append(f"same first name{_rarity(value['first_rarity'], _RARE, _COMMON)}")
        elif first > MISSING:
            found.append(("but " if first == DIFFERENT else "") + f"first name {_RELATIONS[first]}")
        if value["swapped"]:
            found.append("first name and surname swapped")
    if value["middle"] == -2:
        found.append("but middle names differ")
    elif value["middle"] >= 1:
        found.append("same middle name")
    if value["suffix"] == 0:
        found.append("but only one is Jr, Sr or II")
    elif value["suffix"] == -2:
        found.append("but Jr, Sr or II differ")
    return found


def _rarity(value: float, rare: float, common: float) -> str:
    return " (rare)" if value <= rare else " (common)" if value >= common else ""


def _identifiers(value: dict[str, float]) -> list[str]:
    found = []
    email, distance, domain = value["email"], value["local_distance"], value["domain_distance"]
    if email == 4:
        found.append("same e-mail" + (" (a role mailbox)" if value["role"] else ""))
    elif email == 3:
        found.append("same e-mail but for a tag or dots")
    elif email > MISSING and distance == 0 and domain <= 2:
        found.append("same e-mail but for a typing error in the domain")
    elif email > MISSING and domain == 0 and distance <= 2 and value["local_length"] >= 5:
        found.append("e-mails differ by a typing error")
    elif email > MISSING and distance == 0:
        found.append("same name before the @")
    if value["phone_distance"] == 0:
        found.append("same phone" + (" (shared by many)" if value["phone_holders"] > 0.6 else ""))
    elif value["phone_distance"] == 1:
        found.append("phones differ by one digit")
    return found


def _numbers(value: dict[str, float]) -> list[str]:
    found = []
    if value["number_distance"] == 0:
        found.append("same number")
    elif value["number_distance"] == 1:
        found.append("numbers differ by one digit")
    elif value["number_distance"] > 2:
        found.append("but numbers differ")
    if value["birth_date"] == 0:
        found.append("same birth date")
    elif value["birth_date"] in {1.0, 2.0}:
        found.append("birth dates nearly agree")
    elif value["birth_date"] > 2:
        found.append("but birth dates differ")
    return found


def _place(value: dict[str, float]) -> list[str]:
    found = []
    if value["house"] == 1 and value["road_similarity"] >= 0.8:
        found.append("same address")
    elif value["postcode_distance"] == 0:
        found.append("same postcode")
    elif value["city"] == 1:
        found.append("same city")
    elif value["city"] > MISSING and value["city"] < 0.6:
        found.append("but other city")
    if value["company"] == 1:
        found.append("same company")
    elif value["company_words_all"] >= 0.5 or value["company"] >= 0.8 or value["company_words"] >= 0.85:
        found.append("similar company name")
    elif value["company"] > MISSING:
        found.append("but other company")
    if value["country"] == 0:
        found.append("but other country")
    return found
