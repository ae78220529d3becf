"""What reading one value gives: its key, or the reason why there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Whether a value could be read."""

    VALID = "valid"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why a value was refused: the whole list."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"


class Hint(StrEnum):
    """What a person should know of a value that is valid."""

    ROLE_MAILBOX = "role mailbox"
    BLOCKED_VALUE = "blocked value"


class Normalised(NamedTuple):
    """One value read.

    ``canonical`` is the key by which people are matched, and "" when the value is refused; ``reason`` then says why.
    ``identifying`` is false for what many people share: it is kept, but matches nobody (R17).
    """

    status: Status
    canonical: str = ""
    alias_key: str = ""
    ext: str = ""
    reason: str = ""
    hint: str = ""
    identifying: bool = True


class NameKey(NamedTuple):
    """One name read: ``canonical`` is given and family names together, without the ``suffix`` (jr, sr, ii, iii, ...)."""

    status: Status
    canonical: str = ""
    given: str = ""
    family: str = ""
    suffix: str = ""
    reason: str = ""
    hint: str = ""
    identifying: bool = True
