"""Whether a person may be contacted, as forms, files, vendors and text messages say it; and when it was said."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from mainstay.kit.payload import moment

_NO = frozenset(
    {"0", "0.0", "f", "false", "n", "never", "nein", "no", "non", "none", "null", "off", "unchecked", "n/a", "-"}
    | {"subscribed", "opted in", "opt in", "opted-in", "opt-in", "optin", "active"}
)
_YES = frozenset({"1", "1.0", "checked", "ja", "on", "oui", "si", "t", "true", "x", "y", "yes", "✓"})
# The words at which carriers themselves block or let pass again, and what people make of STOP.
_STOP = re.compile(
    r"(?:please )?stop(?: it| all| now| please| (?:texting|messaging|contacting)(?: me)?)?(?: please)?"
    r"|stopall|unsubscribe|cancel|end|quit|revoke|opt ?out|arr[eê]t|remove me"
)
_START = frozenset({"start", "unstop"})
_BESIDE_WORDS = re.compile(r"[^\w]+")
_MOST_SECONDS = 100_000_000_000  # beyond it a number is milliseconds


def opts_out(text: str) -> bool:
    """Tell whether the value of a field such as "unsubscribed" is an opt-out.

    All but a plain no is: a tick, a word, the day on which it was said. To write to somebody who asked not to be
    written to is worse than to ask once more.
    """
    said = text.strip().casefold()
    return bool(said) and said not in _NO


def consent(text: str, field: str) -> str:
    """Return the evidence of a consent; empty where the value says no. A bare yes is told with its field's name."""
    said = text.strip()
    if said.casefold() in _NO:
        return ""
    return f"{field}: {said}" if said.casefold() in _YES else said


def texted_wish(text: str) -> Literal["", "stop", "start"]:
    """Tell what a text message says of being written to, where that is all it says.

    "yes" is a consent to carriers; here it may answer a question, and lifts no opt-out.
    """
    said = _BESIDE_WORDS.sub(" ", text[:200]).strip().casefold()
    if _STOP.fullmatch(said):
        return "stop"
    return "start" if said in _START else ""


def said_at(text: str) -> datetime | None:
    """Read a time: ISO 8601 (without zone: UTC), or seconds or milliseconds since 1970; None when it is neither."""
    said = text.strip()
    if said.isascii() and said.isdigit() and len(said) > 8:
        number = int(said[:20])
        return moment(number // 1000 if number > _MOST_SECONDS else number)
    return moment(said)
