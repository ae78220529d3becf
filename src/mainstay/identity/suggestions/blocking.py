"""Which pairs are worth comparing: those that agree in something rare enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.normalisation.nicknames import nicknames
from mainstay.identity.suggestions.columns import Codes, Columns
from mainstay.identity.suggestions.features import Places

_AT_ONCE = 30_000_000

Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Rule:
    """Contacts that agree in all ``parts`` are compared, unless more than ``most`` do: then the agreement is common."""

    parts: tuple[str, ...]
    most: int


RULES = (
    Rule(("email",), 60),
    Rule(("phone",), 60),
    Rule(("alias",), 30),
    Rule(("number",), 20),
    # The whole name; where it is common, with something beside it.
    Rule(("name",), 40),
    Rule(("name", "city"), 30),
    Rule(("name", "company"), 30),
    Rule(("name", "local_begin"), 30),
    Rule(("name", "local_end"), 30),
    Rule(("name", "phone_begin"), 30),
    Rule(("name", "phone_end"), 30),
    Rule(("name", "birth_date"), 30),
    Rule(("name", "postcode"), 30),
    # Nicknames, initials, slips.
    Rule(("last", "root"), 30),
    Rule(("last", "root", "city"), 20),
    Rule(("last", "root", "domain"), 10),
    Rule(("last", "initial"), 24),
    Rule(("last", "initial", "city"), 20),
    Rule(("last", "initial", "company"), 20),
    Rule(("last", "initial", "domain"), 10),
    Rule(("first", "last_initial"), 24),
    Rule(("first", "last_initial", "city"), 20),
    Rule(("first", "last_initial", "company"), 20),
    Rule(("first", "last_initial", "local_begin"), 20),
    Rule(("first", "sound"), 30),
    Rule(("first", "sound", "city"), 20),
    Rule(("crossed",), 24),
    Rule(("last", "first_end"), 20),
    Rule(("last", "local_begin"), 20),
    Rule(("last", "phone_begin"), 20),
    Rule(("last", "phone_end"), 20),
    Rule(("first", "phone_begin"), 12),
    Rule(("first", "phone_end"), 12),
    Rule(("last", "postcode"), 20),
    Rule(("first", "postcode"), 20),
    Rule(("initials", "postcode"), 12),
    Rule(("last", "birth_date"), 20),
    Rule(("first", "birth_date"), 20),
    Rule(("birth_date", "postcode"), 20),
    Rule(("birth_date", "city"), 12),
    Rule(("birth_date", "initials"), 12),
    # One e-mail mistyped.
    Rule(("local",), 12),
    Rule(("local_begin", "domain"), 12),
    Rule(("local_end", "domain"), 8),
    # Places and employers.
    Rule(("house", "road", "city"), 16),
    Rule(("house", "road", "postcode"), 16),
    Rule(("house", "road_begin"), 24),
    Rule(("house", "postcode"), 12),
    Rule(("company",), 12),
    Rule(("company", "first"), 20),
    Rule(("company", "last"), 20),
    Rule(("company_begin", "house"), 20),
    Rule(("company_word",), 16),
    Rule(("company_word", "city"), 12),
)


def _codes(columns: Columns) -> dict[str, Keys]:
    """Return one number per contact for every part that a rule names; 0 where it is empty."""
    derived: dict[str, tuple[str, Callable[[str], str]]] = {
        "root": ("first", _formal),
        "initial": ("first", lambda value: value[:1]),
        "last_initial": ("last", lambda value: value[:1]),
        "first_end": ("first", lambda value: value[-4:] if len(value) > 4 else ""),
        "sound": ("last", _sound),
        "local_begin": ("local", lambda value: value[:5] if len(value) > 4 else ""),
        "local_end": ("local", lambda value: value[-5:] if len(value) > 4 else ""),
        "phone_begin": ("phone", lambda value: value[:-4] if len(value) > 8 else ""),
        "phone_end": ("phone", lambda value: value[-4:]),
        "road_begin": ("road", lambda value: value[:4]),
        "company_begin": ("company", lambda value: value[:5]),
    }
    found: dict[str, Keys] = {name: codes.astype(np.uint64) for name, codes in columns.codes.items()}
    for name, (trait, make) in derived.items():
        known: dict[str, int] = {"": 0}
        table = np.array([known.setdefault(make(value), len(known)) for value in columns.of_trait(trait)], np.uint64)
        found[name] = table[columns.codes[trait]]
    initials = np.minimum(found["initial"], found["last_initial"]) * 1000 + np.maximum(
        found["initial"], found["last_initial"]
    )
    found["initials"] = np.where((found["initial"] > 0) & (found["last_initial"] > 0), initials, 0)
    # The given name in the family name's field, and a slip in one of them.
    parts = columns.of_trait("first")
    known_sound: dict[str, int] = {"": 0}
    sounds = np.array([known_sound.setdefault(_sound(value), len(known_sound)) for value in parts], np.uint64)
    one, other = sounds[columns.codes["first"]], sounds[columns.codes["last"]]
    crossed = np.minimum(one, other) << np.uint64(32) | np.maximum(one, other)
    found["crossed"] = np.where((one > 0) & (other > 0), crossed, 0)
    return found


def candidates(columns: Columns, on_rule: Callable[[], None] = lambda: None) -> Keys:
    """Return the pairs worth comparing, each once and in order: the lower place in the upper 32 bits of each number."""
    parts = _codes(columns)
    words = columns.words[0]
    found = np.zeros(0, np.uint64)
    waiting: list[Keys] = []
    for rule in RULES:
        waiting += _pairs(*_keys(rule, parts, columns, words), rule.most)
        if sum(map(len, waiting)) > _AT_ONCE:
            found = np.unique(np.concatenate([found, *waiting]))
            waiting = []
        on_rule()
    return np.unique(np.concatenate([found, *waiting]))


def places(pairs: Keys) -> tuple[Places, Places]:
    """Return both places of each pair."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _keys(rule: Rule, parts: Mapping[str, Keys], columns: Columns, words: Codes) -> tuple[Keys, Places]:
    """Return the key of every contact that has all parts, and its place."""
    size = columns.size
    if "company_word" in rule.parts:
        table = words[columns.codes["company"]]
        holders, column = np.nonzero(table)
        key = table[holders, column].astype(np.uint64)
        rest = [parts[name][holders] for name in rule.parts if name != "company_word"]
    else:
        holders = np.arange(size)
        key = np.zeros(size, np.uint64)
        rest = [parts[name] for name in rule.parts]
        if len(rest) == 1:
            key, rest = rest[0], []
            whole = key != 0
            return key[whole], holders[whole]
    whole = np.ones(len(holders), bool)
    for codes in rest:
        whole &= codes != 0
        key = _mix(key, codes)
    return key[whole], holders[whole]


