"""One and the same story again and again, each time killed at another of the boundaries that it passes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from mainstay.testing.database import Databases
from tests.faults.victim import STRUCK

AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Telling:
    """One telling of the story: the ``nth`` passing of the boundary ``strike`` is its end, of none when it is empty.

    ``number`` tells it from the others, who share the vendors.
    """

    dsn: str
    number: int
    strike: str = ""
    nth: int = 0


# Returns what was wrong, and the boundaries passed until the kill.
Story = Callable[[Telling], Awaitable[tuple[list[str], list[str]]]]


async def kill_at_each(
    story: Story,
    databases: Databases,
    *,
    passes: Collection[str],
    kind: str | tuple[str, ...] = "",
    fewest: int = 1,
    most: int | None = None,
    struck: float = 0.9,
    of_each: bool = False,
) -> None:
    """Tell a story whole, then once for each boundary that it passed; nothing may be wrong in any telling.

    Args:
        story: tells it once.
        databases: from them comes one for each telling.
        passes: boundaries that it must pass, else the test has lost its subject.
        kind: how the names of those begin at which it is killed, in one or several ways.
        fewest: how many boundaries, of whatever kind, it must pass.
        most: at how many passings of each name it is killed, from the first to the last.
        struck: the share of boundaries that must have been met again: two writes may happen to share a commit.
        of_each: whether some must have been met of each name.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def tell(number: int, strike: str = "", nth: int = 0) -> tuple[list[str], list[str]]:
        async with places:
            with databases.fresh() as dsn:
                return await story(Telling(dsn, number, strike, nth))

    problems, passed = await tell(0)
    assert not problems, "\n".join(problems)
    assert set(passes) <= set(passed)
    assert len(passed) >= fewest, passed
    boundaries = [
        (name, nth)
        for name, count in Counter(passed).items()
        if name.startswith(kind)
        for nth in _spread(count, most or count)
    ]
    outcomes = await asyncio.gather(*(tell(number, name, nth) for number, (name, nth) in enumerate(boundaries, 1)))

    found = [
        f"killed at {name} ({nth}): {problem}"
        for (name, nth), (problems, _) in zip(boundaries, outcomes, strict=True)
        for problem in problems
    ]
    assert not found, "\n".join(found)
    met = Counter(name for (name, _), (_, passed) in zip(boundaries, outcomes, strict=True) if STRUCK in passed)
    assert met.total() >= struck * len(boundaries), met
    assert not of_each or set(met) == {name for name, _ in boundaries}, met


def _spread(count: int, most: int) -> list[int]:
    """Return passings from 1 to ``count``, ``most`` of them, evenly apart."""
    if count <= most or most == 1:
        return list(range(1, min(count, most) + 1))
    return [1 + place * (count - 1) // (most - 1) for place in range(most)]
