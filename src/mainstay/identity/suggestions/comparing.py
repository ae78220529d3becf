"""One contact against those that may be the same person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.suggestions.columns import COUNTED, Columns, Frequencies
from mainstay.identity.suggestions.features import EQUAL, FEATURES, Matrix, features
from mainstay.identity.suggestions.learning import Learned
from mainstay.identity.suggestions.reasons import reasons
from mainstay.identity.suggestions.scoring import shipped_model
from mainstay.identity.suggestions.traits import Traits

ALIAS, EMPLOYER, MODEL = "alias", "employer", "model"
"""Why a pair is suggested: one e-mail but for a tag or dots, one name at one employer, or the model alone."""
ALWAYS = (ALIAS, EMPLOYER)
"""Suggested whatever their probability, and never merged without a person (R18)."""

_ALIAS_EQUAL = 3
_AT = {name: place for place, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class Likely:
    """A contact that may be the same person. ``score`` is the probability, ``model_score`` the shipped model's."""

    contact_id: UUID
    rule: str
    score: float
    model_score: float
    reasons: tuple[str, ...]


def compare(
    one: Traits,
    others: Mapping[UUID, Traits],
    aliases: Collection[UUID],
    known: Frequencies,
    *,
    least: float,
    learned: Learned | None = None,
) -> list[Likely]:
    """Return which of ``others`` are suggested, the likeliest first.

    ``aliases`` are those that share an e-mail with ``one`` but for a tag or dots. ``known`` is the book's; a value that
    it does not list counts as often as it is seen here.
    """
    if not others:
        return []
    contacts = [one, *others.values()]
    columns = Columns.of(contacts, _with_seen(known, contacts))
    right = np.arange(1, len(contacts))
    matrix = features(columns, np.zeros_like(right), right)
    model_scores = shipped_model().scores(matrix)
    scores = (learned or Learned()).refine(model_scores)
    _, is_employer = rules_of(matrix)
    found = []
    for place, contact_id in enumerate(others):
        rule = ALIAS if contact_id in aliases else EMPLOYER if is_employer[place] else MODEL
        if rule in ALWAYS or scores[place] >= least:
            told = tuple(reasons(matrix[place]))
            if rule == ALIAS and "same e-mail but for a tag or dots" not in told:
                told = ("one has an e-mail of the other but for a tag or dots", *told)
            found.append(Likely(contact_id, rule, float(scores[place]), float(model_scores[place]), told))
    return sorted(found, key=lambda each: (-each.score, each.contact_id))


def rules_of(matrix: Matrix) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which pairs share an e-mail but for a tag or dots, and which one name at one employer."""
    is_one_name = (matrix[:, _AT["first"]] == EQUAL) & (matrix[:, _AT["last"]] == EQUAL)
    return matrix[:, _AT["email"]] == _ALIAS_EQUAL, is_one_name & (matrix[:, _AT["company"]] == 1)


def _with_seen(known: Frequencies, contacts: Sequence[Traits]) -> Frequencies:
    """Return the book's frequencies, where what is seen here occurs at least as often as here."""
    counts: dict[str, Mapping[str, int]] = {}
    for trait in COUNTED:
        book = known.counts.get(trait, {})
        seen = Counter(filter(None, (_value(contact, trait) for contact in contacts)))
        oftener = {value: count for value, count in seen.items() if count > book.get(value, 1)}
        counts[trait] = _Oftener(oftener, book)
    return replace(known, total=max(known.total, len(contacts)), counts=counts)


class _Oftener(Mapping[str, int]):
    """A book's counts under a few that were counted here: the book's are hundreds of thousands, and not copied."""

    def __init__(self, here: Mapping[str, int], book: Mapping[str, int]) -> None:
        self._here, self._book = here, book

    def __getitem__(self, value: str) -> int:
        return self._here[value] if value in self._here else self._book[value]

    def __iter__(self) -> Iterator[str]:
        return iter(self._here.keys() | self._book.keys())

    def __len__(self) -> int:
        return len(self._here.keys() | self._book.keys())


def _value(contact: Traits, trait: str) -> str:
    value: str = getattr(contact, trait)
    return value
