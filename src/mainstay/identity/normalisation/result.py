"""What reading one value gives: its key, or the reason why there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Whether a value could be read."""

    VALID = "valid"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why a value was refused: the whole list, in words that stand behind "is not an e-mail address: "."""

    EMPTY = "empty"
    PLACEHOLDER = "a placeholder"
    TOO_LONG = "too long"
    # E-mail.
    NO_AT = "no @"
    NO_LOCAL_PART = "nothing before the @"
    LOCAL_PART_TOO_LONG = "over 64 characters before the @"
    ADDRESS_TOO_LONG = "over 254 characters"
    TWO_ADDRESSES = "more than one address"
    COMMENT = "a comment in parentheses"
    WHITE_SPACE = "white space inside"
    BAD_LOCAL_PART = "characters that cannot stand before the @"
    NO_DOT = "no dot after the @"
    IP_ADDRESS = "an IP address after the @"
    SHORT_ENDING = "an ending of one letter"
    DIGITS_ENDING = "an ending of digits"
    BAD_DOMAIN = "no domain name after the @"
    RESERVED_DOMAIN = "a domain reserved for tests or local networks"
    # Phone.
    NOT_A_NUMBER = "not a number"
    EXPONENT = "a spreadsheet's exponent notation, digits are lost"
    TWO_NUMBERS = "more than one number"
    TEXT_BESIDE = "text beside the number"
    NO_REGION = "no country code, and no region to read it by"
    AMBIGUOUS = "it may be either of two numbers"
    NO_SUCH_NUMBER = "no such number is given out"
    # Name.
    NO_LETTERS = "no letters"
    NOT_A_NAME = "an address, not a name"
    # A line of `mainstay contacts normalize`.
    NOT_JSON = "not a JSON object"
    UNKNOWN_KIND = "a kind other than email, phone and name"
    NOT_TEXT = "a raw value that is no text"


class Hint(StrEnum):
    """What a person should know of a value that is valid. DID_YOU_MEAN is followed by the domain."""

    ROLE_MAILBOX = "role mailbox"
    BLOCKED_VALUE = "blocked value"
    DID_YOU_MEAN = "did you mean"


class Normalised(NamedTuple):
    """One e-mail address or phone number, read.

    ``canonical`` is the key by which people are matched, and "" when the value is refused; ``reason`` then says why.
    ``alias_key`` (e-mail) and ``ext`` (phone) are never keys. ``identifying`` is false for what many people share: the
    value is kept, but matches nobody.
    """

    status: Status
    canonical: str = ""
    alias_key: str = ""
    ext: str = ""
    reason: str = ""
    hint: str = ""
    identifying: bool = True

    @property
    def is_valid(self) -> bool:
        """Whether there is a key."""
        return self.status is Status.VALID


class NameKey(NamedTuple):
    """One name, read. ``canonical`` is given and family names together, ``suffix`` (jr, sr, ii, iii, iv) is apart."""

    status: Status
    canonical: str = ""
    given: str = ""
    family: str = ""
    suffix: str = ""
    reason: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether there is a key."""
        return self.status is Status.VALID


def refuse(reason: Reason) -> Normalised:
    """Return the refusal of an e-mail address or a phone number."""
    return Normalised(Status.INVALID, reason=reason, identifying=False)
