"""Where a pull goes on at a vendor that lists what changed page by page, each page with the token of the next."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from mainstay.errors import PermanentError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import utc

if TYPE_CHECKING:
    from mainstay.kit.http import Response

T = TypeVar("T")
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"
_WRITTEN = re.compile(rf"({_TIME})(?:\|({_TIME})\|([!-~]{{1,2000}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Walk:
    """All that changed before ``since`` was given. On the way, the pages before ``token`` as well.

    The first page was answered at ``began``: what changes after that may lie in a page that was read, and is the next
    pull's. Hence the vendor's pages must not move what did not change from one to another.
    """

    since: datetime
    began: datetime | None = None
    token: str = ""

    @classmethod
    def read(cls, written: str) -> Walk:
        """Read what :meth:`write` gave; an empty text is the beginning.

        Raises:
            PermanentError: it is something else.
        """
        found = _WRITTEN.fullmatch(written or "1970-01-01T00:00:00Z")
        since = moment(found[1]) if found else None
        began = moment(found[2]) if found and found[2] else None
        if found is None or since is None or (found[2] and began is None):
            raise PermanentError(f"{written[:80]!r} is no cursor of a pull: begin anew with an empty one")
        return cls(since, began, found[3] or "")

    def write(self) -> str:
        """Return it as text."""
        return utc(self.since) + (f"|{utc(self.began)}|{self.token}" if self.began else "")

    def after(self, token: str, answer: Response, lag: timedelta) -> Walk:
        """Return where it goes on after one page, to whose ``answer`` the token of the next belongs, if there is one.

        With the last page it goes back by ``lag``: the time for which a change, once made, may still be hidden.
        """
        began = self.began or answer.moment
        return Walk(self.since, began, token) if token else Walk(began - lag)


async def read_page(start: Walk, read: Callable[[Walk], Awaitable[T]]) -> tuple[Walk, T]:
    """Read a page, and return from where it was read: from the first one, where the vendor refuses the page's token.

    A token ends with its time, or with the record that it names; a pull that kept to it would never go on.
    """
    try:
        return start, await read(start)
    except PermanentError:
        if not start.token:
            raise
    start = Walk(start.since)
    return start, await read(start)
