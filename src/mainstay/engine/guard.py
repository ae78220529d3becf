"""Calls of unknown outcome: on what terms a call is made, and what is known of one that may have happened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mainstay.engine.retry import DEFAULT_POLICY, RetryPolicy
from mainstay.errors import UnsureError
from mainstay.model import Attempt, Guard, Promise, Retry
from mainstay.model.retry import OnUnsure

UNSURE = "unsure"
"""The fate of an attempt that may have had its effect although no answer came."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a call is made.

    ``promise`` is the connector's word on doing it twice; ``lookup_after`` how long after a call a look-up can be
    trusted that does not find it.
    """

    policy: RetryPolicy = DEFAULT_POLICY
    on_unsure: OnUnsure = "repeat"
    promise: Promise = Promise.UNSAID
    lookup_after: timedelta = timedelta()


# Of a workspace, a connection, a step's name, and what call and workflow say, the narrowest first.
TermsOf = Callable[[UUID, str, str, Sequence[Retry]], Terms]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A step may have reached its vendor: at ``since`` at the earliest, at ``until`` at the latest.

    ``settled_at``: a look-up that comes after it has the last word, as an earlier one found; None for none yet.
    ``is_answered``: a person has been asked, and said to call again.
    """

    since: datetime
    until: datetime
    is_answered: bool = False
    settled_at: datetime | None = None


def doubt_about(recorded: Sequence[Attempt], cut_off: datetime | None, now: datetime) -> Doubt | None:
    """Return what is to be doubted of a step by its earlier attempts.

    ``cut_off`` is the earliest moment at which a worker that died since can have made the call; None when none has.
    """
    is_answer = [one.guard == Guard.ORDERED and one.fate == UnsureError.fate for one in recorded]
    answered = max((place for place, given in enumerate(is_answer) if given), default=-1)
    unsure = [one for one in recorded[answered + 1 :] if one.fate in {UNSURE, UnsureError.fate}]
    if unsure:
        last = unsure[-1]
        if cut_off is not None:
            return Doubt(unsure[0].started_at, now)
        # A mere look-up reached nobody: did it count as a call, each would put off the last word once more.
        settled_at = last.next_at if last.guard == Guard.NOT_YET else None
        return Doubt(unsure[0].started_at, _end(last), settled_at=settled_at)
    if cut_off is not None:
        return Doubt(cut_off, now)
    if answered >= 0:
        return Doubt(recorded[answered].started_at, _end(recorded[answered]), is_answered=True)
    return None


def may_stand(name: str, aside: Sequence[Attempt]) -> bool:
    """Tell whether one of the attempts that were set aside may have had its effect without anyone knowing."""
    return any(one.name == name and one.fate in {UNSURE, UnsureError.fate} for one in aside)


def _end(attempt: Attempt) -> datetime:
    return attempt.started_at + timedelta(milliseconds=attempt.duration_ms)
