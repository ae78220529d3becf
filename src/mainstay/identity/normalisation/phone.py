"""Phone numbers."""

from __future__ import annotations

import phonenumbers

from mainstay.identity.normalisation.result import Normalised, Reason, Status
from mainstay.identity.normalisation.text import clean


def normalise_phone(raw: str, region: str) -> Normalised:
    """Read a phone number. ``region`` (ISO 3166, two letters) reads numbers without ``+``; "" is none."""
    text = clean(raw).removeprefix("tel:")
    if text.startswith("00") and not text.startswith("000"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return Normalised(Status.INVALID, reason=Reason.UNREADABLE, identifying=False)
    if not phonenumbers.is_valid_number(number):
        return Normalised(Status.INVALID, reason=Reason.UNREADABLE, identifying=False)
    canonical = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Normalised(Status.VALID, canonical, ext=number.extension or "")
