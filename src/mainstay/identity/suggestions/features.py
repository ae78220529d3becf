"""What two contacts have in common, in numbers. The same for a pair and for millions; symmetric.

-1 says that one of the two says nothing. Rarities are log10 of the share of contacts that a value covers: the lower,
the more an agreement says. Sizes of agreement by chance are log10 of how many contacts of this book would agree so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from mainstay.identity.suggestions.columns import Codes, Columns, Floats

FEATURES = (
    "first", "first_similarity", "first_rarity", "last", "last_similarity", "last_rarity", "middle", "suffix",
    "swapped", "namesakes_expected", "namesakes", "name_similarity", "email", "local_distance",
    "local_similarity", "domain_distance", "domain_rarity", "local_digits", "local_length", "email_holders",
    "role", "phone_distance", "phone_holders", "phone_prefix", "company", "company_words", "company_words_all",
    "company_rarity", "house", "address_holders", "road_similarity", "street", "city", "city_rarity",
    "postcode_distance", "postcode_rarity", "country", "birth_date", "birth_year", "number_distance", "by_chance",
    "names_given",
)  # fmt: skip
"""The columns of what :func:`features` returns, in order."""

EQUAL, NICKNAME, INITIAL, TYPO, SIMILAR, DIFFERENT, MISSING = 6.0, 5.0, 4.0, 3.0, 2.0, 0.0, -1.0
"""How two parts of a name stand to each other."""

SUFFIXES_DIFFER = -2.0
"""What the feature ``suffix`` says of Jr and Sr; 0 where only one has a suffix."""

Matrix = NDArray[np.float32]
Places = NDArray[np.int64]
_Measure = Callable[[NDArray[np.object_], NDArray[np.object_]], Floats]


def features(columns: Columns, left: Places, right: Places) -> Matrix:
    """Compare contacts ``left[n]`` and ``right[n]`` of ``columns``; one row each, columns as in ``FEATURES``."""
    found = np.empty((len(FEATURES), len(left)), dtype=np.float32).T
    if len(left):
        pairs = _Pairs(columns, left, right)
        made = {**pairs.names(), **pairs.emails(), **pairs.phones(), **pairs.companies(), **pairs.addresses()}
        made |= pairs.others()
        made["by_chance"] = pairs.by_chance(made)
        for place, name in enumerate(FEATURES):
            found[:, place] = made[name]
    return found


def _distance(one: NDArray[np.object_], other: NDArray[np.object_]) -> Floats:
    return cpdist(one, other, scorer=OSA.distance, dtype=np.float64, workers=1)


def _similarity(one: NDArray[np.object_], other: NDArray[np.object_]) -> Floats:
    return cpdist(one, other, scorer=OSA.normalized_similarity, dtype=np.float64, workers=1)


def _winkler(one: NDArray[np.object_], other: NDArray[np.object_]) -> Floats:
    # Not symmetric for all texts: the greater of both ways is.
    found: Floats = cpdist(one, other, scorer=JaroWinkler.similarity, dtype=np.float64, workers=1)
    back: Floats = cpdist(other, one, scorer=JaroWinkler.similarity, dtype=np.float64, workers=1)
    return np.maximum(found, back, out=found)


def _words(one: NDArray[np.object_], other: NDArray[np.object_]) -> Floats:
    return cpdist(one, other, scorer=fuzz.token_sort_ratio, dtype=np.float64, workers=1) / 100.0


class _Pairs:
    def __init__(self, columns: Columns, left: Places, right: Places) -> None:
        self.columns = columns
        self.left, self.right = left, right
        self.total = columns.total

    def codes(self, trait: str) -> tuple[Codes, Codes]:
        column = self.columns.codes[trait]
        return column[self.left], column[self.right]

    def measure(self, trait: str, how: _Measure, equal: float, at_most: float = np.inf) -> Floats:
        """Compare texts; ``equal`` where they are, -1 where one is missing."""
        one, other = self.codes(trait)
        return self._measure(trait, one, other, how, equal, at_most)

    def _measure(
        self, trait: str, one: Codes, other: Codes, how: _Measure, equal: float, at_most: float = np.inf
    ) -> Floats:
        found = np.full(len(one), equal)
        found[(one == 0) | (other == 0)] = MISSING
        differs = np.flatnonzero((one != other) & (one != 0) & (other != 0))
        if len(differs):
            values = self.columns.of_trait(trait)
            found[differs] = np.minimum(how(values[one[differs]], values[other[differs]]), at_most)
        return found

    def equal(self, trait: str) -> Floats:
        one, other = self.codes(trait)
        return np.where((one == 0) | (other == 0), MISSING, (one == other).astype(np.float64))

    def rarity(self, trait: str) -> Floats:
        """Return the rarity of what both say together: of the value where they agree, else of the commoner one."""
        one, other = self.codes(trait)
        counts = self.columns.count(trait)
        share = np.log10(np.maximum(counts[one], counts[other]) / self.total)
        return np.where((one == 0) | (other == 0), 0.0, share)

    def holders(self, trait: str) -> Floats:
        one, other = self.codes(trait)
        counts = self.columns.count(trait)
        held = np.maximum(np.where(one == 0, 1.0, counts[one]), np.where(other == 0, 1.0, counts[other]))
        return np.log10(held)

    # --- Names ----------------------------------------------------------------------------------------------------

    def names(self) -> dict[str, Floats]:
        first, last = self.codes("first"), self.codes("last")
        found_first, alike_first = self._part(*first)
        found_last, alike_last = self._part(*last)
        swapped = np.zeros(len(found_first))
        first_cover = self._cover("first", *first, found_first)
        last_cover = self._cover("last", *last, found_last)
        apart = np.flatnonzero((found_first <= SIMILAR) & (found_last <= SIMILAR))
        if len(apart):
            turned, common, rare = self._turned(apart, found_first[apart] <= DIFFERENT)
            swapped[turned] = 1.0
            found_first[turned], alike_first[turned], first_cover[turned] = common
            found_last[turned], alike_last[turned], last_cover[turned] = rare
        first_rarity, last_rarity = np.log10(first_cover), np.log10(last_cover)
        return {
            "first": found_first,
            "first_similarity": alike_first,
            "first_rarity": first_rarity,
            "last": found_last,
            "last_similarity": alike_last,
            "last_rarity": last_rarity,
            "middle": self._middle(),
            "suffix": self._suffix(),
            "swapped": swapped,
            "namesakes_expected": np.log10(self.total) + first_rarity + last_rarity,
            "namesakes": self.holders("name"),
            "name_similarity": self.measure("name", _words, 1.0),
            "names_given": sum((codes != 0).astype(np.float64) for codes in (*first, *last)),
        }

    def _turned(self, apart: Places, differs: NDArray[np.bool_]) -> tuple[Places, Floats, Floats]:
        """Return which of ``apart`` agree when one name is written the other way round, and how both parts agree.

        Which part is the family name nobody knows: the rarer one is taken for it, the same from both sides. Each part
        is (relation, similarity, cover).
        """
        one_first, other_first = (codes[apart] for codes in self.codes("first"))
        one_last, other_last = (codes[apart] for codes in self.codes("last"))
        parts = []
        for one, other in ((one_first, other_last), (one_last, other_first)):
            relation, similarity = self._part(one, other)
            parts.append(np.stack([relation, similarity, self._cover("first", one, other, relation)]))
        worse, better = np.minimum(parts[0][0], parts[1][0]), np.maximum(parts[0][0], parts[1][0])
        agree = np.flatnonzero((worse >= TYPO) | ((better >= NICKNAME) & differs))
        one_part, other_part = parts[0][:, agree], parts[1][:, agree]
        is_rarer = np.zeros(len(agree), dtype=bool)
        is_equal = np.ones(len(agree), dtype=bool)
        for quality in (2, 1, 0):
            is_rarer |= is_equal & (one_part[quality] < other_part[quality])
            is_equal &= one_part[quality] == other_part[quality]
        return apart[agree], np.where(is_rarer, other_part, one_part), np.where(is_rarer, one_part, other_part)

    def _part(self, one: Codes, other: Codes) -> tuple[Floats, Floats]:
        """Return how two parts of names stand to each other, and how similar they are spelled."""
        values, counts = self.columns.values["part"], len(self.columns.values["part"])
        lengths = self.columns.derive("first", "length", len)
        similar = self._measure("first", one, other, _winkler, 1.0)
        found = np.where(similar >= 0.88, SIMILAR, DIFFERENT)
        both = (one != 0) & (other != 0)
        differs = np.flatnonzero(both & (one != other))
        if len(differs) and counts > 1:
            a, b = one[differs], other[differs]
            slips = _distance(values[a], values[b])
            shorter = np.minimum(lengths[a], lengths[b])
            found[differs[(slips <= 1) & (shorter >= 3)]] = TYPO
            found[differs[(slips <= 2) & (shorter >= 8)]] = TYPO
            letters = self.columns.derive("first", "letter", lambda value: ord(value[0]) if value else 0)
            is_compound = self.columns.derive("first", "compound", lambda value: " " in value)
            found[differs[(shorter == 1) & (letters[a] == letters[b])]] = INITIAL
            inside = np.flatnonzero(is_compound[a] | is_compound[b])
            if len(inside):
                contained = cpdist(
                    values[a[inside]], values[b[inside]], scorer=fuzz.token_set_ratio, dtype=np.float64, workers=1
                )
                found[differs[inside[contained >= 99.9]]] = INITIAL
            names = self.columns.nicknames
            if len(names):
                key = a.astype(np.int64) << 32 | b
                place = np.minimum(np.searchsorted(names, key), len(names) - 1)
                found[differs[names[place] == key]] = NICKNAME
        found[both & (one == other)] = EQUAL
        found[both & (one == other) & (lengths[one] == 1)] = INITIAL
        found[~both] = MISSING
        return found, similar

    def _cover(self, trait: str, one: Codes, other: Codes, relation: Floats) -> Floats:
        """Return the share of contacts whose name would stand so to the other; 1 where nothing agrees."""
        counts = self.columns.count(trait)
        initials = self.columns.first_initials if trait == "first" else self.columns.last_initials
        either = counts[one] + counts[other]
        cover = np.full(len(one), self.total)
        cover = np.where(relation == EQUAL, counts[one], cover)
        cover = np.where((relation == NICKNAME) | (relation == TYPO), either, cover)
        cover = np.where(relation == SIMILAR, 4 * either, cover)
        cover = np.where(relation == INITIAL, np.maximum(initials[one], initials[other]), cover)
        return np.minimum(cover / self.total, 1.0)

    def _middle(self) -> Floats:
        """Return 2 equal, 1 an initial of the other, 0 only one has one, -2 they differ, -1 none has one."""
        one, other = self.codes("middle")
        values = self.columns.values["middle"]
        found = np.where(one == other, 2.0, 0.0)
        found[(one == 0) & (other == 0)] = MISSING
        for place in np.flatnonzero((one != 0) & (other != 0) & (one != other)):
            a, b = values[one[place]], values[other[place]]
            short, long = sorted((a, b), key=len)
            found[place] = 1.0 if long.startswith(short) else -2.0
        return found

    def _suffix(self) -> Floats:
        """Return 1 equal, -1 none has one, 0 only one has one, -2 they differ."""
        one, other = self.codes("suffix")
        found = np.where(one == other, 1.0, -2.0)
        found[(one == 0) ^ (other == 0)] = 0.0
        found[(one == 0) & (other == 0)] = MISSING
        return found

    # --- E-mail and phone -----------------------------------------------------------------------------------------

    def emails(self) -> dict[str, Floats]:
        email = self.equal("email")
        given = email >= 0
        one, other = self.codes("email")
        alias, local, domain = (np.equal(*self.codes(name)) for name in ("alias", "local", "domain"))
        relation = np.select([~given, email == 1, alias, local, domain], [MISSING, 4.0, 3.0, 2.0, 1.0], 0.0)
        roles = np.maximum(*self.codes("weak")) > 0
        lengths = self.columns.derive("local", "length", len)
        local_one, local_other = self.codes("local")
        return {
            "email": relation,
            "local_distance": self.measure("local", _distance, 0.0, 6.0),
            "local_similarity": self.measure("local", _similarity, 1.0),
            "domain_distance": self.measure("domain", _distance, 0.0, 6.0),
            "domain_rarity": self.rarity("domain"),
            "local_digits": self._digits(local_one, local_other),
            "local_length": np.where(given, np.minimum(lengths[local_one], lengths[local_other]), MISSING),
            "email_holders": np.where(one == other, self.holders("email"), self.holders("local")) * given,
            "role": roles.astype(np.float64),
        }

    def _digits(self, one: Codes, other: Codes) -> Floats:
        """Return 2 the same digits, 1 only one has any, 0 they differ, -1 none has any."""
        digits = self.columns.derive("local", "number", _number_in)
        a, b = digits[one], digits[other]
        found = np.where(a == b, 2.0, 0.0)
        found[(a < 0) ^ (b < 0)] = 1.0
        found[(a < 0) & (b < 0)] = MISSING
        return found

    def phones(self) -> dict[str, Floats]:
        one, other = self.codes("phone")
        begins = self.columns.derive("phone", "begin", lambda value: int(value[1:8]) if value[1:8].isdigit() else -1)
        given = (one != 0) & (other != 0)
        return {
            "phone_distance": self.measure("phone", _distance, 0.0, 5.0),
            "phone_holders": self.holders("phone"),
            "phone_prefix": np.where(given, (begins[one] == begins[other]).astype(np.float64), MISSING),
        }

    # --- Company and address --------------------------------------------------------------------------------------

    def companies(self) -> dict[str, Floats]:
        one, other = self.codes("company")
        rows, weight = self.columns.words
        given = np.flatnonzero((one != 0) & (other != 0))
        least, most = np.full(len(one), MISSING), np.full(len(one), MISSING)
        if len(given):
            a, b = rows[one[given]], rows[other[given]]
            common = np.zeros(len(given))
            for column in range(a.shape[1]):
                word = a[:, column]
                common += weight[word] * (b == word[:, None]).any(axis=1)
            sums = weight[a].sum(axis=1), weight[b].sum(axis=1)
            least[given] = common / np.maximum(np.minimum(*sums), 0.1)
            most[given] = common / np.maximum(np.maximum(*sums), 0.1)
        return {
            "company": self.measure("company", _words, 1.0),
            "company_words": least,
            "company_words_all": most,
            "company_rarity": self.rarity("company"),
        }

    def addresses(self) -> dict[str, Floats]:
        return {
            "house": self.equal("house"),
            "address_holders": self.holders("address"),
            "road_similarity": self.measure("road", _similarity, 1.0),
            "street": self.measure("street", _similarity, 1.0),
            "city": self.measure("city", _similarity, 1.0),
            "city_rarity": self.rarity("city"),
            "postcode_distance": self.measure("postcode", _distance, 0.0, 4.0),
            "postcode_rarity": self.rarity("postcode"),
        }

    # --- The rest -------------------------------------------------------------------------------------------------

    def others(self) -> dict[str, Floats]:
        one, other = self.codes("birth_date")
        years = self.columns.derive("birth_date", "year", lambda value: int(value[:4]) if value[:4].isdigit() else -1)
        gap = np.minimum(np.abs(years[one] - years[other]), 50)
        return {
            "country": self.equal("country"),
            "birth_date": self.measure("birth_date", _distance, 0.0, 5.0),
            "birth_year": np.where((one == 0) | (other == 0), MISSING, gap),
            "number_distance": self.measure("number", _distance, 0.0, 5.0),
        }

    def by_chance(self, made: dict[str, Floats]) -> Floats:
        """Return log10 of the number of contacts that would agree with one of the two in all this by chance."""
        expected = made["namesakes_expected"].copy()
        # One of them says most about where: street and postcode belong together, and to the city.
        house = np.where((made["house"] == 1) & (made["road_similarity"] > 0.8), self.rarity("house") - 1.5, 0.0)
        postcode = np.where(made["postcode_distance"] == 0, made["postcode_rarity"], 0.0)
        city = np.where(made["city"] == 1, made["city_rarity"], 0.0)
        expected += np.minimum(np.minimum(house, postcode), city)
        expected += np.where(made["company"] == 1, made["company_rarity"], 0.0)
        expected += np.where(made["birth_date"] == 0, -4.3, 0.0)
        return np.maximum(expected, -12.0)


def _number_in(local: str) -> int:
    digits = "".join(sign for sign in local if sign in "0123456789")[:15]
    return int(digits) if digits else -1
