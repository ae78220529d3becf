"""``schedule=``: when a workflow runs by the clock. Pure; the rules are those of Debian's cron (library: cronsim)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

CatchUp = Literal["last", "all", "none"]
CATCH_UPS: tuple[CatchUp, ...] = ("last", "all", "none")

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EXAMPLE = '"0 9 * * mon" (Mondays at 9), "*/15 * * * *", "@daily"'


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a workflow runs by the clock: ``Schedule("0 9 * * mon")``.

    Attributes:
        cron: five fields, six with seconds in front, or a word: ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``.
        timezone: an IANA name; empty for the workspace's own.
        catch_up: what becomes of ticks that nobody was there to fire: ``last`` fires the latest of them, ``all`` each,
            ``none`` none.
    """

    cron: str
    timezone: str = ""
    catch_up: CatchUp = "last"

    def problem(self) -> tuple[str, str]:
        """Return what is wrong with it and how to mend that; two empty texts where nothing is."""
        try:
            next(_ticks(self.cron, datetime(2000, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            return f'"{self.cron}" is no cron expression: {str(error).lower()}', f"for example {_EXAMPLE}"
        except StopIteration:
            return f'"{self.cron}" never comes', f"for example {_EXAMPLE}"
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError):
                return f'"{self.timezone}" is no time zone', 'write an IANA name, for example "Europe/London"'
        if self.catch_up not in CATCH_UPS:
            return f'catch_up="{self.catch_up}" is not known', f"there are: {', '.join(CATCH_UPS)}"
        return "", ""

    def after(self, moment: datetime, timezone: ZoneInfo) -> Iterator[datetime]:
        """Yield the ticks after an aware moment, in UTC, by the clock of ``timezone``; it ends 50 years without one.

        What is due in an hour that the clock skips in spring fires once that hour is over; what is due in one that
        comes twice in autumn fires once. An interval, such as every quarter of an hour, goes on evenly in both.
        """
        last = moment
        for tick in _ticks(self.cron, moment.astimezone(timezone)):
            utc = tick.astimezone(UTC)
            # The library leaves the doubled hour's second pass out of account when it begins within it.
            if utc > last:
                last = utc
                yield utc

    def in_words(self) -> str:
        """Return the expression in English, for lists."""
        return CronSim(_WORDS.get(self.cron.strip().lower(), self.cron), datetime(2000, 1, 1, tzinfo=UTC)).explain()


def _ticks(cron: str, moment: datetime) -> Iterator[datetime]:
    return CronSim(_WORDS.get(cron.strip().lower(), cron), moment)


@dataclass(frozen=True, slots=True)
class Tick:
    """One moment of a schedule, as its workflow gets it.

    Attributes:
        at: when it was due, by the clock of the schedule's time zone.
        previous: the tick that was fired before it, None for the first: what a digest tells of begins there.
        missed: how many ticks between the two were not fired, as nobody was there.
    """

    at: datetime
    previous: datetime | None = None
    missed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a run's input keeps it."""
        zone = self.at.tzinfo.key if isinstance(self.at.tzinfo, ZoneInfo) else "UTC"
        return {
            "at": self.at.isoformat(),
            "previous": self.previous.isoformat() if self.previous else None,
            "missed": self.missed,
            "timezone": zone,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tick:
        """Read what :meth:`to_json` wrote."""
        zone = ZoneInfo(data["timezone"])
        previous = data["previous"]
        return cls(
            datetime.fromisoformat(data["at"]).astimezone(zone),
            datetime.fromisoformat(previous).astimezone(zone) if previous else None,
            data["missed"],
        )


def run_id_of(workspace_id: UUID, workflow: str, tick: datetime) -> UUID:
    """Return the id of a tick's run: the same wherever and whenever it is fired, and sorted by the tick's time."""
    digest = sha256(f"{workspace_id} {workflow} {tick.astimezone(UTC).isoformat()}".encode()).digest()
    milliseconds = int(tick.timestamp() * 1000).to_bytes(6, "big")
    number = bytearray(milliseconds + digest[:10])
    number[6] = number[6] & 0x0F | 0x70
    number[8] = number[8] & 0x3F | 0x80
    return UUID(bytes=bytes(number))