def _mix(key: Keys, codes: Keys) -> Keys:
    """Join two keys to one of 64 bits, spread evenly: two different ones fall together once in 10^19."""
    with np.errstate(over="ignore"):
        mixed = (key ^ (key >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + codes + np.uint64(1)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _pairs(keys: Keys, holders: Places, most: int) -> list[Keys]:
    """Return all pairs within blocks of 2 to ``most`` contacts."""
    if len(keys) < 2:
        return []
    order = np.argsort(keys)
    keys, holders = keys[order], holders[order].astype(np.uint64)
    begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    sizes = np.diff(np.r_[begins, len(keys)])
    made = []
    for size in np.unique(sizes[(sizes >= 2) & (sizes <= most)]).tolist():
        block = np.sort(holders[begins[sizes == size][:, None] + np.arange(size)], axis=1)
        one, other = np.triu_indices(size, 1)
        pairs = (block[:, one] << np.uint64(32) | block[:, other]).ravel()
        # A contact may hold one key twice: no pair with itself.
        made.append(pairs[(pairs >> np.uint64(32)) != (pairs & np.uint64(0xFFFFFFFF))])
    return made


_VOWELS = frozenset("aeiouyhw")
_SOUNDS = str.maketrans("bfpvckgjqsxzdtlmnr", "bbbbkkkkkssstt" + "lmmr")


def _sound(value: str) -> str:
    """Return what is left of a name when vowels, doubled and like-sounding consonants are laid together."""
    if len(value) < 3:
        return ""
    plain = value.translate(_SOUNDS)
    kept = [plain[0]]
    for before, sign in pairwise(plain):
        if sign != before and sign not in _VOWELS and sign != " ":
            kept.append(sign)
    return "".join(kept)


def _formal(name: str) -> str:
    """Return the name that a nickname most likely stands for: of those it belongs with, the one with most nicknames."""
    return max({name, *nicknames(name)}, key=lambda each: (len(nicknames(each)), each))
