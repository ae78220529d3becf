"""What people are told of incidents, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from mainstay.kit.roles import Button, Page
from mainstay.watch.channels import Message
from mainstay.watch.routes import Severity
from mainstay.watch.telling import Kind

_EVENTS: Mapping[Kind, str] = {
    "opened": "incident.opened",
    "reopened": "incident.reopened",
    "worse": "incident.opened",
    "escalated": "incident.escalated",
    "recovered": "incident.resolved",
    "acknowledged": "incident.acknowledged",
}
_ACTIONS: Mapping[Kind, Literal["acknowledge", "resolve"]] = {"recovered": "resolve", "acknowledged": "acknowledge"}
_BEFORE: Mapping[Kind, str] = {
    "reopened": "Again: ",
    "worse": "Now critical: ",
    "escalated": "Nobody has acknowledged: ",
    "recovered": "Over: ",
    "acknowledged": "Seen to: ",
}
_MOST_NAMED = 20
_LONGEST_SUMMARY = 1000
_LONGEST_SUBJECT = 200
_SHORT = 320


@dataclass(frozen=True, slots=True)
class Told:
    """An incident as it is told: ``leads`` counts the people it affects, ``is_capped`` when there are more.

    ``run_url`` is of the newest run that it stopped; empty where it stopped none.
    """

    id: UUID
    severity: Severity
    title: str
    cause: str
    mend: str
    connection: str
    is_open: bool
    occurrences: int
    leads: int
    is_capped: bool
    first_seen: datetime
    resolved_at: datetime | None
    acknowledged_by: str
    url: str
    run_url: str = ""

    @property
    def affected(self) -> str:
        """Who is affected, as a sentence; empty for nobody."""
        if not self.leads:
            return ""
        if self.leads == 1:
            return "1 lead is affected."
        return f"{'More than ' if self.is_capped else ''}{self.leads:,} leads are affected."


def message_of(kind: Kind, incidents: Sequence[Told], workspace: str, list_url: str) -> Message:
    """Say what happened to one incident, or to several in one message."""
    pages = tuple(_page(kind, each, workspace) for each in incidents)
    data = {"workspace": workspace, "incidents": [_data(each) for each in incidents]}
    if len(incidents) == 1:
        (one,) = incidents
        title = _BEFORE.get(kind, "") + one.title
        return Message(
            subject=f"Mainstay: {title}"[:_LONGEST_SUBJECT],
            text=_text(kind, title, one),
            short=_short(f"{workspace}: {title}. {one.affected if one.is_open else ''}", one.url),
            event=_EVENTS[kind],
            data=data,
            buttons=_buttons(kind, one),
            pages=pages,
        )
    head = f"{len(incidents)} things {'are over' if kind == 'recovered' else 'broke'}"
    lines = [_line(each) for each in incidents[:_MOST_NAMED]]
    if len(incidents) > _MOST_NAMED:
        lines.append(f"and {len(incidents) - _MOST_NAMED} more")
    return Message(
        subject=f"Mainstay: {head}, among them: {incidents[0].title}"[:_LONGEST_SUBJECT],
        text="\n".join((f"{head} at {workspace}", *lines, list_url)),
        short=_short(f"{workspace}: {head}, among them: {incidents[0].title}.", list_url),
        event=_EVENTS[kind],
        data=data,
        buttons=(Button("See them all", list_url),),
        pages=pages,
    )


def plain_message_of(kind: Kind, incidents: Sequence[tuple[UUID, str]], list_url: str) -> Message:
    """Say of incidents, each an id and a title, what can be said of any: where nothing better can be composed."""
    before = _BEFORE.get(kind, "")
    lines = [f"{before}{title or 'Something broke'} ({list_url}/{key})" for key, title in incidents[:_MOST_NAMED]]
    if len(incidents) > _MOST_NAMED:
        lines.append(f"and {len(incidents) - _MOST_NAMED} more: {list_url}")
    why = "This is all that could be said of it here: the log of the worker has the reason, the page the details."
    title = f"{before}{incidents[0][1] or 'Something broke'}" if incidents else "Something broke"
    return Message(
        subject=f"Mainstay: {title}"[:_LONGEST_SUBJECT],
        text="\n".join((*lines, why)),
        short=_short(title, list_url),
        event=_EVENTS[kind],
        data={"incidents": [{"id": str(key), "title": title, "url": f"{list_url}/{key}"} for key, title in incidents]},
        pages=tuple(
            Page(
                action=_ACTIONS.get(kind, "trigger"),
                key=f"mainstay-{key}",
                summary=(title or "Something broke")[:_LONGEST_SUMMARY],
                severity="critical",
                link=f"{list_url}/{key}",
            )
            for key, title in incidents
        ),
    )


def message_of_test(workspace: str, channel: str, key: str, url: str) -> Message:
    """Say that this is a test of a channel. A pager is told that it is information, and that it is over."""
    title = f"Test of the alerts of {workspace}"
    text = f"{title}\nNothing is broken. Alerts come over {channel}, and this one did."
    page = Page("trigger", key, title, "info", link=url)
    over = Page("resolve", key, title, "info", link=url)
    return Message(
        subject=f"Mainstay: {title}",
        text=f"{text}\n{url}",
        short=_short(f"{title}: nothing is broken.", url),
        event="alerts.tested",
        data={"workspace": workspace, "channel": channel},
        pages=(page, over),
    )


def _text(kind: Kind, title: str, told: Told) -> str:
    if kind == "recovered":
        lasted = told.resolved_at - told.first_seen if told.resolved_at else None
        minutes = f", after {_length(lasted.total_seconds())}" if lasted else ""
        times = "once" if told.occurrences == 1 else f"{told.occurrences:,} times"
        return f"{title}\nIt is over{minutes}. It happened {times}.\n{told.url}"
    who = f"{told.acknowledged_by or 'Somebody'} sees to it." if kind == "acknowledged" else told.mend
    return "\n".join(part for part in (title, told.cause, who, told.affected, told.url) if part)


def _buttons(kind: Kind, told: Told) -> tuple[Button, ...]:
    buttons = [Button("Open incident", told.url)]
    if told.run_url and kind != "recovered":
        buttons.append(Button("Open run", told.run_url))
    if kind not in {"recovered", "acknowledged"}:
        buttons.append(Button("Acknowledge", f"{told.url}?acknowledge=1"))
    return tuple(buttons)


def _line(told: Told) -> str:
    state = "" if told.is_open else " (over already)"
    return f"• {told.title}{state}. {told.affected} {told.url}".replace("  ", " ")


def _short(text: str, url: str) -> str:
    room = _SHORT - len(url) - 1
    line = " ".join(text.split())
    return f"{line if len(line) <= room else line[: max(0, room - 1)] + '…'} {url}".strip()


def _page(kind: Kind, told: Told, workspace: str) -> Page:
    return Page(
        action=_ACTIONS.get(kind, "trigger"),
        key=f"mainstay-{told.id}",
        summary=f"{workspace}: {told.title}. {told.affected}".strip()[:_LONGEST_SUMMARY],
        severity="critical" if told.severity == "critical" else "warning",
        component=told.connection,
        details="\n".join(part for part in (told.cause, told.mend) if part),
        link=told.url,
    )


def _data(told: Told) -> dict[str, Any]:
    return {
        "id": str(told.id),
        "severity": told.severity,
        "title": told.title,
        "cause": told.cause,
        "to_do": told.mend,
        "connection": told.connection,
        "state": "open" if told.is_open else "resolved",
        "occurrences": told.occurrences,
        "leads": told.leads,
        "first_seen": told.first_seen.isoformat(),
        "resolved_at": told.resolved_at.isoformat() if told.resolved_at else None,
        "acknowledged_by": told.acknowledged_by,
        "url": told.url,
    }


def _length(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
