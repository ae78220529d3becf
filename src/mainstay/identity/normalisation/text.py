"""Text as people and programs send it, made plain."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from typing import Final

PLACEHOLDERS: Final = frozenset(
    {"null", "none", "nil", "n/a", "n.a.", "n.a", "na", "#n/a", "undefined", "nan", "unknown", "not provided",
     "not given",
     "not available", "no email", "no phone", "no e-mail", "tbd", "test", "(none)", "(null)", "<null>", "[null]", "-",
     "--",
     "---", "–", "—", ".", "..", "...", "?", "??", "???", "_", "/", "*", "**"}
)  # fmt: skip
"""What forms and exports write where nothing was given; compared in lower case."""


@cache
def invisible() -> dict[int, None]:
    """Return the characters nobody sees: zero-width, direction marks, soft hyphens, variation selectors, blanks."""
    ranges = (
        range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070), range(0x180B, 0x1810),
        range(0xFE00, 0xFE10), range(0xFFF9, 0xFFFC), range(0x1D173, 0x1D17B), range(0xE0000, 0xE0200),
        (0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
    )  # fmt: skip
    return {code: None for codes in ranges for code in codes}


@cache
def _wide() -> dict[int, str]:
    """Return the full-width forms of ASCII, and the dots and at-signs of East Asian keyboards."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    return table | {0x3002: ".", 0xFF61: ".", 0xFE52: ".", 0xFE6B: "@", 0x3000: " "}


@cache
def _digits() -> dict[int, str]:
    """Return every decimal digit of Unicode beside its value."""
    found = {}
    for code in range(0x80, sys.maxunicode + 1):
        value = unicodedata.decimal(chr(code), None)
        if value is not None:
            found[code] = str(value)
    return found


def is_placeholder(text: str) -> bool:
    """Tell whether a text stands for nothing: blank, "null", "n/a", "-" and the like."""
    plain = clean(text).lower()
    return not plain or plain in PLACEHOLDERS


def clean(text: str) -> str:
    """Drop invisible and control characters, fold white space, trim; compatible forms become plain."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFKC", text).translate(invisible())
    # Dropping may bring letters together that NFKC composes, and so on: the second round is the last.
    plain = unicodedata.normalize("NFKC", plain).translate(invisible())
    return " ".join(_CONTROL.sub(" ", plain).split())


def to_ascii_forms(text: str) -> str:
    """Drop what is invisible and bring full-width letters, ``＠`` and ``。`` to ASCII; all else stays, as NFC."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFC", text.translate(invisible()).translate(_wide()))
    return plain if plain.isascii() else unicodedata.normalize("NFC", plain.translate(invisible()).translate(_wide()))


def to_ascii_digits(text: str) -> str:
    """Bring the digits of every script to ASCII."""
    return text if text.isascii() else text.translate(_digits())


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
