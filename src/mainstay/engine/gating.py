"""Where a run's calls meet their connection's gate: they go through, or the run is held without holding anything."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from mainstay.engine.waiting import Waiting
from mainstay.errors import DatabaseUnavailableError, TransientError
from mainstay.model import Attempt, AttemptState, RunState
from mainstay.runs import Settlement

if TYPE_CHECKING:
    from mainstay.kit import Http
    from mainstay.model import Run


@dataclass(frozen=True, slots=True)
class Held:
    """A gate that lets nobody through now.

    ``why`` ends the sentence "the run waits for ..."; with ``is_outage`` the wait counts towards giving up.
    """

    why: str
    is_outage: bool = False


class Passage(Protocol):
    """One call's way through its gate."""

    async def carry(self, call: Awaitable[Any]) -> Any:
        """Await the call, and take note of how it went."""
        ...

    def closed(self) -> Held | None:
        """Tell what holds the run from here on, where the vendor turned out to be away."""
        ...

    def leave(self) -> None:
        """Make room for the next."""
        ...


class Gate(Protocol):
    """What the composition root gives the engine: the gates of all connections."""

    async def enter(self, run: Run, connection: str, http: Http, *, has_waited: bool) -> Passage | Held:
        """Ask to call ``connection``. A run that ``has_waited`` its turn goes before one that has not."""
        ...


class _Open:
    """No gate."""

    async def carry(self, call: Awaitable[Any]) -> Any:
        return await call

    def closed(self) -> Held | None:
        """Nothing does."""
        return None

    def leave(self) -> None:
        """Nothing to do."""


OPEN = _Open()


class Gated(Waiting):
    """The gates that one run passes."""

    gate: Gate | None = None
    _held_since: datetime | None = None
    _is_first_call = True

    async def pass_gate(
        self, attempt: Attempt, http: Http, recorded: Sequence[Attempt], left: Attempt | None, give_up: timedelta
    ) -> Passage:
        """Pass the gate before an attempt, or park the run there; what a dead worker ``left`` is then recorded.

        Raises:
            TransientError: the vendor has been out for so long that the step is given up.
        """
        connection = attempt.connection
        if self.gate is None or not connection:
            return OPEN
        since = self.run.held_since if self._is_first_call else None
        try:
            answer = await self.gate.enter(self.run, connection, http, has_waited=since is not None)
        except DatabaseUnavailableError as error:
            self.stopped = error
            raise
        if not isinstance(answer, Held):
            self._is_first_call = False
            return answer
        now = self.clock()
        since = since or now
        give_up_at = min(since, _first_try(recorded) or since) + give_up if answer.is_outage else None
        if give_up_at is not None and not self.is_ahead(give_up_at):
            late = TransientError(f"given up, nothing was sent: the run waited for {answer.why}")
            failed = replace(attempt, state=AttemptState.FAILED, fate=late.fate, error=str(late), asked=self._asked)
            await self.write(failed)
            raise self.note(late, attempt.step)
        held = Settlement(
            RunState.WAITING, wake_at=give_up_at, waiting_for=answer.why, held_at=connection, held_since=since
        )
        return self.park_run(held, left)


def _first_try(recorded: Sequence[Attempt]) -> datetime | None:
    """Return when a step was first tried, since a person last began the count anew."""
    by_hand = max((place for place, one in enumerate(recorded, 1) if one.next_at is None), default=0)
    return recorded[by_hand].started_at if len(recorded) > by_hand else None
