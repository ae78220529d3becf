"""Each tick becomes one run: with several workers, after a downtime, when clocks are wrong, when somebody dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mainstay import scheduling
from mainstay.db import acquire
from mainstay.runs import NewRun, add_runs
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
"""
DIGEST = """
    from mainstay import Schedule, Tick

    @workflow("digest.v1", schedule=Schedule("0 9 * * *", catch_up="{catch_up}"))
    async def digest(ctx: Context, tick: Tick) -> None:
        since = tick.previous.strftime("%d %H:%M") if tick.previous else "the beginning"
        await ctx.chat.post("#leads", f"{tick.at:%d %H:%M}, since {since}, missed {tick.missed}")
"""
CHICAGO = ZoneInfo("America/Chicago")


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def rows(stack: StackUnderTest, query: str) -> list[dict[str, Any]]:
    async with acquire(stack.app.pool) as connection:
        return [dict(row) for row in await connection.fetch(query)]


def digest(catch_up: str = "last") -> str:
    return DIGEST.replace("{catch_up}", catch_up)


async def test_a_schedule_fires_by_the_workspaces_clock(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, digest())
    await stack.start_at(datetime(2026, 3, 7, 12))  # noqa: DTZ001 - the workspace's clock; it is put forward on the 8th
    await stack.advance("2d")

    assert posts(sandbox) == ["08 09:00, since the beginning, missed 0", "09 09:00, since 08 09:00, missed 0"]
    (first, second) = [row["input"]["tick"]["at"] for row in await rows(stack, "SELECT input FROM runs ORDER BY id")]
    assert (first, second) == ("2026-03-08T09:00:00-05:00", "2026-03-09T09:00:00-05:00")


@pytest.mark.parametrize(
    ("catch_up", "told", "missed"),
    [
        ("last", ["05 09:00, since 02 09:00, missed 2"], 2),
        ("all", [f"0{day} 09:00, since 0{day - 1} 09:00, missed 0" for day in (3, 4, 5)], 0),
        ("none", [], 3),
    ],
)
async def test_after_a_downtime_missed_ticks_are_caught_up_as_it_says(
    make_stack: MakeStack, sandbox: Sandbox, catch_up: str, told: list[str], missed: int
) -> None:
    stack = await make_stack(STACK, digest(catch_up))
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    await stack.advance("2h")
    stack.clock.now += timedelta(days=3)  # nobody was there: 3, 4 and 5 June at 9 passed
    await stack.app.scheduler.declare()
    await stack.settle()

    assert posts(sandbox)[1:] == told
    (row,) = await rows(stack, "SELECT missed, next_at FROM schedules")
    assert (row["missed"], row["next_at"]) == (missed, datetime(2026, 6, 6, 9, tzinfo=CHICAGO))


async def test_a_tick_that_is_a_little_late_is_not_missed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, digest("none"))
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    stack.clock.now = datetime(2026, 6, 2, 14, 0, 59, tzinfo=UTC)
    await stack.settle()

    assert posts(sandbox) == ["02 09:00, since the beginning, missed 0"]


async def test_many_missed_ticks_are_fired_in_order_and_in_parts(make_stack: MakeStack) -> None:
    source = """
        from mainstay import Schedule

        @workflow("minute.v1", schedule=Schedule("* * * * *", catch_up="all"))
        async def minute(ctx, tick):
            return tick.at.isoformat()
    """
    stack = await make_stack(STACK, source)
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    stack.clock.now += timedelta(minutes=250)

    assert await stack.app.scheduler.fire_due() == 250
    found = await rows(stack, "SELECT input FROM runs ORDER BY id")
    ticks = [datetime.fromisoformat(row["input"]["tick"]["at"]) for row in found]
    assert ticks == sorted(ticks)
    assert [later - earlier for earlier, later in pairwise(ticks)] == [timedelta(minutes=1)] * 249


