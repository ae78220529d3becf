"""Counts that stop counting: the price of a number must not grow with the table."""

from __future__ import annotations

from dataclasses import dataclass

COUNT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows, counted up to a limit: ``is_more`` says that there are more than ``number``."""

    number: int
    is_more: bool = False

    def __bool__(self) -> bool:
        return self.number > 0

    def __add__(self, other: Count) -> Count:
        return Count(self.number + other.number, self.is_more or other.is_more)

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.is_more else f"{self.number:,}"


def count_of(number: int, limit: int = COUNT_LIMIT) -> Count:
    """Make a count of a number that was asked for with ``LIMIT limit + 1``."""
    return Count(min(number, limit), number > limit)
