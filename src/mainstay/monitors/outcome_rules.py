"""What should have become of each lead, by when, and what is said where it has not. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from mainstay.monitors.rules import OpenHours, fingerprint_of, length_of
from mainstay.watch.rules import Trouble

OUTCOME = "outcome"
"""The kind of monitor that follows what becomes of leads."""
NEW_LEAD = "contact.created"
MESSAGES = ("email.send", "sms.send", "voice.place_call")
RECORD, MESSAGE = "CRM record", "message"
_STEP = re.compile(r"[a-z_]+\.[a-z_]+")
_WORKFLOW = re.compile(r"[a-z][a-z0-9_-]*\.v[0-9]+")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Want:
    """One thing that should be: ``text`` as it is written; a record in the CRM, a step that succeeded, a workflow done.

    ``names`` are the steps, of which one will do, or the workflow.
    """

    text: str
    what: Literal["record", "step", "workflow"]
    names: tuple[str, ...] = ()


def read_want(text: str) -> Want:
    """Read what should be: ``crm record``, ``message``, a step such as ``chat.post``, or ``speed_to_lead.v1``.

    Raises:
        ValueError: it is none of these.
    """
    said = " ".join(text.lower().split())
    if said in {"crm record", "a crm record"}:
        return Want(RECORD, "record")
    if said in {MESSAGE, "a message", "first message", "a first message"}:
        return Want(MESSAGE, "step", MESSAGES)
    parts = tuple(part.strip() for part in said.split(" or "))
    if len(parts) == 1 and _WORKFLOW.fullmatch(said):
        return Want(said, "workflow", parts)
    if all(_STEP.fullmatch(part) for part in parts):
        return Want(said, "step", parts)
    raise ValueError(f'"{text}" is nothing that is known; write "CRM record", "message", "chat.post" or "welcome.v1"')


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """What should have become of each event of a type within a time, of some sources or all.

    ``hours`` is there where only open time counts.
    """

    name: str
    wants: tuple[Want, ...]
    within: timedelta
    event: str = NEW_LEAD
    sources: tuple[str, ...] = ()
    hours: OpenHours | None = None

    def due_at(self, at: datetime) -> datetime:
        """Return by when all should be, of what happened at a time."""
        return at + self.within if self.hours is None else self.hours.after(at, self.within)

    def in_words(self) -> str:
        """Say what should be, for lists."""
        whose = "Every new lead" if self.event == NEW_LEAD else f"Every {self.event}"
        if self.sources:
            whose += f" of {' or '.join(self.sources)}"
        said = " and ".join(_wanted(want) for want in self.wants)
        return f"{whose}: {said} within {length_of(self.within)}" + (" of business hours" if self.hours else "")


def _wanted(want: Want) -> str:
    return f"a {want.text}" if want.what == "record" or want.text == MESSAGE else want.text


@dataclass(frozen=True, slots=True)
class Breach:
    """A lead of which something is missing. ``who`` is short, for people who may see an alert on a lock screen."""

    event_id: UUID
    contact_id: UUID | None
    source: str
    at: datetime
    due_at: datetime
    missing: tuple[str, ...]
    who: str = ""


def short_name(first: str, last: str) -> str:
    """Return a person's name as an alert tells it: ``Sarah J.``."""
    initial = f" {last[0]}." if last else ""
    return f"{first or 'Somebody'}{initial}"


def trouble_of_breaches(rule: OutcomeRule, breaches: Sequence[Breach], total: int) -> Trouble:
    """Describe leads of which something is missing; ``total`` is how many there are by now, the newest are named."""
    named = "; ".join(
        f"{each.who} ({each.source}, {each.at:%H:%M} UTC): no {', no '.join(each.missing)}"
        for each in breaches[:_NAMED]
    )
    more = f"; and {total - _NAMED} more" if total > _NAMED else ""
    leads = "1 lead is" if total == 1 else f"{total} leads are"
    return Trouble(
        severity="critical",
        fingerprint=fingerprint_of(OUTCOME, rule.name),
        title=f"{leads} without what {rule.name} promises",
        cause=f"{rule.in_words()}. Missing: {named}{more}."[:900],
        mend="Open each lead and see what it waits for; call whoever waits. When all have what is missing, this "
        f"resolves by itself. All of them: mainstay monitors show {rule.name} --kind outcome.",
    )
