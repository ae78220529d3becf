"""Names of people: what is around them taken off, given and family name told apart, a key to match by.

Nearly all names are a few words of plain ASCII and take a short cut; what holds a word with a meaning of its own goes
the long way, which gives the same answer for the others (a property test holds both to it).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from mainstay.identity.normalisation.folding import APOSTROPHES, fold
from mainstay.identity.normalisation.result import NameKey, Reason, Status
from mainstay.identity.normalisation.text import clean
from mainstay.identity.normalisation.words import (
    BEFORE_FAMILY,
    DEGREES,
    DEGREES_OR_NAMES,
    FACULTIES,
    JOINING,
    LONG_TITLES,
    MEN,
    NOBODY,
    SHORT_SUFFIXES,
    SUFFIXES,
    TITLES,
    WOMEN,
)

MAX_RAW: Final = 200


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name in its parts, each word as it was written.

    ``title`` is "m" or "f" where a title says so, "x" where it says neither, "" where there is none.
    """

    given: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    suffix: str = ""
    title: str = ""


def normalise_name(raw: str) -> NameKey:
    """Read a whole name as a key to match by."""
    return read_plain(raw) or read_any(raw)


def read_plain(raw: str) -> NameKey | None:
    """Read a name of Latin words, with hyphens and apostrophes inside; None where the long way has to decide."""
    text = (raw if raw.isascii() else raw.translate(_plain_letters())).lower()
    if len(raw) > MAX_RAW or not text.isascii():
        return None
    words = text.split()
    if "".join(words).isalpha() and _MEANINGFUL.isdisjoint(words):
        return _plain_key(words, "")
    if "," in text:
        return _read_turned(text)
    suffix = ""
    if len(words) > 2:
        if words[0].removesuffix(".") in TITLES:
            del words[0]
        suffix = SUFFIXES.get(words[-1].removesuffix("."), "") if len(words) > 2 else ""
        if suffix:
            del words[-1]
    plain = _plain_words(words)
    return None if plain is None else _plain_key(plain, suffix)


def _read_turned(text: str) -> NameKey | None:
    """Read "Last, First" of plain words."""
    last, _, first = text.partition(",")
    given, family = _plain_words(first.split()), _plain_words(last.split())
    if not given or not family or given[0] in NOBODY:
        return None
    front, back = " ".join(given).replace("-", " "), " ".join(family).replace("-", " ")
    return _new(NameKey, (_VALID, f"{front} {back}", front, back, "", ""))


def _plain_words(words: list[str]) -> list[str] | None:
    """Return words without apostrophes and the dots of initials; None where one may have a meaning of its own."""
    text = " ".join(words)
    # Two initials at the end may be a degree: M. D.
    if _PLAIN(text) is None or (text.endswith(".") and len(words) > 1 and words[-2].endswith(".")):
        return None
    text = text.replace("'", "").replace(".", "")
    parts = text.replace("-", " ") if "-" in text else text
    return text.split(" ") if _MEANINGFUL.isdisjoint(parts.split(" ")) else None


def _plain_key(words: list[str], suffix: str) -> NameKey | None:
    if len(words) == 2:
        given, family = words
    elif len(words) > 2:
        start = len(words) - 1
        while start > 1 and words[start - 1] in BEFORE_FAMILY:
            start -= 1
        given, family = " ".join(words[:start]), " ".join(words[start:])
    elif words:
        given, family = words[0], ""
    else:
        return None
    canonical = f"{given} {family}" if family else given
    if words[0] in NOBODY or canonical in NOBODY:
        return None
    if "-" in canonical:
        given, family, canonical = (part.replace("-", " ") for part in (given, family, canonical))
        if canonical in NOBODY or canonical.partition(" ")[0] in NOBODY:
            return None
    return _new(NameKey, (_VALID, canonical, given, family, suffix, ""))


