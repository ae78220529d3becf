"""Plain text for a place that reads Markdown."""

from __future__ import annotations

import re

# Addresses stay as they are, so that they become links; else what opens something is made to stand for itself.
_MARKUP = re.compile(
    r"(?P<address>https?://[^\s<>]+)"
    r"|(?P<mark>[\\`*_\[\]<>~|])"
    r"|(?P<start>^[ \t]*)(?P<head>#{1,6}|[-+=]+|\d{1,9}(?=[.)]))(?P<dot>[.)]?)(?=\s|$)",
    re.MULTILINE,
)


def as_plain(text: str) -> str:
    """Return Markdown that shows a text as it was written."""
    return _MARKUP.sub(_escaped, text.strip())


def _escaped(found: re.Match[str]) -> str:
    if found["address"]:
        return found["address"]
    if found["mark"]:
        return f"\\{found['mark']}"
    if found["dot"]:
        return f"{found['start']}{found['head']}\\{found['dot']}"
    return f"{found['start']}\\{found['head']}"
