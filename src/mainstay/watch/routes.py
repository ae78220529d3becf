"""Where alerts go, and when: what ``[alerts]`` says. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal, Protocol

Severity = Literal["critical", "other"]
FALLS_OVER_AFTER = timedelta(seconds=15)
"""How long the channels of one step have to take an alert before the next step is told as well."""
SETTLES = timedelta(minutes=5)
"""How long an incident must have been over before that is told; doubled each time that it came back."""
_SETTLES_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Route:
    """A channel: ``written`` as in stack.toml, and what it means.

    ``role`` is ``chat``, ``email``, ``sms``, ``layer`` or ``pager``; ``target`` a channel, address or number, empty for
    the connection's own.
    """

    written: str
    connection: str
    role: str
    target: str


Ladder = tuple[tuple[Route, ...], ...]
"""Steps, each of one channel or of several that are told together: a step is told when the one before took nothing."""


class Weekly(Protocol):
    """A moment of each week."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first after an aware moment; None for none."""
        ...


class Quiet(Protocol):
    """Hours in which what is not critical waits."""

    @property
    def text(self) -> str:
        """How they are written."""
        ...

    def is_open(self, moment: datetime) -> bool:
        """Say whether an aware moment is one of them."""
        ...

    def closes_at(self, moment: datetime) -> datetime | None:
        """Return when they end next, from a moment among them; None for never."""
        ...


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who hears of trouble, and when. Iterating gives every channel once.

    Attributes:
        critical: whom a critical incident is told at once, whatever the hour.
        other: whom any other is told, gathered for ``digest``; the channels of ``critical`` where none is given.
        escalate: whom a critical incident is told that nobody acknowledges within ``escalate_after``, step by step.
        quiet: hours in which only what is critical is told; None for none.
        outage_after: how long a vendor is out before that is an incident; calls wait meanwhile.
        paused_after: how long calls may wait at a connection that somebody has paused.
        review: a weekly moment, ``Mon 08:00``; empty for none.
        test: the weekly moment at which every channel is tested; None for never.
    """

    critical: Ladder = ()
    other: Ladder = ()
    escalate: Ladder = ()
    escalate_after: timedelta = timedelta(minutes=15)
    digest: timedelta = timedelta(minutes=4)
    quiet: Quiet | None = None
    outage_after: timedelta = timedelta(minutes=5)
    paused_after: timedelta = timedelta(hours=1)
    review: str = ""
    test: Weekly | None = None

    def __iter__(self) -> Iterator[Route]:
        seen: dict[tuple[str, str, str], Route] = {}
        for route in chain.from_iterable((*self.critical, *self.other, *self.escalate)):
            seen.setdefault((route.connection, route.role, route.target), route)
        return iter(seen.values())

    def without(self, connection: str) -> Alerts:
        """Return the same without the channels of a connection."""

        def left(ladder: Ladder) -> Ladder:
            steps = (tuple(route for route in step if route.connection != connection) for step in ladder)
            return tuple(step for step in steps if step)

        return replace(self, critical=left(self.critical), other=left(self.other), escalate=left(self.escalate))

    def ladder(self, severity: Severity) -> Ladder:
        """Return whom an incident is told; at the end whoever else there is, so that it is told at all."""
        first, last = (self.critical, self.other) if severity == "critical" else (self.other, self.critical)
        steps = (*first, *self.escalate, *last) if severity == "critical" else (*first, *last)
        found: list[tuple[Route, ...]] = []
        seen: set[Route] = set()
        for step in steps:
            if fresh := tuple(route for route in step if route not in seen):
                found.append(fresh)
                seen.update(fresh)
        return tuple(found)

    def next_test(self, now: datetime) -> datetime | None:
        """Return when every channel is tested next; None for never."""
        return self.test.next_after(now) if self.test is not None else None

    def first_due(self, severity: Severity, now: datetime) -> datetime:
        """Return when something new is told."""
        return now if severity == "critical" else self.after_quiet(now + self.digest)

    def after_quiet(self, moment: datetime) -> datetime:
        """Return the first moment from an aware one on that is not in quiet hours; itself where they never end."""
        if self.quiet is None or not self.quiet.is_open(moment):
            return moment
        return (self.quiet.closes_at(moment) or moment).astimezone(UTC)


def settles_after(reopened: int) -> timedelta:
    """Return how long an incident that was reopened so often must be over before that is told."""
    doubled: int = 2 ** min(reopened, 10)
    return min(SETTLES * doubled, _SETTLES_AT_MOST)
