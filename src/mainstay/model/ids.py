"""Identifiers: UUID version 7, so that rows sort by time and indexes stay dense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

SHORT_LENGTH = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """Return a new time-ordered id."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Return the lowest id that can have been made at ``moment`` or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def made_at(value: UUID) -> datetime:
    """Return the millisecond in which an id was made."""
    return _EPOCH + timedelta(milliseconds=value.int >> 80)


def short_id(value: UUID | str) -> str:
    """Return the last eight hex digits: what people see and type (the first digits are only the time)."""
    return str(value).replace("-", "")[-SHORT_LENGTH:]
