"""The verdict's judgement and its words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mainstay.insight.counting import Count
from mainstay.model import Guard

_NONE = Count(0)
FINE, HEALING, BROKEN = "fine", "healing", "broken"

_ADVICE = {
    "human": "Only a person can mend this: check the credentials, permissions and account of {at}, then retry.",
    "permanent": "The same call would fail again. Mend the data or the settings that the answer names, then retry.",
    "transient": "It was tried again and again without success. When {at} answers again, retry: it goes on from here.",
    "asked": "No answer came, and nobody but you can tell whether it happened. Look at {at}, then say so below.",
    "deadline": "It had not ended by its deadline. See what it waited for, then retry: the deadline counts anew.",
    "workflow": "The workflow's own code stopped. Mend it and restart, then retry: finished steps are not repeated.",
}


# Of an attempt whose step may have had its effect before.
_GUARDS: dict[str, str] = {
    Guard.KEY: "An earlier try may have reached {at}; it knows this call by its key, so it happened once.",
    Guard.STATE: "An earlier try may have reached {at}; doing this twice changes nothing more.",
    Guard.FOUND: "An earlier try got no answer, but {at} has what it did: nothing was sent again.",
    Guard.NOT_YET: "An earlier try got no answer, and {at} has nothing of it so far.",
    Guard.NOT_FOUND: "An earlier try got no answer, and {at} has nothing of it.",
    Guard.REPEATED: "An earlier try may have reached {at} without our noting its answer, and nobody can tell: this "
    "call may have had its effect twice.",
    Guard.ASKED: "It may have reached {at}, and nobody but a person can tell.",
    Guard.HAPPENED: "A person said that it had happened at {at}: nothing was sent again.",
    Guard.ORDERED: "It may have reached {at} before; a person said to send it again.",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that is broken, or is recovering.

    ``kind`` is ``incident``, ``rejected`` (deliveries that cannot be read), ``failed`` (failed runs that no incident
    has), ``worker`` (nobody works on the queue) or ``connection`` (its calls are stopped). ``affected`` counts runs, or
    deliveries where it is ``rejected``; ``leads`` whose runs they are, where that is known. What ``is_ahead`` will
    break unless somebody acts.
    """

    kind: str
    title: str
    cause: str
    mend: str
    since: datetime
    affected: Count
    incident_id: UUID | None = None
    source: str = ""
    is_ahead: bool = False
    leads: Count = _NONE


@dataclass(frozen=True, slots=True)
class Healed:
    """Calls to a connection that failed at first and were tried again; ``first`` and ``last`` are whole hours.

    ``waiting`` counts the runs that still wait for their next try, ``failed`` the calls given up.
    """

    connection: str
    retries: int
    failed: int
    waiting: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Missed:
    """Changes in the system of record that a pull brought, and no webhook; ``first`` and ``last`` are whole hours."""

    connection: str
    changes: int
    first: datetime
    last: datetime


def judge(
    broken: Sequence[Thing],
    recovering: Sequence[Thing],
    stopped: Sequence[Thing],
    retrying: Count,
    healed: Sequence[Healed],
    ahead: Sequence[Thing] = (),
    *,
    missed: Sequence[Missed] = (),
) -> tuple[str, str]:
    """Return the state and the sentence that answer "did anything break in the last 24 hours?"."""
    if broken:
        first = broken[0].title.rstrip(".")
        if len(broken) == 1:
            return BROKEN, f"1 thing is broken: {first}."
        return BROKEN, f"{len(broken)} things are broken, the latest: {first}."
    if recovering or stopped or retrying:
        under_way = f"{_things(len(recovering))} being mended: the runs are under way again" if recovering else ""
        what = _runs(retrying, "wait for their next try", "waits for its next try") if retrying else ""
        at_rest = [f"{each.title}{_held(each.affected)}" for each in stopped]
        return HEALING, f"Nothing is lost. {'; '.join(part for part in (*at_rest, under_way, what) if part)}."
    coming = f" {ahead[0].title.rstrip('.')}." if ahead else ""
    retries, late = sum(item.retries for item in healed), sum(item.changes for item in missed)
    mended = [f"{_number(retries, 'retry', 'retries')} mended what went wrong"] if retries else []
    if late:
        mended.append(f"{_number(late, 'change', 'changes')} came by the pull that no webhook had brought")
    return FINE, f"{'; '.join(('Nothing broke in the last 24 hours', *mended))}.{coming}"


def _number(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


def _things(number: int) -> str:
    return "1 thing is" if number == 1 else f"{number} things are"


def _held(affected: Count) -> str:
    return f": {_runs(affected, 'wait', 'waits')}" if affected else ""


def _runs(count: Count, many: str, one: str) -> str:
    return f"1 run {one}" if count == Count(1) else f"{count} runs {many}"


def guard_words(guard: str, connection: str) -> str:
    """Say how an attempt that came after one of unknown outcome was kept from happening twice; empty for no guard."""
    return _GUARDS.get(guard, "").format(at=connection or "the system it called")


def advice(fate: str, connection: str) -> str:
    """Say what a person should do about a run that failed with ``fate`` at ``connection`` (empty: at none)."""
    return _ADVICE.get(fate, "Look at the step that stopped, then retry.").format(
        at=connection or "the system it called"
    )
