"""Text as people send it, made plain."""

from __future__ import annotations

import unicodedata

_INVISIBLE = dict.fromkeys([0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])


def clean(text: str) -> str:
    """Drop invisible characters, fold white space, trim; compatible forms become plain (full-width letters)."""
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).split())
