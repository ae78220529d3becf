"""The budget of an account: never more than is allowed in any window, whoever leases and whenever a lease is used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.db import Pool, acquire
from mainstay.gates.store import Granted, declare, lease
from mainstay.kit import Rate
from mainstay.model import Lane

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Ask:
    after: float
    lane: Lane
    needed: int
    ahead: int


@dataclass(frozen=True)
class Lent:
    at: float
    lane: Lane
    granted: Granted


asks = st.lists(
    st.builds(
        Ask,
        after=st.one_of(st.just(0.0), st.floats(0, 0.5), st.floats(0, 15)),
        lane=st.sampled_from(Lane),
        needed=st.integers(1, 12),
        ahead=st.integers(0, 30),
    ),
    min_size=1,
    max_size=60,
)
rates = st.lists(
    st.builds(Rate, st.integers(1, 40), st.sampled_from([0.5, 1.0, 3.0, 10.0, 60.0])),
    min_size=1,
    max_size=3,
    unique_by=lambda rate: rate.seconds,
)
on_the_database = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def play(pool: Pool, of: Sequence[Rate], asked: Sequence[Ask]) -> list[Lent]:
    """Ask in order, at the moments that add up; returns what was lent."""
    account, seconds, lent = f"test:{uuid4()}", 0.0, []
    async with acquire(pool) as connection:
        await declare(connection, [], {account: of})
        for ask in asked:
            seconds += ask.after
            at = NOW + timedelta(seconds=seconds)
            granted = await lease(connection, account, ask.lane, needed=ask.needed, ahead=ask.ahead, at=at)
            lent.append(Lent(seconds, ask.lane, granted))
    return lent


def most_in_a_window(lent: Sequence[Lent], seconds: float) -> int:
    """Return how many calls one window may see at worst: each may be used at any moment of its lease."""
    return max(
        sum(
            other.granted.count
            for other in lent
            if last.at - seconds - other.granted.seconds + 1e-5 < other.at <= last.at
        )
        for last in lent
    )


@on_the_database
@given(rates, asks)
async def test_no_window_ever_sees_more_than_is_allowed(pool: Pool, of: list[Rate], asked: list[Ask]) -> None:
    lent = await play(pool, of, asked)
    for rate in of:
        assert most_in_a_window(lent, rate.seconds) <= rate.allowed
    for entry, ask in zip(lent, asked, strict=True):
        assert entry.granted.count <= ask.needed + ask.ahead
        assert entry.granted.count or entry.granted.wait > 0


@on_the_database
@given(rates, asks)
async def test_what_waits_as_long_as_it_is_told_is_served(pool: Pool, of: list[Rate], asked: list[Ask]) -> None:
    """Of the lead lane: its wait depends on nothing but what was lent."""
    lent = await play(pool, of, asked)
    last = lent[-1]
    wait = 0.0
    for _ in range(len(of) + 1):
        wait += 0.001
        more = await play(pool, of, [*asked, Ask(wait, Lane.LEAD, 1, 0)])
        if more[-1].granted.count:
            return
        wait += more[-1].granted.wait
    pytest.fail(f"not served after {wait} s: {last}")


@on_the_database
@given(st.integers(5, 100), asks)
async def test_backfill_leaves_a_fifth_to_leads(pool: Pool, allowed: int, asked: list[Ask]) -> None:
    lent = await play(pool, [Rate(allowed, 10.0)], asked)
    backfill = [entry for entry in lent if entry.lane is Lane.BACKFILL]
    if backfill:
        assert most_in_a_window(backfill, 10.0) <= allowed * 4 // 5


@on_the_database
@given(rates, asks)
async def test_while_leads_go_short_backfill_gets_nothing(pool: Pool, of: list[Rate], asked: list[Ask]) -> None:
    lent = await play(pool, of, asked)
    short_since = -10.0
    for entry, ask in zip(lent, asked, strict=True):
        if ask.lane is Lane.LEAD and entry.granted.count < ask.needed:
            short_since = entry.at
        elif ask.lane is Lane.BACKFILL and entry.at - short_since < 1.0 - 1e-5:
            assert entry.granted.count == 0


@pytest.mark.parametrize(("leads_share", "least"), [(0.5, 0.19), (0.75, 0.03), (0.0, 0.65)])
async def test_backfill_gets_what_leads_leave(pool: Pool, leads_share: float, least: float) -> None:
    """For ten minutes; leads have their share at all times, and what they leave is used."""
    asked: list[Ask] = []
    credit = 0.0
    for _ in range(1200):
        credit += 100 / 10.0 * 0.5 * leads_share
        asked.append(Ask(0.5, Lane.BACKFILL, 5, 0))
        if (now := int(credit)) > 0:
            asked.append(Ask(0.0, Lane.LEAD, now, 0))
            credit -= now
    lent = await play(pool, [Rate(100, 10.0)], asked)
    leads = sum(entry.granted.count for entry in lent if entry.lane is Lane.LEAD)
    backfill = sum(entry.granted.count for entry in lent if entry.lane is Lane.BACKFILL)
    assert leads >= 0.97 * sum(ask.needed for ask in asked if ask.lane is Lane.LEAD)
    assert backfill >= least * 6000
    assert most_in_a_window(lent, 10.0) <= 100


async def test_a_budget_in_demand_is_used_but_for_a_seventh(pool: Pool) -> None:
    lent = await play(pool, [Rate(100, 10.0), Rate(200_000, 86_400.0)], [Ask(0.05, Lane.LEAD, 20, 0)] * 2400)
    assert sum(entry.granted.count for entry in lent) >= 0.86 * 100 * 12


async def test_ahead_of_need_only_while_half_is_free(pool: Pool) -> None:
    lent = await play(pool, [Rate(100, 10.0)], [Ask(0.0, Lane.LEAD, 5, 30), *[Ask(0.0, Lane.LEAD, 5, 60)] * 4])
    assert [entry.granted.count for entry in lent] == [35, 15, 5, 5, 5]


async def test_connections_that_race_are_given_no_more(pool: Pool) -> None:
    """On the database's own clock, five at once."""
    account = f"test:{uuid4()}"
    async with acquire(pool) as connection:
        await declare(connection, [], {account: [Rate(50, 30.0)]})

    async def worker() -> int:
        total = 0
        for _ in range(20):
            async with acquire(pool) as connection:
                total += (await lease(connection, account, Lane.LEAD, needed=1, ahead=2, at=None)).count
        return total

    assert sum(await asyncio.gather(*(worker() for _ in range(5)))) == 50


async def test_what_is_no_longer_declared_no_longer_counts(pool: Pool) -> None:
    account = f"test:{uuid4()}"
    async with acquire(pool) as connection:
        await declare(connection, [], {account: [Rate(1, 30.0)]})
        assert (await lease(connection, account, Lane.LEAD, needed=2, ahead=0, at=None)).count == 1
        await declare(connection, [], {account: [Rate(5, 60.0)]})
        assert (await lease(connection, account, Lane.LEAD, needed=9, ahead=0, at=None)).count == 5
        await declare(connection, [], {account: [Rate(7, 60.0)]})
        assert (await lease(connection, account, Lane.LEAD, needed=9, ahead=0, at=None)).count == 2