_PLAIN = re.compile(r"(?:[a-z]+(?:['-][a-z]+)*|[a-z]\.)(?: (?:[a-z]+(?:['-][a-z]+)*|[a-z]\.))*").fullmatch
_MEANINGFUL = frozenset(
    word
    for entries in (TITLES, LONG_TITLES, DEGREES, DEGREES_OR_NAMES, SUFFIXES, JOINING, {"nee", "ne", "geb", "aka"})
    for entry in entries
    for word in entry.split()
)
_new = tuple.__new__  # what NameKey() does, in a third of the time
_VALID = Status.VALID


@cache
def _plain_letters() -> dict[int, str]:
    """Return the accented letters of Latin scripts and the apostrophe of typesetters, beside their plain forms."""
    letters = (chr(code) for codes in (range(0xC0, 0x250), range(0x1E00, 0x1F00)) for code in codes)
    plain = {ord(letter): folded for letter in letters if (folded := fold(letter)).isascii() and folded.isalpha()}
    return plain | {ord("’"): "'", ord("‐"): "-", ord("‑"): "-"}


def read_any(raw: str) -> NameKey:
    """Read a name the long way, which knows every form."""
    if len(raw) > MAX_RAW:
        return _refuse(Reason.TOO_LONG)
    text = _clean(raw)
    if not text:
        return _refuse(Reason.EMPTY)
    if "@" in text or "://" in text:
        return _refuse(Reason.NOT_A_NAME)
    if not has_letters(text):
        return _refuse(Reason.NO_LETTERS)
    key = _key_of(read_whole(text))
    # What a comma held back may look like a title or a degree now: the key must be its own key.
    while key.canonical and not _MEANINGFUL.isdisjoint(key.canonical.split()):
        again = _key_of(read_whole(key.canonical))
        if again.canonical == key.canonical:
            break
        key = again._replace(suffix=key.suffix or again.suffix)
    if is_nobody(key.canonical) or is_nobody(text):
        return _refuse(Reason.PLACEHOLDER)
    return key if has_letters(key.canonical) else _refuse(Reason.NO_LETTERS)


def _key_of(parts: NameParts) -> NameKey:
    given, family = fold(" ".join(parts.given)), fold(" ".join(parts.family))
    return NameKey(_VALID, f"{given} {family}".strip(), given, family, parts.suffix)


def has_letters(text: str) -> bool:
    """Tell whether a name has a letter of any script."""
    return any(map(str.isalpha, fold(text)))


def display_name(raw: str) -> str:
    """Return a whole name as a contact shows it: "Last, First" turned round, spelling and capitals kept."""
    return " ".join(part for part in split_name(raw) if part)


def split_name(raw: str) -> tuple[str, str]:
    """Return (first, last) of a whole name as a contact shows them; a suffix stays with the last name."""
    text = _clean(raw[:MAX_RAW])
    if "@" in text or "://" in text or not has_letters(text) or is_nobody(text):
        return "", ""
    parts = read_whole(text)
    family = " ".join(parts.family)
    return " ".join(parts.given), f"{family} {_SHOWN[parts.suffix]}".strip() if parts.suffix else family


_SHOWN = {"jr": "Jr.", "sr": "Sr.", "ii": "II", "iii": "III", "iv": "IV"}


def is_nobody(text: str) -> bool:
    """Tell whether a name, or one field of it, says that there is none: blank, "n/a", "unknown", "---"."""
    folded = fold(text)
    # "null null" is what a form makes of two fields that nobody filled in.
    return folded in NOBODY or all(word in NOBODY for word in folded.split())


def read_whole(raw: str) -> NameParts:
    """Tell the parts of a whole name."""
    segments = [words for segment in _clean(raw).split(",") if (words := _words(segment))]
    if not segments:
        return NameParts()
    suffix = ""
    first, *others = segments
    kept = []
    for words in others:
        if _is_behind_name(words, first):
            suffix = suffix or next((SUFFIXES[key] for word in words if (key := _key(word)) in SUFFIXES), "")
        else:
            kept.append(words)
    if not kept:
        return _natural(first, suffix)
    # "Last, First": the suffix may stand behind either.
    family, inner = _without_end(first, least=1)
    title, given = _without_titles([word for words in kept for word in words], least=0)
    given, outer = _without_end(given, least=1)
    return NameParts(tuple(given), tuple(family), suffix or inner or outer, title)


