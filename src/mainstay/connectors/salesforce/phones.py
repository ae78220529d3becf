"""A phone number in the ways people write it into Salesforce, whose own field keeps any text."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumberFormat


def forms(phone: str) -> list[str]:
    """Return the usual spellings of an E.164 number, itself first."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return [phone]
    local = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    world = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    bare = re.sub(r"\D", "", local)
    spaced = re.sub(r"[()]", "", local)
    found = [phone, phone[1:], local, bare, world, national(phone), spaced, re.sub(r"[^\d]+", "-", spaced.strip())]
    return list(dict.fromkeys(form for form in found if form))


def national(phone: str) -> str:
    """Return the number without its country code; empty for what is no number."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return ""


def is_same(written: object, phone: str) -> bool:
    """Tell whether a number as people wrote it is this one: whole, or without its country code."""
    if not isinstance(written, str):
        return False
    found = re.sub(r"\D", "", written)
    digits, local = phone.lstrip("+"), national(phone)
    if written.strip().startswith(("+", "00")):
        return found.removeprefix("00") == digits
    return bool(found) and found.lstrip("0") in {digits, local.lstrip("0")}
