"""What any role can give besides: the records of its system that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from mainstay.model import Event, RecordType


@dataclass(frozen=True, slots=True)
class PulledRecord:
    """One record that changed.

    Attributes:
        event: as a webhook would tell it, its ``record`` filled. Its ``type`` is empty where the vendor tells how the
            record stands but not what happened: then it follows from what was known of it.
        created_at: when it was made there, as far as the vendor tells.
    """

    event: Event
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PulledRecords:
    """Records that changed in a system, the oldest change first.

    Attributes:
        records: each as it is there now, or as it was with each of several changes.
        cursor: where the next pull goes on. Keep it once the records are safe.
        has_more: False once all was given that had changed up to now.
        lost: from when to when changes since the cursor are not to be had any more, where the vendor forgets them.
    """

    records: tuple[PulledRecord, ...]
    cursor: str
    has_more: bool
    lost: tuple[datetime, datetime] | None = None


class PullingRecords(Protocol):
    """A role that can be asked what changed; its connector names the types in ``pulls``.

    It heals what webhooks miss. Changes made by Mainstay itself are among those given.
    """

    async def pull_records(self, kind: RecordType, cursor: str) -> PulledRecords:
        """Read one batch of the records of a type that changed since ``cursor``; since ever, with an empty one.

        A cursor to begin with may be a time, as :func:`mainstay.kit.pulling.utc` writes it.

        Called until ``has_more`` is False, it has given every record that changed before it was called first, in its
        state of then or later, however many changed in one instant and whatever changes meanwhile; a record that is
        deleted only as far as the vendor tells of those. Some come again: they are told by their content. The cursor is
        the connector's own, and good for one type of one account.

        Raises:
            PermanentError: the cursor is none of this connector's.
        """
        ...
