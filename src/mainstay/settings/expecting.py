"""``expect`` of sources: what should be heard of each, and by when."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mainstay.kit.source import AskedSourceSettings
from mainstay.monitors import Expectation, SourceRule, read_expectation
from mainstay.monitors.rhythm import no_holiday
from mainstay.settings.hours import EXAMPLE

if TYPE_CHECKING:
    from mainstay.monitors.calendars import DaysOff
    from mainstay.settings.document import Document
    from mainstay.settings.hours import Hours
    from mainstay.settings.stack import SourceEntry

OFF = "off"


def read_source_rules(
    document: Document,
    sources: Mapping[str, SourceEntry],
    timezone: ZoneInfo,
    hours: Hours | None,
    days_off: DaysOff | None,
) -> Mapping[str, SourceRule]:
    """Return how each source is watched: by what it declares, else by what is learned of it; one that is off is not.

    A source of failures is watched only where it declares something: its silence is good news.
    """
    found = {}
    is_holiday = days_off.includes if days_off else no_holiday
    for name, entry in sources.items():
        written = entry.settings.expect.strip()
        expectation: Expectation | None = None
        if written.lower() == OFF or (not written and isinstance(entry.settings, AskedSourceSettings)):
            continue
        if written:
            try:
                expectation = read_expectation(written, hours)
            except ValueError as error:
                is_hours = hours is None and "business" in written.lower()
                mend = f'add  hours = "{EXAMPLE}"  to [workspace]' if is_hours else ""
                document.add(("sources", name, "expect"), str(error), mend)
                continue
        found[name] = SourceRule(name, expectation, timezone, is_holiday)
    return MappingProxyType(found)
