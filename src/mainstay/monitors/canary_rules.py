"""A canary's way: which hops it has passed, which one broke, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mainstay.monitors.rules import fingerprint_of, length_of
from mainstay.watch.rules import Trouble

if TYPE_CHECKING:
    from mainstay.kit import Composed

CANARY_KIND = "canary"
"""The kind of monitor that sends synthetic leads; there is one of that name."""
CRM, CHAT = "crm", "chat"
_INBOUND, _PUSH = "inbound.v1", "push.v1"
_RETRY = "retry of "


@dataclass(frozen=True, slots=True)
class Canary:
    """A synthetic lead as the stack declares it.

    Attributes:
        source: the source by which it comes.
        email: its address, as it is recognised everywhere.
        every: how often one is sent.
        within: by when it must have arrived.
        compose: what the source's own sender would post, and what proves it, by its key and the time.
        crm: the connection where its record must be; empty for none.
        chat: the connection by whose chat people must hear of it; empty for none.
    """

    source: str
    email: str
    every: timedelta
    within: timedelta
    compose: Callable[[str, datetime], Composed] = field(repr=False)
    crm: str = ""
    chat: str = ""

    def in_words(self) -> str:
        """Say what is expected, for lists."""
        way = ", ".join(filter(None, (self.source, self.crm, "its workflows", self.chat)))
        return f"Every {length_of(self.every)} through {way}, within {length_of(self.within)}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run of a canary. ``at`` is when it ended; ``connection``, ``step`` and ``trouble`` are of its last failure."""

    workflow: str
    state: str
    waiting_for: str = ""
    held_at: str = ""
    error: str = ""
    at: datetime | None = None
    connection: str = ""
    step: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where a canary was seen. ``refusal`` is why it was not taken; ``told_at`` when a chat heard of it."""

    refusal: str = ""
    delivered: str = ""
    reason: str = ""
    runs: Sequence[Seen] = ()
    in_crm: bool = False
    told_at: datetime | None = None
    has_contact: bool = False


@dataclass(frozen=True, slots=True)
class Flight:
    """How far it has come: the hops passed, each with when; ``hop`` is where it is now, and ``error`` what stops it.

    ``is_over`` says that it arrived (no ``hop``), or that waiting longer is of no use.
    """

    passed: Sequence[tuple[str, datetime | None]]
    hop: str = ""
    error: str = ""
    is_over: bool = False


def follow(canary: Canary, sight: Sight) -> Flight:
    """Say how far a canary has come."""
    source = f"source {canary.source}"
    if sight.refusal or sight.delivered in {"rejected", "failed"}:
        return Flight((), source, sight.refusal or sight.reason, is_over=True)
    if not sight.delivered:
        return Flight((), source, "It was sent, and no answer came.")
    passed: list[tuple[str, datetime | None]] = []
    inbound = next((run for run in sight.runs if run.workflow == _INBOUND), None)
    if inbound is None or inbound.state != "done":
        error = inbound.error if inbound and inbound.state == "failed" else "No worker has taken it yet."
        return Flight(passed, source, error, is_over=bool(inbound and inbound.state == "failed"))
    passed.append((canary.source, inbound.at))
    if canary.crm and not sight.in_crm:
        push = next((run for run in sight.runs if run.workflow == _PUSH), None)
        return Flight(passed, f"crm {canary.crm}", _why(push), is_over=bool(push and push.state == "failed"))
    if canary.crm:
        passed.append((canary.crm, next((run.at for run in sight.runs if run.workflow == _PUSH), None)))
    for run in sight.runs:
        if run.workflow in {_INBOUND, _PUSH} or run.state == "done":
            continue
        is_stuck = run.state != "waiting" or bool(run.held_at) or run.waiting_for.startswith(_RETRY)
        if is_stuck:
            at = f"{run.step.partition('.')[0]} {run.connection}" if run.connection else f"workflow {run.workflow}"
            return Flight(passed, at, _why(run), is_over=run.state in {"failed", "cancelled"})
    own = [run for run in sight.runs if run.workflow not in {_INBOUND, _PUSH}]
    if own:
        passed.append(
            (", ".join(sorted({run.workflow for run in own})), max((r.at for r in own if r.at), default=None))
        )
    if canary.chat and sight.told_at is None:
        error = "No workflow has posted about it. Where none should, take chat out of through in [canary]."
        return Flight(passed, f"chat {canary.chat}", error if all(run.state == "done" for run in own) else "")
    if canary.chat:
        passed.append((canary.chat, sight.told_at))
    return Flight(passed, is_over=True)


def _why(run: Seen | None) -> str:
    if run is None:
        return "Nothing has been begun there."
    if run.held_at:
        return f"It waits at {run.held_at}. {run.trouble}".strip()
    return run.error or run.trouble or f"It is {run.state}{' for ' + run.waiting_for if run.waiting_for else ''}."


def trouble_of_canary(flight: Flight) -> Trouble:
    """Describe a canary that did not arrive."""
    before = ", ".join(name for name, _ in flight.passed)
    came = f"It came as far as {before}." if before else "It came nowhere."
    return Trouble(
        fingerprint=fingerprint_of(CANARY_KIND, CANARY_KIND),
        title="The canary did not arrive",
        cause=f"Broken: {flight.hop}. {came} {flight.error}"[:700],
        mend="Leads that come the same way meet the same: see that hop, and mend it. The next canary that arrives "
        "resolves this. Its flights: mainstay monitors show canary.",
        severity="critical",
    )


def hops_of(passed: Sequence[tuple[str, datetime | None]], sent_at: datetime) -> list[dict[str, Any]]:
    """Return the hops as a canary's row keeps them, each with the milliseconds since it was sent."""
    return [
        {"name": name, "ms": max(0, int((at - sent_at).total_seconds() * 1000)) if at else 0} for name, at in passed
    ]
