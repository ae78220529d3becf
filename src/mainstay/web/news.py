"""Live pages: a stream that says when a workspace is not as it was, so that whoever looks at it asks anew.

Nothing is pushed but the word that there is news: what is shown comes from the page itself, by one way only. However
many tabs are open, a process looks once a second for each workspace that somebody looks at. (NOTIFY would make every
commit of the engine take its turn at one lock.)
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire
from mainstay.errors import DatabaseUnavailableError
from mainstay.insight.mark import mark_of
from mainstay.web.sign_in import signed_in_still

if TYPE_CHECKING:
    from mainstay.db import Pool

log = logging.getLogger(__name__)

MOST_STREAMS = 500
"""In one process; a page beyond them refreshes by its own clock."""
_LOOK_SECONDS = 1.0
# Shorter than the minute after which proxies usually cut a silent connection.
_BEAT_SECONDS = 20.0
_NEWS, _OVER, _BEAT = "news", "over", ""


@dataclass(eq=False)
class _Stream:
    workspace_id: UUID
    session: str
    mark: str
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def tell(self, word: str) -> None:
        if self.told.empty() or word == _OVER:
            self.told.put_nowait(word)


class News:
    """The streams of one process."""

    def __init__(self, pool: Pool, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._pool = pool
        self._seconds = look_seconds
        self._streams: set[_Stream] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Tell whether no further stream is taken."""
        return len(self._streams) >= MOST_STREAMS

    async def stream(self, workspace_id: UUID, session: str, mark: str) -> AsyncIterator[str]:
        """Yield what an EventSource reads.

        That is ``news`` when the workspace is no longer as ``mark`` says, and ``over`` last, when the session is.
        """
        stream = _Stream(workspace_id, session, mark)
        self._streams.add(stream)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield "retry: 3000\n\n"
            word = _BEAT
            while word != _OVER:
                try:
                    word = await asyncio.wait_for(stream.told.get(), _BEAT_SECONDS)
                except TimeoutError:
                    word = _BEAT
                yield f"event: {word}\ndata: {stream.mark}\n\n" if word else ": here\n\n"
        finally:
            self._streams.discard(stream)

    def end(self, session: str = "") -> None:
        """End the streams of a session, or all of them."""
        for stream in self._streams:
            if session in {"", stream.session}:
                stream.tell(_OVER)

    async def _look(self) -> None:
        while self._streams:
            try:
                await self._look_once()
            except DatabaseUnavailableError:
                log.debug("live pages wait for the database")
            await asyncio.sleep(self._seconds)

    async def _look_once(self) -> None:
        async with acquire(self._pool) as connection:
            good = await signed_in_still(connection, {stream.session for stream in self._streams})
            watched: dict[UUID, list[_Stream]] = defaultdict(list)
            for stream in tuple(self._streams):
                if stream.session in good:
                    watched[stream.workspace_id].append(stream)
                else:
                    stream.tell(_OVER)
            for workspace_id, streams in watched.items():
                mark = await mark_of(connection, workspace_id)
                for stream in streams:
                    if stream.mark != mark:
                        stream.mark = mark
                        stream.tell(_NEWS)
