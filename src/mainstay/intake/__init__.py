"""Intake: a 2xx is only sent for what is on disk."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import Write, acquire
from mainstay.errors import MalformedError, NotAuthenticError, OverloadedError
from mainstay.intake.flood import Floods
from mainstay.intake.rules import QUARANTINE_PER_SECOND, Receipt, SourceBinding, delivery_key
from mainstay.intake.store import (
    INBOUND,
    Arrival,
    OpenExecution,
    Suspect,
    ToldEvent,
    keep,
    load_delivery,
    mark_deliveries,
    put_in_quarantine,
    requeue_delivery,
    told_before,
)
from mainstay.model import Lane, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection, GroupCommit, Pool
    from mainstay.kit import RawRequest

log = logging.getLogger(__name__)

__all__ = ["INBOUND", "Intake", "Receipt", "SourceBinding", "ToldEvent", "mark_deliveries", "told_before"]

Read = Callable[[SourceBinding, "RawRequest"], Mapping[str, Any]]
OnQuarantined = Callable[["Connection", Suspect], Awaitable[None]]

_MAX_WAITING = 2000
_RETRY_AFTER_SECONDS = 5


class Intake:
    """Takes deliveries.

    Args:
        pool: for replays.
        commit: groups the writes.
        read: turns an authentic request into its run's input; raises MalformedError.
        on_quarantined: called in the transaction that puts a request into quarantine.
        lane: in which queue the runs of deliveries wait.
    """

    def __init__(
        self,
        pool: Pool,
        commit: GroupCommit,
        read: Read,
        *,
        on_quarantined: OnQuarantined,
        lane: Lane = Lane.LEAD,
    ) -> None:
        self._pool = pool
        self._commit = commit
        self._read = read
        self._on_quarantined = on_quarantined
        self._quarantine: Write[Suspect, UUID] = Write("quarantine a request", 5, self._put_in_quarantine)
        self._execution = OpenExecution()
        self._lane = lane
        self._floods = Floods()
        self._keep: Write[Arrival, Receipt] = Write("keep a delivery", 0, self._keep_all)
        self._second = 0
        self._in_second: dict[tuple[UUID, str], int] = defaultdict(int)

    async def receive(self, source: SourceBinding, request: RawRequest, *, waits: bool = False) -> Receipt:
        """Keep one request. With ``waits`` its sender can take a sync workflow's result: see :class:`Receipt`.

        Raises:
            NotAuthenticError: the sender could not be proven; the request is in quarantine.
            OverloadedError: too many writes wait; nothing was kept.
            DatabaseUnavailableError: it is not known to be kept.
        """
        if self._commit.backlog > _MAX_WAITING:
            message = "too many deliveries wait to be written"
            raise OverloadedError(message, retry_after=_RETRY_AFTER_SECONDS)
        try:
            verified = source.kind.verify(request, source.settings)
        except NotAuthenticError as error:
            await self._suspect(source, request, str(error))
            raise
        return await self._take(source, request, verified, waits=waits)

    async def take(self, source: SourceBinding, request: RawRequest, verified: str) -> Receipt:
        """Keep what a source's system was asked for, as if it had sent it; ``verified`` says how it is known.

        Raises:
            DatabaseUnavailableError: it is not known to be kept.
        """
        return await self._take(source, request, verified, waits=False)

    async def _take(self, source: SourceBinding, request: RawRequest, verified: str, *, waits: bool) -> Receipt:
        arrival = self._arrival(source, request, verified)
        if waits and source.answers and arrival.input is not None:
            within = source.answer_within(_event_types(arrival.input))
            arrival = replace(arrival, answer_within=within)
        return await self._commit(self._keep, arrival)

    async def _keep_all(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        flooded = await self._floods.look(
            connection, Counter(each.source.workspace_id for each in arrivals if each.lane is Lane.LEAD)
        )
        if flooded:
            arrivals = [
                replace(each, lane=Lane.BACKFILL)
                if each.source.workspace_id in flooded and each.answer_within is None
                else each
                for each in arrivals
            ]
        return await keep(connection, arrivals, self._execution)

    def _arrival(self, source: SourceBinding, request: RawRequest, verified: str) -> Arrival:
        key, window, data, reason = "", None, None, ""
        try:
            read = self._read(source, request)
            key, window = delivery_key(source, request)
            data = read
        except MalformedError as error:
            reason = str(error)
        except Exception as error:
            # A fault of ours, and no reason to lose a lead: many senders drop for ever what is answered with a 5xx.
            log.exception("a delivery to %s could not be read", source.name)
            reason = f"Mainstay failed to read it ({type(error).__name__}). It is kept: replay it after an update"
        return Arrival(new_id(), source, request, verified, data, reason, key, window, lane=self._lane)

    async def _suspect(self, source: SourceBinding, request: RawRequest, reason: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._in_second.clear()
        self._in_second[source.workspace_id, source.name] += 1
        # A flood must not become a flood of writes: past the rate a request is refused without being kept.
        if self._in_second[source.workspace_id, source.name] <= QUARANTINE_PER_SECOND:
            await self._commit(self._quarantine, Suspect(source, request, reason))

    async def _put_in_quarantine(self, connection: Connection, suspects: Any) -> list[UUID | Exception]:
        ids = await put_in_quarantine(connection, suspects)
        for suspect in suspects:
            await self._on_quarantined(connection, suspect)
        return ids

    async def replay(
        self,
        sources: Mapping[str, SourceBinding],
        workspace_id: UUID,
        delivery_id: UUID,
        *,
        lane: Lane = Lane.LEAD,
    ) -> UUID:
        """Read a kept delivery again with today's settings and give it a new run; returns the run's id.

        Raises:
            LookupError: there is no such delivery, or its source is no longer declared.
            MalformedError: it still cannot be read.
        """
        async with acquire(self._pool) as connection, connection.transaction():
            found = await load_delivery(connection, "deliveries", workspace_id, delivery_id)
            if found is None:
                message = f"there is no delivery {delivery_id}"
                raise LookupError(message)
            name, verified, request = found
            source = _source(sources, name)
            data = self._read(source, request)
            key, _ = delivery_key(source, request)
            return await requeue_delivery(connection, source, delivery_id, data, verified, key, lane=lane)

    async def release(self, sources: Mapping[str, SourceBinding], workspace_id: UUID, quarantine_id: UUID) -> Receipt:
        """Take a request out of quarantine on a person's word; the receipt is what its sender would have been told.

        Raises:
            LookupError: there is no such request, or its source is no longer declared.
        """
        async with acquire(self._pool) as connection, connection.transaction():
            found = await load_delivery(connection, "quarantine", workspace_id, quarantine_id)
            if found is None:
                message = f"there is nothing {quarantine_id} in quarantine"
                raise LookupError(message)
            name, _, request = found
            arrival = self._arrival(_source(sources, name), request, "released from quarantine by hand")
            (receipt,) = await keep(connection, [arrival], OpenExecution())
            await connection.execute("DELETE FROM quarantine WHERE id = $1", quarantine_id)
        return receipt


def _event_types(data: Mapping[str, Any]) -> set[str]:
    """Return the types of events that may come of a delivery: its own, and those of the contact it speaks of."""
    types = {event["type"] for event in data["events"]}
    if any(event["person"] for event in data["events"]):
        types |= {"contact.submitted", "contact.created", "contact.updated"}
    return types


def _source(sources: Mapping[str, SourceBinding], name: str) -> SourceBinding:
    if name not in sources:
        message = f'the source "{name}" is no longer in stack.toml; restore it, then replay'
        raise LookupError(message)
    return sources[name]
