"""``[alerts]``: who hears of trouble, over what, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from mainstay.engine.schedule import Schedule
from mainstay.errors import PermanentError
from mainstay.kit import Duration, EmailMessage
from mainstay.kit.roles import require_textable
from mainstay.settings.document import Document, suggest
from mainstay.settings.hours import read_hours
from mainstay.settings.positions import KeyPath
from mainstay.settings.schema import Table, check_weekly_text, problem
from mainstay.settings.wording import check
from mainstay.watch.channels import ROLES
from mainstay.watch.routes import Alerts, Ladder, Route

if TYPE_CHECKING:
    from mainstay.kit import Connector
    from mainstay.settings.stack import ConnectionEntry

_LADDERS = ("critical", "other", "escalate")
_LEAST, _MOST = timedelta(minutes=1), timedelta(days=1)
_DAILY = re.compile(r"\s*\d")


def _check_length(length: timedelta) -> timedelta:
    if not _LEAST <= length <= _MOST:
        raise problem('from a minute to a day: "5m", "1h"')
    return length


def _check_digest(length: timedelta) -> timedelta:
    if length > _MOST:
        raise problem('a day at the most: "4m", "1h"; "0s" tells each at once')
    return length


def _every_day(text: str) -> str:
    """Give times without a day to every day."""
    return f"Mon-Sun {text.strip()}" if _DAILY.match(text) else text


def _check_quiet(text: str) -> str:
    try:
        if text.strip():
            read_hours(_every_day(text), ZoneInfo("UTC"))
    except ValueError as error:
        raise problem(f'{error}; or for every night just "22:00-07:00"') from None
    return text


def _check_test(text: str) -> str:
    return text if text == "off" else check_weekly_text(text)


def _check_step(step: Any) -> Any:
    texts = step if isinstance(step, list) else [step]
    if not texts or not all(isinstance(each, str) for each in texts):
        raise problem("should be a channel in quotes, or a list of those that are told together")
    return step


Steps = tuple[Annotated[Any, AfterValidator(_check_step)], ...]
Length = Annotated[Duration, AfterValidator(_check_length)]


class AlertsTable(Table):
    """``[alerts]``: who hears of trouble."""

    critical: Steps = Field(default=(), description='Whom what is critical is told at once: critical = ["slack"]')
    other: Steps = Field(default=(), description='Whom the rest is told, gathered: other = ["email:ops@acme.example"]')
    escalate: Steps = Field(default=(), description="Whom next, when nobody acknowledges what is critical.")
    escalate_after: Length = Field(
        default=timedelta(minutes=15), description='How long somebody has to acknowledge: escalate_after = "15m"'
    )
    digest: Annotated[Duration, AfterValidator(_check_digest)] = Field(
        default=timedelta(minutes=4), description='For how long what is not critical is gathered: digest = "4m"'
    )
    quiet: Annotated[str, AfterValidator(_check_quiet)] = Field(
        default="", description='Hours in which only what is critical is told: quiet = "22:00-07:00"'
    )
    outage_after: Length = Field(
        default=timedelta(minutes=5), description="How long a vendor is out before that is an incident."
    )
    paused_after: Length = Field(
        default=timedelta(hours=1), description="How long calls may wait at a paused connection before that is one."
    )
    review: Annotated[str, AfterValidator(check_weekly_text)] = Field(
        default="", description="When the weekly review is sent."
    )
    test: Annotated[str, AfterValidator(_check_test)] = Field(
        default="Mon 10:00", description='When each channel is tested, weekly: test = "Mon 10:00", or "off"'
    )


def read_alerts(
    document: Document,
    declared: Mapping[str, Connector | None],
    roles: Mapping[str, str],
    timezone: ZoneInfo,
    connections: Mapping[str, ConnectionEntry],
) -> Alerts:
    """Return who hears of trouble; each problem is noted where it stands.

    Where nobody is named, whoever reads the chat: nothing that breaks is to go unheard for want of a line.
    """
    written = document.data.get("alerts", {})
    table = check(document, ("alerts",), AlertsTable, written)
    reading = _Reading(document, declared, roles)
    ladders = {
        name: reading.ladder(("alerts", name), written.get(name) if isinstance(written, dict) else None)
        for name in _LADDERS
    }
    if table is None:
        return Alerts()
    chat = connections.get(roles.get("chat", ""))
    if not (table.critical or table.other) and chat is not None and chat.connector.own_channel(chat.settings):
        ladders["critical"] = ((Route(chat.name, chat.name, "chat", ""),),)
    if table.escalate and not table.critical:
        document.add(("alerts", "escalate"), "nobody is told first", 'add  critical = ["slack"]')
    return Alerts(
        **ladders,
        escalate_after=table.escalate_after,
        digest=table.digest,
        quiet=read_hours(_every_day(table.quiet), timezone) if table.quiet.strip() else None,
        outage_after=table.outage_after,
        paused_after=table.paused_after,
        review=table.review,
        test=None if table.test == "off" else Weekly(table.test, timezone),
    )


@dataclass(frozen=True, slots=True)
class Weekly:
    """A moment of each week, ``Mon 10:00``, by the clock of ``timezone``."""

    text: str
    timezone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first after an aware moment; None for none."""
        day, _, clock = self.text.strip().partition(" ")
        hour, _, minute = clock.strip().partition(":")
        schedule = Schedule(f"{int(minute)} {int(hour)} * * {day.lower()[:3]}")
        return next(schedule.after(moment, self.timezone), None)