async def test_several_workers_fire_a_tick_once(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, digest("all"))
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    for day in range(3):
        stack.clock.now = datetime(2026, 6, 2 + day, 14, tzinfo=UTC)
        fired = await asyncio.gather(*(stack.app.scheduler.fire_due() for _ in range(8)))
        assert sum(fired) == 1
    assert len(await rows(stack, "SELECT id FROM runs")) == 3


async def test_a_clock_that_jumps_an_hour_ahead_and_back_fires_each_tick_once(make_stack: MakeStack) -> None:
    source = """
        from mainstay import Schedule

        @workflow("quarter.v1", schedule=Schedule("*/15 * * * *", catch_up="{catch_up}"))
        async def quarter(ctx, tick):
            return None
    """
    for catch_up in ("last", "all"):
        stack = await make_stack(STACK, source.replace("{catch_up}", catch_up))
        begin = datetime(2026, 6, 2 if catch_up == "last" else 12, 8, 1, tzinfo=UTC)
        await stack.start_at(begin)
        stack.clock.now = begin + timedelta(hours=1)  # wrong: it is put ahead
        await stack.settle()
        for minutes in range(3, 64, 3):  # put right, and time passes
            stack.clock.now = begin + timedelta(minutes=minutes)
            await stack.app.scheduler.declare()
            await stack.settle()
        fired = [
            row["input"]["tick"]["at"]
            for row in await rows(stack, "SELECT input FROM runs ORDER BY id")
            if datetime.fromisoformat(row["input"]["tick"]["at"]) > begin
        ]
        assert len(fired) == len(set(fired)) == 4, fired


async def test_an_edit_begins_with_the_next_tick_and_a_schedule_that_is_gone_fires_no_more(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, digest())
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    edited = await make_stack(STACK, digest().replace("0 9 * * *", "0 10 * * *"))
    await edited.app.scheduler.declare()
    await edited.advance("90m")
    assert posts(sandbox) == []  # neither do those that still run the old code fire what it says
    assert await stack.app.scheduler.fire_due() == 0
    await edited.advance("1h")
    assert posts(sandbox) == ["02 10:00, since the beginning, missed 0"]

    gone = await make_stack(STACK)
    await gone.advance("3d")
    assert len(posts(sandbox)) == 1
    assert await rows(gone, "SELECT * FROM schedules") == []


async def test_death_between_the_claim_of_a_tick_and_its_run_loses_nothing_and_doubles_nothing(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await make_stack(STACK, digest("none"))
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    stack.clock.now = datetime(2026, 6, 2, 14, tzinfo=UTC)

    class KilledError(BaseException):
        """Unwinds as nothing in the code foresees."""

    for place in ("add_runs", "advance"):
        real = getattr(scheduling, place)

        async def die(*_args: Any, **_kwargs: Any) -> None:
            raise KilledError

        monkeypatch.setattr(scheduling, place, die)
        with pytest.raises(KilledError):
            await stack.app.scheduler.fire_due()
        monkeypatch.setattr(scheduling, place, real)
        assert await rows(stack, "SELECT id FROM runs") == []

    assert await stack.app.scheduler.fire_due() == 1
    assert await stack.app.scheduler.fire_due() == 0


async def test_one_schedule_that_cannot_fire_does_not_keep_the_others(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = digest().replace("digest", "other").replace("0 9", "1 9")
    stack = await make_stack(STACK, digest() + other)
    await stack.start_at(datetime(2026, 6, 2, 8, tzinfo=CHICAGO))
    stack.clock.now = datetime(2026, 6, 2, 14, 1, tzinfo=UTC)
    real = add_runs

    async def add(connection: Any, runs: list[NewRun]) -> None:
        if any(run.workflow == "digest.v1" for run in runs):
            raise RuntimeError("this one is broken")
        await real(connection, runs)

    monkeypatch.setattr(scheduling, "add_runs", add)
    assert await stack.app.scheduler.fire_due() == 1
    assert "could not be fired" in caplog.text
    monkeypatch.setattr(scheduling, "add_runs", real)
    assert await stack.app.scheduler.fire_due() == 1
