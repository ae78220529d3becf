"""What is told of an incident next, and when. Pure: the sweep in ``alert.py`` does what is said here.

An incident is told over the first step of its ladder; over the next where no channel of that has taken it in time. Then
it is quiet, whatever else happens of the same cause, but for news: nobody acknowledges it (escalation), it becomes
critical, it came back after its end was told, it is over. Its end is told once that has lasted for a while, so that
what comes and goes is told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from mainstay.watch.routes import FALLS_OVER_AFTER, Alerts, Route, Severity, settles_after

Phase = Literal["none", "telling", "escalating", "told", "recovering", "over"]
News = Literal["opened", "reopened", "worse"]
SETTLING = -1
"""The place of an incident that is over, and whose end is told once that has lasted."""
Kind = Literal["opened", "reopened", "worse", "escalated", "recovered", "acknowledged"]


@dataclass(frozen=True, slots=True)
class Standing:
    """An incident, as far as the telling of it goes.

    ``told`` are the channels that have taken its present episode, since ``told_at``; ``due_at`` is None while nothing
    is to come by itself.
    """

    severity: Severity
    is_open: bool = True
    is_acknowledged: bool = False
    reopened: int = 0
    news: News = "opened"
    phase: Phase = "none"
    place: int = 0
    due_at: datetime | None = None
    told: tuple[Route, ...] = ()
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What is done now: ``kind`` is told over ``routes`` (none: nothing), and how it stands then."""

    then: Standing
    kind: Kind = "opened"
    routes: tuple[Route, ...] = ()


def begin(standing: Standing, alerts: Alerts, now: datetime) -> Standing:
    """Return how an incident stands that has news: its telling begins anew."""
    if not alerts.ladder(standing.severity):
        return replace(standing, phase="none", place=0, due_at=None)
    return replace(standing, phase="telling", place=0, due_at=alerts.first_due(standing.severity, now))


def next_move(standing: Standing, alerts: Alerts, now: datetime) -> Move:
    """Return what an incident whose moment has come does. ``due_at`` of the outcome is after ``now``, or None."""
    match standing.phase:
        case "telling" if standing.told:
            return _follow(standing, alerts, now)
        case "telling":
            return _tell(standing, alerts, now)
        case "escalating":
            return _escalate(standing, alerts, now)
        case "recovering":
            return _recover(standing, alerts, now)
        case _:
            return Move(replace(standing, due_at=None))


def _tell(standing: Standing, alerts: Alerts, now: datetime) -> Move:
    ladder = alerts.ladder(standing.severity)
    if standing.place >= len(ladder):
        # All were tried; their runs go on trying, and whichever gets through says so.
        return Move(replace(standing, due_at=None))
    if not standing.is_open:
        # It was over before anybody heard of it: told once, with what else is in the digest, it needs no more.
        return Move(replace(standing, phase="over", due_at=None), standing.news, ladder[0])
    then = replace(standing, place=standing.place + 1, due_at=now + FALLS_OVER_AFTER)
    return Move(then, standing.news, ladder[standing.place])


def _follow(standing: Standing, alerts: Alerts, now: datetime) -> Move:
    if not standing.is_open:
        return _recover(replace(standing, phase="recovering", place=0), alerts, now)
    if standing.severity != "critical" or standing.is_acknowledged or not alerts.escalate:
        return Move(replace(standing, phase="told", due_at=None))
    due_at = max(now, (standing.told_at or now) + alerts.escalate_after)
    return Move(replace(standing, phase="escalating", place=0, due_at=due_at))


def _escalate(standing: Standing, alerts: Alerts, now: datetime) -> Move:
    if not standing.is_open:
        return _recover(replace(standing, phase="recovering", place=0), alerts, now)
    if standing.is_acknowledged or standing.place >= len(alerts.escalate):
        return Move(replace(standing, phase="told", due_at=None))
    place = standing.place + 1
    then = replace(standing, place=place, due_at=now + alerts.escalate_after)
    if place >= len(alerts.escalate):
        then = replace(then, phase="told", due_at=None)
    return Move(then, "escalated", alerts.escalate[standing.place])


def _recover(standing: Standing, alerts: Alerts, now: datetime) -> Move:
    if standing.is_open:
        return Move(replace(standing, phase="told", due_at=None))
    if standing.place != SETTLING:
        settled = now + settles_after(standing.reopened)
        if standing.severity != "critical":
            settled = alerts.after_quiet(settled)
        return Move(replace(standing, place=SETTLING, due_at=settled))
    return Move(replace(standing, phase="over", place=0, due_at=None), "recovered", standing.told)
