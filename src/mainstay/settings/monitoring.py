"""``[monitors.NAME]``: jobs elsewhere that ping when they ran. ``[watch]``: who is told that Mainstay itself lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from mainstay.engine.schedule import Schedule
from mainstay.heartbeating import Heartbeat
from mainstay.kit import Duration
from mainstay.kit.hook import require_address
from mainstay.monitors import Monitor
from mainstay.settings.document import Document
from mainstay.settings.hours import EXAMPLE, Hours
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

_LEAST = timedelta(minutes=1)
_LEAST_HEARTBEAT = timedelta(seconds=10)
_MOST = timedelta(days=365)
_MOST_OPEN = timedelta(days=31)
_USUAL_GRACE = timedelta(hours=1)
_USUAL_EVERY = timedelta(days=1)


def _problem(message: str) -> PydanticCustomError:
    return PydanticCustomError("stack", "{problem}", {"problem": message})


def _check_length(length: timedelta) -> timedelta:
    if not _LEAST <= length <= _MOST:
        raise _problem('from a minute to a year: "5m", "1h", "1d"')
    return length


def _check_every(every: timedelta) -> timedelta:
    if not _LEAST_HEARTBEAT <= every <= _MOST:
        raise _problem('ten seconds at the least: every = "1m"')
    return every


Length = Annotated[Duration, AfterValidator(_check_length)]


class MonitorTable(Table):
    """``[monitors.NAME]``."""

    every: Length | None = Field(default=None, description='How long after a good ping the next comes: every = "1h"')
    schedule: str = Field(default="", description='The clock that the job runs by: schedule = "0 3 * * *"')
    timezone: str = Field(default="", description="Where that clock hangs; the workspace's own when not given.")
    grace: Length = Field(
        default=_USUAL_GRACE, description="How long after that it counts as late, and how long it may run."
    )
    within_hours: bool = Field(default=False, description="Whether only the time within the workspace's hours counts.")

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if self.every is not None and self.schedule:
            raise _problem("say either every or schedule: each says alone when the next ping comes")
        if self.timezone and not self.schedule:
            raise _problem('timezone is of a schedule: schedule = "0 3 * * *"')
        if self.schedule:
            what, mend = Schedule(self.schedule, self.timezone).problem()
            if what:
                raise _problem(f"{what}; {mend}")
        if self.within_hours and max(self.every or _LEAST, self.grace) > _MOST_OPEN:
            raise _problem("within business hours, a month of open time at most")
        return self


class WatchTable(Table):
    """``[watch]``."""

    heartbeat: str = Field(
        default="", repr=False, description='Pinged while work moves: heartbeat = "${HEARTBEAT_URL}"'
    )
    every: Annotated[Duration, AfterValidator(_check_every)] = Field(
        default=timedelta(minutes=1), description="How often; whoever is pinged should wait twice as long."
    )


def read_heartbeat(document: Document) -> Heartbeat | None:
    """Return where the heartbeat goes; None for nowhere."""
    table = check(document, ("watch",), WatchTable, document.data.get("watch", {}))
    at = ("watch", "heartbeat")
    if table is None or not table.heartbeat or at in document.broken:
        return None
    document.hide(table.heartbeat)
    try:
        require_address("heartbeat", table.heartbeat)
    except ValueError as error:
        document.add(at, str(error), "as healthchecks.io and its like show it")
        return None
    return Heartbeat(table.heartbeat, table.every)


def read_monitors(
    document: Document, tables: Iterable[tuple[str, dict[str, Any]]], timezone: ZoneInfo, hours: Hours | None
) -> Mapping[str, Monitor]:
    """Return the declared monitors by name."""
    found: dict[str, Monitor] = {}
    for name, written in tables:
        path = ("monitors", name)
        table = check(document, path, MonitorTable, written)
        if table is None:
            continue
        if table.within_hours and hours is None:
            document.add(
                (*path, "within_hours"), "the workspace has no hours", f'add  hours = "{EXAMPLE}"  to [workspace]'
            )
        schedule = Schedule(table.schedule, table.timezone) if table.schedule else None
        zone = ZoneInfo(table.timezone) if table.timezone else timezone
        every = table.every or (None if schedule else _USUAL_EVERY)
        found[name] = Monitor(name, every, schedule, zone, table.grace, hours if table.within_hours else None)
    return MappingProxyType(found)
