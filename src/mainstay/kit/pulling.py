"""Where a pull of changes goes on: a time by the vendor's clock, and within that instant what was given last."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mainstay.errors import PermanentError
from mainstay.kit.payload import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.kit.http import Response

_START = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z)(?:\|([\w-]{1,64}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """All that changed before ``since`` was given; of what changed in that instant, all up to the id ``after``."""

    since: datetime = _START
    after: str = ""

    @classmethod
    def read(cls, written: str) -> Cursor:
        """Read what :meth:`write` gave; an empty text is the beginning.

        Raises:
            PermanentError: it is something else.
        """
        if not written:
            return cls()
        found = _WRITTEN.fullmatch(written)
        since = moment(found[1]) if found else None
        if found is None or since is None:
            raise PermanentError(f"{written[:80]!r} is no cursor of a pull: begin anew with an empty one")
        return cls(since, found[2] or "")

    def write(self) -> str:
        """Return it as text."""
        return utc(self.since) + (f"|{self.after}" if self.after else "")

    @property
    def place(self) -> int:
        """Return how many of what changed in that instant, or later, were given; of :func:`after_page`'s cursors."""
        if self.after and not self.after.isdecimal():
            raise PermanentError(
                f"{self.write()[:80]!r} is no cursor of a pull from here: begin anew with an empty one"
            )
        return int(self.after or 0)

    @classmethod
    def caught_up(cls, answer: Response, lag: timedelta) -> Cursor:
        """Return the cursor after a pull that was given everything at the time of ``answer``.

        It goes back by ``lag``: the time for which a change, once made, may still be hidden.
        """
        return cls(answer.moment - lag)


def after_page(
    start: Cursor, times: Sequence[datetime], size: int, answer: Response, lag: timedelta
) -> tuple[Cursor, bool]:
    """Return where a pull goes on after one page, and whether there is more: of vendors that list by time and place.

    The page is of what changed since ``start.since``, the oldest change first, from ``start.place`` on. Each next page
    begins with the last time that was seen, so that what moves to the end meanwhile hides nothing. Only where a page is
    of one instant is it counted on in it: by half a page, so that what moves away there hides nothing either.
    """
    if len(times) < size:
        return Cursor.caught_up(answer, lag), False
    if times[-1] > start.since:
        return Cursor(times[-1]), True
    return Cursor(start.since, str(start.place + max(1, size // 2))), True


def utc(time: datetime) -> str:
    """Write a time as vendors read it: ``2026-11-23T09:12:00.000Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