def read_fields(first: str, last: str) -> NameParts:
    """Tell the parts of a name that came in two fields; each may hold what belongs around it."""
    if not last.strip() or not first.strip():
        alone = _words(_clean(first or last).replace(",", " "))
        title, alone = _without_titles(alone, least=0)
        alone, suffix = _without_end(alone, least=1)
        return (
            NameParts(tuple(alone), (), suffix, title) if first.strip() else NameParts((), tuple(alone), suffix, title)
        )
    title, given = _without_titles(_words(_clean(first).replace(",", " ")), least=0)
    given, inner = _without_end(given, least=1)
    words = _words(_clean(last).replace(",", " "))
    if len(words) == 1 and _key(words[0]) in SHORT_SUFFIXES:
        return NameParts(tuple(given), (), SUFFIXES[_key(words[0])], title)
    family, outer = _without_end(words, least=1)
    return NameParts(tuple(given), tuple(family), outer or inner, title)


def _natural(words: list[str], suffix: str) -> NameParts:
    title, words = _without_titles(words, least=0)
    words, found = _without_end(words, least=2)
    suffix = suffix or found
    if len(words) < 2:
        # Behind a title stands the family name: Mrs Johnson.
        return NameParts((), tuple(words), suffix, title) if title else NameParts(tuple(words), (), suffix, title)
    start = len(words) - 1
    while start > 1 and _key(words[start - 1]) in BEFORE_FAMILY:
        start -= 1
    return NameParts(tuple(words[:start]), tuple(words[start:]), suffix, title)


def _clean(raw: str) -> str:
    """Return a name without emoji, nicknames and the like, white space folded."""
    text = clean(_KEYCAPS(" ", raw.translate(_BEFORE_FOLDING))).replace("،", ",").replace("、", ",")
    if text.isascii() and not _WRAPPED.search(text) and not _SYMBOLS.search(text):
        return text
    text = "".join(letter if _is_written(letter) else " " for letter in text.replace("&", " and "))
    text = _unquote(" ".join(text.split()))
    return " ".join(text.split())


# What NFKC would part from its letter, or make letters of.
_BEFORE_FOLDING = {
    **dict.fromkeys(map(ord, "\u00b4\u0060\u02ca\u02cb"), "'"),
    **dict.fromkeys(map(ord, "™℠℗©®"), " "),
    0x2212: "-",
}
_KEYCAPS = re.compile("[0-9#*]\ufe0f?\u20e3").sub
_WRAPPED = re.compile(r"[\"'()\[\]{}]")
_SYMBOLS = re.compile(r"[&+=<>|~^$*#]")


def _is_written(letter: str) -> bool:
    """Tell whether a character may stand in a name: not an emoji, a symbol, or one that is not assigned."""
    return letter in APOSTROPHES or unicodedata.category(letter) not in {"So", "Sk", "Sm", "Sc", "Cn", "Co", "Cs", "Cf"}


_QUOTES = '"“”„‟«»‹›〝〞「」『』'
_NICKNAME = re.compile(
    rf"[{_QUOTES}][^{_QUOTES}]*[{_QUOTES}]|\([^()]*\)|\[[^\[\]]*\]|\{{[^{{}}]*\}}"
    r"|(?<!\w)['‘’‚‛][^'‘’‚‛]+['’‘](?!\w)"
)  # fmt: skip
_STRAY = re.compile(rf"[{_QUOTES}()\[\]{{}}]")


def _unquote(text: str) -> str:
    """Drop nicknames in quotes and whatever is in brackets; where nothing else is said, they are the name."""
    without = _NICKNAME.sub(" ", text)
    words = without.replace(",", " ").split()
    is_first = _NICKNAME.match(text) is not None and not text.startswith(("(", "[", "{"))
    if not words or (len(words) == 1 and is_first):
        without = _NICKNAME.sub(lambda found: f" {found[0][1:-1]} ", text)
    return _STRAY.sub(" ", without)


