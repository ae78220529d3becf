"""Which days are public holidays: then hardly anybody writes, and nobody should be woken for it."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from mainstay.monitors.rhythm import Holiday, no_holiday


@lru_cache
def public_holidays(region: str) -> Holiday:
    """Return what tells of a day whether it is a public holiday in a region of two letters; of an unknown one, none is.

    Those of the whole country: what a state or a town adds is not known here.
    """

    @lru_cache(maxsize=1000)
    def is_holiday(day: date) -> bool:
        return _calendar(region)(day)

    return is_holiday


@lru_cache
def _calendar(region: str) -> Holiday:
    import holidays  # noqa: PLC0415 - half a second, for whoever watches alone

    try:
        calendar = holidays.country_holidays(region)
    except NotImplementedError:
        return no_holiday
    return calendar.__contains__
