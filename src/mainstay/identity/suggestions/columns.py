"""Contacts as columns of codes, so that millions of pairs are compared at once; and how often each value occurs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.normalisation.nicknames import nicknames
from mainstay.identity.suggestions.traits import Traits

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Strings = NDArray[np.object_]

# First and last names share a dictionary: people write one into the other's field.
_SHARED = {"first": "part", "last": "part"}
COUNTED = (
    "first",
    "last",
    "name",
    "email",
    "local",
    "domain",
    "phone",
    "company",
    "address",
    "city",
    "postcode",
    "house",
)


@dataclass(slots=True)
class Frequencies:
    """How often each value occurs in a book: what makes a name rare is the book, not the world.

    ``total`` is the number of contacts. A value that is not listed counts as occurring once.
    """

    total: int = 0
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)
    initials: dict[str, dict[str, int]] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)


class Columns:
    """Contacts as columns: ``codes`` by trait, 0 where it is empty, and ``values`` by dictionary."""

    def __init__(
        self, codes: Mapping[str, Codes], values: Mapping[str, Strings], known: Frequencies | None = None
    ) -> None:
        self.codes = codes
        self.values = values
        self.derived: dict[tuple[str, str], NDArray[np.int64]] = {}
        self._known = known
        self.size = len(next(iter(codes.values())))
        self.total = float(max(known.total if known else self.size, 2))

    @classmethod
    def of(cls, contacts: Iterable[Traits], known: Frequencies | None = None) -> Columns:
        """Encode contacts. ``known``: the frequencies of the book that they belong to; else these contacts are it."""
        builder = Builder()
        for contact in contacts:
            builder.add(contact)
        return builder.done(known)

    def of_trait(self, trait: str) -> Strings:
        """Return the dictionary of a trait."""
        return self.values[_SHARED.get(trait, trait)]

    def count(self, trait: str) -> Floats:
        """Return how often each value of the trait's dictionary occurs, at least 1."""
        if trait not in self._counts:
            size = len(self.of_trait(trait))
            if self._known is None:
                found = np.bincount(self.codes[trait], minlength=size).astype(np.float64)
            else:
                counts = self._known.counts.get(trait, {})
                found = np.array([counts.get(value, 1) for value in self.of_trait(trait)], dtype=np.float64)
            self._counts[trait] = np.maximum(found, 1.0)
        return self._counts[trait]

    @cached_property
    def _counts(self) -> dict[str, Floats]:
        return {}

    def initial_count(self, trait: str) -> Floats:
        """Return, for each value of the dictionary, how many contacts have a name with its first letter."""
        letters = [value[:1] for value in self.of_trait(trait)]
        if self._known is None:
            tally: Mapping[str, float] = _by_initial(letters, self.count_given(trait))
        else:
            tally = self._known.initials.get(trait, {})
        return np.array([max(tally.get(letter, 1), 1) for letter in letters], dtype=np.float64)

    def count_given(self, trait: str) -> Floats:
        """Return how often each value occurs, 0 where this trait never has it."""
        return np.bincount(self.codes[trait], minlength=len(self.of_trait(trait))).astype(np.float64)

    def derive(self, trait: str, name: str, make: Callable[[str], int]) -> NDArray[np.int64]:
        """Return a number for each value of a trait's dictionary, made once."""
        key = (_SHARED.get(trait, trait), name)
        if key not in self.derived:
            self.derived[key] = np.array([make(value) for value in self.of_trait(trait)], dtype=np.int64)
        return self.derived[key]

    @cached_property
    def first_initials(self) -> Floats:
        return self.initial_count("first")

    @cached_property
    def last_initials(self) -> Floats:
        return self.initial_count("last")

    @cached_property
    def nicknames(self) -> NDArray[np.int64]:
        """Return the pairs of codes whose names stand for one another, each as one number, sorted."""
        code = {value: place for place, value in enumerate(self.values["part"])}
        found = [place << 32 | code[other] for one, place in code.items() for other in nicknames(one) if other in code]
        return np.array(sorted(found), dtype=np.int64)

    @cached_property
    def words(self) -> tuple[Codes, Floats]:
        """Return up to eight words of each company (codes, 0 padded), and by code how telling a word is, in nats."""
        code: dict[str, int] = {"": 0}
        rows = np.zeros((len(self.values["company"]), 8), dtype=np.int32)
        for place, company in enumerate(self.values["company"]):
            for column, word in enumerate(dict.fromkeys(company.split()[:8])):
                rows[place, column] = code.setdefault(word, len(code))
        if self._known is None:
            seen = np.zeros(len(code))
            np.add.at(seen, rows, np.bincount(self.codes["company"], minlength=len(rows))[:, None])
            holders = max(float((self.codes["company"] > 0).sum()), 2.0)
        else:
            seen = np.array([self._known.words.get(word, 1) for word in code], dtype=np.float64)
            holders = max(float(self._known.words.get("", 2)), 2.0)
        weight = np.log(holders / np.clip(seen, 1, holders)) + 0.1
        weight[0] = 0.0
        return rows, weight

    def frequencies(self) -> Frequencies:
        """Return the frequencies of these contacts, for scoring others against them."""
        found = Frequencies(int(self.total))
        for trait in COUNTED:
            counts = self.count_given(trait)
            found.counts[trait] = {
                value: int(count) for value, count in zip(self.of_trait(trait), counts, strict=True) if count > 1
            }
        for trait in ("first", "last"):
            tally = _by_initial([value[:1] for value in self.of_trait(trait)], self.count_given(trait))
            found.initials[trait] = {letter: int(count) for letter, count in tally.items()}
        by_company = self.count_given("company")
        tally_words: Counter[str] = Counter()
        for company, count in zip(self.values["company"], by_company, strict=True):
            for word in dict.fromkeys(company.split()[:8]):
                tally_words[word] += int(count)
        found.words = {**tally_words, "": int((self.codes["company"] > 0).sum())}
        return found


def _by_initial(letters: Sequence[str], counts: Floats) -> dict[str, float]:
    tally: dict[str, float] = {}
    for letter, count in zip(letters, counts.tolist(), strict=True):
        tally[letter] = tally.get(letter, 0) + count
    return tally


class Builder:
    """Collects contacts one by one; holds each different value once."""

    def __init__(self) -> None:
        shared = {name: {"": 0} for name in {_SHARED.get(trait, trait) for trait in Traits._fields}}
        self._known = [shared[_SHARED.get(trait, trait)] for trait in Traits._fields]
        self._codes = [array("i") for _ in Traits._fields]
        self._columns = list(zip(self._known, self._codes, strict=True))

    def add(self, contact: Traits) -> None:
        """Take one contact."""
        for (known, codes), value in zip(self._columns, contact, strict=True):
            codes.append(known.setdefault(value, len(known)))

    def done(self, known: Frequencies | None = None) -> Columns:
        """Return what was collected."""
        codes = {
            trait: np.frombuffer(column, dtype=np.int32) if len(column) else np.zeros(0, dtype=np.int32)
            for trait, column in zip(Traits._fields, self._codes, strict=True)
        }
        values = {}
        for trait, dictionary in zip(Traits._fields, self._known, strict=True):
            name = _SHARED.get(trait, trait)
            if name not in values:
                listed = np.empty(len(dictionary), dtype=object)
                listed[:] = list(dictionary)
                values[name] = listed
        return Columns(codes, values, known)