def _words(segment: str) -> list[str]:
    """Return the words of a part of a name, up to a birth name or an alias."""
    words = segment.split()
    for place, word in enumerate(words[2:], 2):
        if word in {"née", "nee", "né", "geb.", "geb", "aka", "a.k.a.", "AKA"} and place + 1 < len(words):
            words = words[:place]
            break
    return _joined([word for word in words if fold(word) and not _PRONOUNS(word.lower())])


def _joined(words: list[str]) -> list[str]:
    """Return words with a degree at their end in one: Ph. D., D. D. S."""
    for count in (3, 2):
        end = words[-count:]
        if len(words) > count + 1 and all(word.endswith(".") for word in end) and _key("".join(end)) in DEGREES:
            return [*words[:-count], "".join(end)]
    return words


_PRONOUNS = re.compile(r"(?:he|she|they)/(?:him|her|hers|them|theirs|they)(?:/\w+)?").fullmatch


def _key(word: str) -> str:
    """Return a word as the lists have it: Ph.D. is phd."""
    return fold(word.replace(".", ""))


def _without_titles(words: Sequence[str], *, least: int) -> tuple[str, list[str]]:
    """Return what the titles say (as in :class:`NameParts`) and the words without them."""
    said, rest = set[str](), list(words)
    while len(rest) > least:
        key = _key(rest[0])
        is_joined = said and key in JOINING and len(rest) > 1 and _key(rest[1]) in TITLES
        is_title = (
            key in TITLES or (key in LONG_TITLES and len(rest) > 2) or (rest[0].lower() == "sr." and len(rest) > 1)
        )
        is_faculty = said and key in FACULTIES and rest[0].islower() and rest[0][-1] == "." and len(rest) > 1
        if not (is_title or is_joined or is_faculty):
            break
        said.add(_said_by(key))
        del rest[0]
    while len(rest) > 1 and _key(rest[-1]) in TITLES - DEGREES_OR_NAMES:
        said.add(_said_by(_key(rest.pop())))
    said.discard("")
    return ("x" if len(said) > 1 else next(iter(said), "")), rest


def _said_by(title: str) -> str:
    return "m" if title in MEN else "f" if title in WOMEN else "" if title in JOINING | FACULTIES else "x"


def _without_end(words: Sequence[str], *, least: int) -> tuple[list[str], str]:
    """Return the words before degrees and suffix, never fewer than ``least`` (one, before Jr), and the suffix."""
    rest, suffix = list(words), ""
    while len(rest) > 1:
        key = _key(rest[-1])
        if key in SUFFIXES and not suffix and (len(rest) > least or key in SHORT_SUFFIXES):
            suffix = SUFFIXES[key]
            if len(rest) > 3 and _key(rest[-2]) == "the":
                del rest[-1]
        elif not (_is_degree(rest[-1]) and (len(rest) > least or (key in DEGREES and key != "md"))):
            break
        del rest[-1]
    return rest, suffix


def _is_degree(word: str) -> bool:
    keys = [_key(part).replace(" ", "") for part in word.split("/")]
    return all(key in DEGREES or (key in DEGREES_OR_NAMES and "." in word[1:-1]) for key in keys)


def _is_behind_name(words: Sequence[str], name: Sequence[str]) -> bool:
    """Tell whether words behind a comma are degrees or a suffix, and no given name: "Johnson, MD", not "Nguyen, Do"."""
    if len(name) > 1 and all(word.endswith(".") for word in words) and _key("".join(words)) in DEGREES:
        return True
    return all(
        _key(word) in SUFFIXES
        or _is_degree(word)
        or (_key(word) in DEGREES_OR_NAMES and word.isupper() and len(name) > 1)
        for word in words
    )


def _refuse(reason: Reason) -> NameKey:
    return NameKey(Status.INVALID, reason=reason)
