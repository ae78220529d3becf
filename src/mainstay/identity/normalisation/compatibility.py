"""Whether two names may be one person's: for what a shared phone cannot tell.

Compatible is what one person would write: the same name, its nickname, its initial, or nothing. A typing error is not:
Maria and Mario, Jon and Jan are as near as errors are, and a wrong merge costs more than a missed one. Neither are
father and son: a suffix on one side alone keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.identity.normalisation.folding import fold, is_initial, spellings
from mainstay.identity.normalisation.name import NameParts, is_nobody, read_fields
from mainstay.identity.normalisation.nicknames import nicknames
from mainstay.identity.normalisation.words import BEFORE_FAMILY, JOINING, PARTICLES

Name = tuple[str, str]
"""First and last name, as they were written; each may be empty."""


def are_compatible(one: Name, other: Name) -> bool:
    """Tell whether two names may be one person's: equal, a nickname, an initial, or missing."""
    if one == other:
        return True
    left, right = _read(one), _read(other)
    if not _has_words(left) or not _has_words(right):
        return True
    if left.suffix != right.suffix or {left.title, right.title} == {"m", "f"}:
        return False
    if _wholes(left) & _wholes(right):
        return True
    if left.given and right.given and not (left.family and right.family) and _is_spelt_alike(left.given, right.given):
        return True
    return _fits(_whole_in_one_field(left), _whole_in_one_field(right))


def shortens(old: str, new: str) -> bool:
    """Tell whether ``new`` (a first or a last name) would put an initial, or nothing, in place of a full name."""
    before, after = fold(old).split(), fold(new).split()
    if not after:
        return bool(before)
    if all(map(is_initial, after)):
        return not all(map(is_initial, before))
    return any(
        is_initial(short) and len(full) > 1 and full.startswith(short)
        for full, short in zip(before, after, strict=False)
    )


def _read(name: Name) -> NameParts:
    first, last = ("" if is_nobody(part) else part for part in name)
    return read_fields(first, last)


def _has_words(parts: NameParts) -> bool:
    return bool(parts.given or parts.family)


def _wholes(parts: NameParts) -> frozenset[str]:
    """Return the full name without spaces, as it may be spelt; also turned round, where it has two full parts."""
    given, family = " ".join(parts.given), " ".join(parts.family)
    if not (given and family):
        return frozenset()
    orders = [f"{given} {family}"]
    if not any(is_initial(word) for word in fold(f"{given} {family}").split()):
        orders.append(f"{family} {given}")
    return frozenset(spelt.replace(" ", "") for order in orders for spelt in spellings(order))


def _whole_in_one_field(parts: NameParts) -> NameParts:
    """Return several words that came in one field as the given and family name that they may be."""
    words = parts.given or parts.family
    if len(words) < 2 or (parts.given and parts.family):
        return parts
    start = len(words) - 1
    while start > 0 and fold(words[start - 1]) in BEFORE_FAMILY:
        start -= 1
    return NameParts(words[:start], words[start:])


def _fits(one: NameParts, other: NameParts) -> bool:
    if not _given_match(one.given, other.given):
        return False
    if _family_match(one.family, other.family):
        return True
    # Something missing in both places is too much.
    return len(_Given(one.given).words) == len(_Given(other.given).words) and _is_one_of_two(one.family, other.family)


def _given_match(one: Sequence[str], other: Sequence[str]) -> bool:
    if not one or not other:
        return True
    if _is_spelt_alike(one, other):
        return True
    short, long = sorted((_Given(one), _Given(other)), key=lambda given: len(given.words))
    if not JOINING.isdisjoint((*short.words, *long.words)):
        # Two people on one side.
        return False
    if len(short.words) == 1 and len(long.words) > 1 and short.words[0] == "".join(word[0] for word in long.words):
        return True  # JC is Jean-Claude
    # A middle name may be missing, but Jean is not Jean-Luc: what a hyphen joins is one name.
    if len(short.words) not in long.starts and not all(map(is_initial, short.words)):
        return False
    return all(map(_same_given, short.words, long.words))


class _Given:
    """Given names as folded words, and where among them a name begins."""

    def __init__(self, names: Sequence[str]) -> None:
        self.words: list[str] = []
        self.starts: set[int] = set()
        for name in names:
            parts = fold(name).split()
            is_one = "." not in name
            self.starts |= {len(self.words)} if is_one else set(range(len(self.words), len(self.words) + len(parts)))
            self.words += parts
        self.starts.add(len(self.words))


def _is_spelt_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether names are equal but for spaces, hyphens, accents and the like."""
    left, right = ({spelt.replace(" ", "") for spelt in spellings(" ".join(words))} for words in (one, other))
    return not left.isdisjoint(right)


def _same_given(one: str, other: str) -> bool:
    return one == other or _is_initial_of(one, other) or _is_initial_of(other, one) or other in nicknames(one)


def _is_initial_of(short: str, long: str) -> bool:
    return is_initial(short) and long.startswith(short)


def _family_match(one: Sequence[str], other: Sequence[str]) -> bool:
    if not one or not other or _is_spelt_alike(one, other):
        return True
    left, right = (fold(" ".join(words)) for words in (one, other))
    for short, long in ((left, right), (right, left)):
        # V. is van Dyck by either word.
        if is_initial(short) and (long.startswith(short) or _without_particles(long)[0].startswith(short)):
            return True
    words, others = _without_particles(left), _without_particles(right)
    return len(words) == len(others) and all(
        a == b or _is_initial_of(a, b) or _is_initial_of(b, a) for a, b in zip(words, others, strict=True)
    )


def _is_one_of_two(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether one side gives one of the other's family names: the first, or after a marriage either."""
    short, long = sorted((_without_particles(fold(" ".join(words))) for words in (one, other)), key=len)
    return len(short) == 1 < len(long) and len(short[0]) > 1 and short[0] in long


def _without_particles(family: str) -> list[str]:
    words = family.split()
    return [word for word in words if word not in PARTICLES] or words
