"""Identifiers: UUID version 7, so that rows sort by time and indexes stay dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from uuid import UUID

SHORT_LENGTH = 8


def new_id() -> UUID:
    """Return a new time-ordered id."""
    return uuid7()


def short_id(value: UUID | str) -> str:
    """Return the last eight hex digits: what people see and type (the first digits are only the time)."""
    return str(value).replace("-", "")[-SHORT_LENGTH:]