class _Reading:
    """Reads channels as people write them: a connection or role, and whom."""

    def __init__(self, document: Document, declared: Mapping[str, Connector | None], roles: Mapping[str, str]) -> None:
        self._document = document
        self._declared = declared
        self._roles = roles

    def ladder(self, at: KeyPath, written: Any) -> Ladder:
        """Read steps; each is a channel, or a list of those that are told together."""
        if not isinstance(written, list):
            return ()
        steps = []
        for place, step in enumerate(written):
            together = list(enumerate(step)) if isinstance(step, list) else [(None, step)]
            found = tuple(
                route
                for inner, text in together
                if isinstance(text, str)
                and (route := self._route((*at, place) if inner is None else (*at, place, inner), text)) is not None
            )
            if found:
                steps.append(found)
        return tuple(steps)

    def _route(self, at: KeyPath, text: str) -> Route | None:
        document = self._document
        name, _, target = (part.strip() for part in text.partition(":"))
        if at in document.broken:
            return None
        if name in self._declared:
            connector, connection = self._declared[name], name
        elif name in self._roles:
            connector, connection = self._declared[self._roles[name]], self._roles[name]
        else:
            known = [*self._declared, *(role for role in self._roles if role in ROLES)]
            hint = suggest(name, known) or 'Write a connection or role, and whom: "slack" or "email:ops@acme.example".'
            document.add(at, f"{document.shown(at)} begins with no connection and no role", hint)
            return None
        if connector is None:
            return None
        role = name if name in connector.roles else next((each for each in ROLES if each in connector.roles), "")
        if role not in ROLES:
            message = f'connection "{connection}" (connector {connector.name}) cannot carry an alert'
            document.add(at, message, "alerts go by chat, email, sms, pager or layer (a signed webhook)")
            return None
        return Route(text, connection, role, target) if self._is_sendable(at, name, role, target) else None

    def _is_sendable(self, at: KeyPath, name: str, role: str, target: str) -> bool:
        said, hint = "", ""
        try:
            if role == "email":
                said, hint = "names no address", f'write whom to mail, like "{name}:ops@acme.example"'
                EmailMessage(to=target, subject="alert", text="").require_sendable()
            elif role == "sms":
                said, hint = "names no number", f'write whom to text, with the country: "{name}:+13125550111"'
                require_textable(target, "alert")
            elif role in {"pager", "layer"} and target:
                said, hint = "names whom, and this connection has one receiver", f'write just "{name}"'
                raise PermanentError(said)
        except PermanentError:
            self._document.add(at, f"{self._document.shown(at)} {said}", hint)
            return False
        return True
