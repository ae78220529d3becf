"""What is looked at by itself, declared by nobody: schedules, the queue, connections, access. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mainstay.monitors.rules import fingerprint_of
from mainstay.watch.rules import Trouble

SCHEDULE, QUEUE, CONNECTION, ACCESS, WEBHOOKS = "schedule", "queue", "connection", "access", "webhooks"
CHECKED = (ACCESS, CONNECTION, QUEUE, SCHEDULE, WEBHOOKS)
LEADS = "leads"
"""The queue that is watched: what leads wait in."""
NOT_FIRED_AFTER = timedelta(minutes=5)
WAITS_TOO_LONG = timedelta(minutes=10)
FAILS_FOR = timedelta(minutes=10)
RECENT = timedelta(hours=2)
MANY_FAILURES = 5
UNUSED_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Finding:
    """Where one of them stands now. ``trouble`` is reported when it goes down; None where another part reports it."""

    kind: str
    name: str
    rule: str
    state: str
    seen_at: datetime | None = None
    expected_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """A schedule as its row tells: when it is due next, what it fired last, and how many ticks nobody was there for."""

    workflow: str
    next_at: datetime | None
    last_tick: datetime | None
    missed: int


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls to a connection went in the last two hours, and when the last was answered well.

    ``out_since`` is when its breaker opened.
    """

    ok: int
    failed: int
    last_ok: datetime | None
    out_since: datetime | None = None
    is_paused: bool = False


def of_schedule(
    schedule: Fired,
    rule: str,
    before: Mapping[str, Any],
    now: datetime,
) -> Finding:
    """Judge a schedule: down when a tick was not fired, until one is."""
    workflow, next_at, last_tick, missed = schedule.workflow, schedule.next_at, schedule.last_tick, schedule.missed
    facts: dict[str, Any] = {"missed": missed, "last_tick": last_tick.isoformat() if last_tick else None}
    is_late = next_at is not None and now - next_at > NOT_FIRED_AFTER
    skipped = missed - int(before.get("missed", missed))
    # What was passed over stays told of until the next fires.
    is_still = bool(before.get("skipped")) and facts["last_tick"] == before.get("last_tick")
    is_down = is_late or skipped > 0 or is_still
    state = "down" if is_down else "up" if last_tick else "new"
    trouble = None
    if is_down:
        facts["skipped"] = max(skipped, int(before.get("skipped") or 0)) if not is_late else before.get("skipped") or 0
        cause = (
            f"It should have fired at {next_at:%Y-%m-%d %H:%M} UTC, and has not."
            if is_late
            else f"{facts['skipped'] or 'Some'} of its ticks were passed over: no worker was there when they were due."
        )
        trouble = Trouble(
            fingerprint=fingerprint_of(SCHEDULE, workflow),
            title=f"The schedule of {workflow} did not fire",
            cause=cause,
            mend="See that a worker runs with this stack (mainstay status). Its next tick resolves this by itself. "
            "Its ticks: mainstay schedules list.",
        )
    return Finding(SCHEDULE, workflow, rule, state, last_tick, next_at, facts, trouble)


def of_queue(oldest_at: datetime | None, before: Mapping[str, Any], now: datetime) -> Finding:
    """Judge the queue by its oldest lead: down when one waits too long at two looks, until half that."""
    age = now - oldest_at if oldest_at else timedelta()
    was_long = bool(before.get("is_long"))
    is_long = age > (WAITS_TOO_LONG / 2 if before.get("is_down") else WAITS_TOO_LONG)
    is_down = is_long and (was_long or bool(before.get("is_down")))
    trouble = None
    if is_down:
        trouble = Trouble(
            severity="critical",
            fingerprint=fingerprint_of(QUEUE, LEADS),
            title="Leads wait too long in the queue",
            cause=f"The oldest has waited for {int(age.total_seconds() / 60)} minutes.",
            mend="Nothing is lost. See what keeps the workers (mainstay status), or start another: mainstay worker. "
            "It resolves by itself when the queue is worked off.",
        )
    minutes = int(WAITS_TOO_LONG.total_seconds() / 60)
    facts = {"is_long": is_long, "is_down": is_down, "age": int(age.total_seconds())}
    rule = f"A lead is begun within {minutes} minutes"
    return Finding(QUEUE, LEADS, rule, "down" if is_down else "up", oldest_at, None, facts, trouble)


@dataclass(frozen=True, slots=True)
class Was:
    """Where a connection stood at the look before: its last good answer, its state, and since when calls fail."""

    seen_at: datetime | None = None
    state: str = "new"
    failing_since: datetime | None = None


def of_connection(name: str, calls: Calls, was: Was, now: datetime) -> Finding:
    """Judge a connection: failing when its vendor does not answer, unused when it was used and is not any more."""
    last_ok = max(filter(None, (was.seen_at, calls.last_ok)), default=None)
    failing_since = (was.failing_since or now) if calls.failed >= MANY_FAILURES and not calls.ok else None
    facts = {"failing_since": failing_since.isoformat() if failing_since else None}
    title = cause = mend = ""
    is_failing = failing_since is not None and now - failing_since > FAILS_FOR
    if calls.is_paused:
        pass  # By hand: whoever did it knows.
    elif calls.out_since is not None:
        # The outage is told of by whoever looks at gates.
        state = "down" if now - calls.out_since > FAILS_FOR else "up" if last_ok else "new"
        return Finding(CONNECTION, name, _USED, state, last_ok, None, facts)
    elif is_failing:
        title = f"No call to {name} succeeds"
        cause = f"{calls.failed} failed in two hours, and none was answered well."
        mend = (
            "What cannot go waits at the connection and goes on by itself. See at the vendor, and what is held: "
            f"mainstay connections show {name}"
        )
    elif last_ok is not None and now - last_ok > UNUSED_AFTER:
        title = f"{name} has not been used for {(now - last_ok).days} days"
        cause = f"Its last call that was answered: {last_ok:%Y-%m-%d %H:%M} UTC. Before, it was in use."
        mend = "See whether what used it still runs (mainstay runs list). Needed no more, it goes out of stack.toml."
    elif was.state == "down" and not calls.ok and last_ok is not None and now - last_ok > RECENT:
        # No news is no recovery: it stays down until a call is answered.
        return Finding(CONNECTION, name, _USED, "down", last_ok, None, facts)
    if not title:
        return Finding(CONNECTION, name, _USED, "up" if last_ok else "new", last_ok, None, facts)
    trouble = Trouble(fingerprint=fingerprint_of(CONNECTION, name), title=title, cause=cause, mend=mend)
    return Finding(CONNECTION, name, _USED, "down", last_ok, None, facts, trouble)


_USED = "Calls are answered, and it is used once a week"
