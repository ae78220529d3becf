"""Letters brought to their plain form, so that a name is one however it is typed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

APOSTROPHES: Final = "'’‘‛‚`´ʼʻʽʹʾʿˈ′‵՚׳＇"

_LETTERS = {
    **dict.fromkeys(map(ord, APOSTROPHES), None),
    **{ord(letter): plain for letter, plain in {
        "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h",
        "ŧ": "t", "ŋ": "n", "ĸ": "k", "ĳ": "ij", "ŀ": "l", "ƒ": "f", "ɨ": "i",
        "ɓ": "b", "ɗ": "d", "ƙ": "k", "ə": "e", "ς": "σ",
    }.items()},
    0x0640: None,  # the dash that stretches an Arabic word
}  # fmt: skip
# As Germans, Danes and Swedes write their letters where a keyboard lacks them.
_SPELT_OUT = {ord(letter): plain for letter, plain in {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}.items()}
_CATALAN = re.compile("(?<=l)[·.](?=l)")


def fold(text: str) -> str:
    """Return the words of a name in lower case, without accents, apostrophes and punctuation, one space apart."""
    if text.isascii():
        return " ".join(_NO_LETTERS.sub(" ", text.lower().replace("'", "").replace("`", "")).split())
    plain = unicodedata.normalize("NFKC", text.translate(_LETTERS)).casefold()
    plain = _CATALAN.sub("", plain).translate(_LETTERS)
    kept: list[str] = []
    base = " "
    for letter in unicodedata.normalize("NFD", plain):
        kind = unicodedata.category(letter)[0]
        if kind == "M":
            if not _is_accent(letter, base):
                kept.append(letter)
            continue
        base = letter
        kept.append(letter if kind in "LN" else " ")
    folded = unicodedata.normalize("NFC", "".join(kept)).translate(_LETTERS)
    return " ".join(folded.split())


_NO_LETTERS = re.compile(r"[^a-z0-9]+")


def _is_accent(mark: str, base: str) -> bool:
    """Tell whether a mark over a letter may be left out; in Indic scripts and kana it makes another letter."""
    if "a" <= base <= "ʯ" or "Ͱ" <= base <= "Ͽ":
        return True
    if "Ѐ" <= base <= "ԯ":
        return mark in "\u0300\u0301" or (base, mark) == ("е", "\u0308")
    return "\u0591" <= mark <= "\u05c7" or "\u064b" <= mark <= "\u0652" or mark == "\u0670"


def spellings(text: str) -> frozenset[str]:
    """Return the folded forms of a name: Müller is muller and mueller."""
    folded = fold(text)
    if text.isascii():
        return frozenset({folded})
    spelt_out = unicodedata.normalize("NFC", text).lower().translate(_SPELT_OUT)
    return frozenset({folded, fold(spelt_out)})


def is_initial(word: str) -> bool:
    """Tell whether a folded word is one letter that stands for a name; an ideograph is a name itself."""
    return len(word) == 1 and word.upper() != word
