from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from mainstay.access import Keys
from mainstay.db import acquire
from mainstay.insight import open_incidents, resolved_incidents, verdict
from mainstay.insight.monitors import MonitorRow, find_monitor, list_monitors, list_pings
from mainstay.monitors import KEPT, Monitors, Outcome, Ping, Signal
from mainstay.testing import StackUnderTest
from mainstay.watch import resolve_healed

MakeStack = Callable[..., Awaitable[StackUnderTest]]
STACK = """
hours = "Mon-Fri 08:00-18:00"

[connections.slack]
connector = "slack"
token = "${SLACK_TOKEN}"

[alerts]
critical = ["slack:#alerts"]

[monitors.backup]
every = "1h"
grace = "5m"

[monitors.report]
schedule = "0 9 * * *"
timezone = "Europe/London"
"""
GOOD = Ping(Signal.SUCCESS)


class Job:
    """A job that pings, somewhere."""

    def __init__(self, stack: StackUnderTest, name: str = "backup") -> None:
        self.stack, self.name = stack, name
        self.workspace_id = next(iter(stack.app.workspaces))

    async def ping(self, ping: Ping = GOOD, *, key: str = "") -> Outcome:
        key = key or (await self.stack.app.pinged.keys(self.workspace_id))[self.name]
        return await self.stack.app.pinged.receive(self.workspace_id, self.name, key, ping)

    async def row(self) -> MonitorRow:
        async with acquire(self.stack.app.pool) as connection:
            found = await find_monitor(connection, self.workspace_id, self.name, self.stack.clock())
        assert found is not None
        return found

    async def open(self) -> list[str]:
        async with acquire(self.stack.app.pool) as connection:
            await resolve_healed(connection)
            return [each.title for each in await open_incidents(connection, self.workspace_id)]

    async def resolved(self) -> list[str]:
        async with acquire(self.stack.app.pool) as connection:
            return [each.title for each in (await resolved_incidents(connection, self.workspace_id)).items]


async def test_a_job_that_is_late_is_one_incident_with_one_alert_until_it_is_heard_of(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await stack.advance("3h")
    assert await job.open() == [], "what was never heard of is not awaited"
    assert (await job.row()).state == "new"

    assert await job.ping() is Outcome.TAKEN
    await stack.advance("1h 4m")
    assert (await job.row()).state == "late"
    assert await job.open() == []
    await stack.advance("2m")
    assert (await job.row()).state == "down"
    assert await job.open() == ["backup is late"]
    assert [alert.title for alert in stack.alerts] == ["backup is late"]
    async with acquire(stack.app.pool) as connection:
        assert (await verdict(connection, job.workspace_id, stack.clock())).is_broken

    await stack.advance("10h")
    assert len(stack.alerts) == 1, "no second alert without news"
    await job.ping()
    assert await job.open() == []
    assert await job.resolved() == ["backup is late"]
    assert (await job.row()).state == "up"


async def test_a_failure_is_told_at_once_and_late_or_failed_are_one_cause(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await job.ping()
    await stack.advance("2h")
    for status in (3, 4):
        await job.ping(Ping(Signal.FAIL, status, body="disk full"))
    await stack.settle()
    assert await job.open() == ["backup is late"]
    assert len(stack.alerts) == 1
    async with acquire(stack.app.pool) as connection:
        (incident,) = await open_incidents(connection, job.workspace_id)
    assert incident.occurrences == 3
    assert "exit code 4" in incident.cause
    assert incident.is_of_monitor
    assert not incident.is_foreseen
    await job.ping(Ping(Signal.LOG))
    await job.ping(Ping(Signal.START))
    assert await job.open() == ["backup is late"], "neither a word nor a beginning is a good end"
    await job.ping(Ping(Signal.SUCCESS, 0))
    assert await job.open() == []
    await job.ping(Ping(Signal.FAIL, 1))
    await stack.settle()
    assert await job.open() == ["backup failed"]
    async with acquire(stack.app.pool) as connection:
        (again,) = await open_incidents(connection, job.workspace_id)
    assert (again.id, again.occurrences) == (incident.id, 4), "what comes back within a day is the same incident"


async def test_what_began_and_does_not_end_is_late(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await job.ping(Ping(Signal.START))
    assert (await job.row()).state == "running"
    await stack.advance("6m")
    assert await job.open() == ["backup began and did not end"]


async def test_late_while_no_worker_is_there_is_found_when_it_is_back_or_kept_when_the_job_came_first(
    make_stack: MakeStack,
) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await job.ping()
    stack.clock.now += timedelta(days=2)  # nobody looks
    assert await job.open() == []
    assert (await job.row()).state == "down", "the page says so without a worker"
    await stack.app.watch_once()
    await stack.settle()
    assert await job.open() == ["backup is late"]
    assert len(stack.alerts) == 1

    await stack.advance("5m")
    await job.ping()
    stack.clock.now += timedelta(days=2)
    await job.ping()
    await stack.app.watch_once()
    await stack.settle()
    assert await job.open() == []
    assert await job.resolved() == ["backup is late"]
    (alert,) = stack.alerts
    assert alert.sent_to == ("#alerts",), "what is well again needs no second alert"


async def test_a_late_ping_and_the_look_for_it_at_once_never_leave_an_incident_behind(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    for _ in range(10):
        await job.ping()
        stack.clock.now += timedelta(hours=2)
        await asyncio.gather(stack.app.pinged.look(), job.ping(), stack.app.pinged.look(), job.ping())
        assert await job.open() == []
        assert (await job.row()).state == "up"
    async with acquire(stack.app.pool) as connection:
        assert await connection.fetchval("SELECT occurrences FROM incidents WHERE state = 'resolved'") == 10


async def test_many_pings_at_once_are_each_counted_and_the_newest_hundred_kept(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    key = (await stack.app.pinged.keys(job.workspace_id))["backup"]
    await asyncio.gather(*(job.ping(Ping(Signal.LOG, body=f"{number}"), key=key) for number in range(KEPT + 20)))
    async with acquire(stack.app.pool) as connection:
        pings = await list_pings(connection, job.workspace_id, "backup", size=500)
    assert [ping.number for ping in pings] == list(range(KEPT + 20, 20, -1))
    assert (await job.row()).pings == KEPT + 20


@pytest.mark.parametrize("key", ["x", "", "\0", "' OR true --", "é" * 5000])
async def test_a_wrong_key_changes_nothing(make_stack: MakeStack, key: str) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    assert await stack.app.pinged.receive(job.workspace_id, "backup", key, GOOD) is Outcome.UNKNOWN
    other = (await stack.app.pinged.keys(job.workspace_id))["report"]
    assert await job.ping(key=other) is Outcome.UNKNOWN, "each monitor has a key of its own"
    assert await stack.app.pinged.receive(job.workspace_id, "nothing", other, GOOD) is Outcome.UNKNOWN
    assert (await job.row()).pings == 0


async def test_the_key_stays_over_restarts_and_ends_when_it_is_renewed(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    old = (await stack.app.pinged.keys(job.workspace_id))["backup"]
    await stack.app.pinged.declare(job.workspace_id)
    assert (await stack.app.pinged.keys(job.workspace_id))["backup"] == old
    new = await stack.app.pinged.renew(job.workspace_id, "backup")
    assert await job.ping(key=old) is Outcome.UNKNOWN
    assert await job.ping(key=new) is Outcome.TAKEN
    with pytest.raises(LookupError):
        await stack.app.pinged.renew(job.workspace_id, "nothing")
    # Without the key that sealed it, an address works and cannot be shown.
    others = Monitors(stack.app.pool, stack.app, stack.app.alerter, Keys())
    assert (await others.keys(job.workspace_id))["backup"] == ""
    async with acquire(stack.app.pool) as connection:
        assert new not in str(await connection.fetch("SELECT * FROM monitors"))


async def test_what_a_job_says_is_kept_without_secrets_and_not_too_long(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    said = "sent to sarah.jones@example.com with sample-slack_token\npassword=hunter2\0 " + "x" * 50_000
    await job.ping(Ping(Signal.SUCCESS, body=said))
    async with acquire(stack.app.pool) as connection:
        (ping,) = await list_pings(connection, job.workspace_id, "backup")
    assert "sarah.jones" not in ping.body
    assert "sample-slack_token" not in ping.body
    assert "hunter2" not in ping.body
    assert len(ping.body.encode()) <= 10_000


async def test_a_monitor_that_is_declared_no_more_ends_with_its_incident(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await job.ping(Ping(Signal.FAIL))
    key = (await stack.app.pinged.keys(job.workspace_id))["backup"]
    await make_stack('[monitors.report]\nevery = "1d"\n')
    assert await job.open() == []
    assert await job.ping(key=key) is Outcome.UNKNOWN, "the process of before takes none either"
    async with acquire(stack.app.pool) as connection:
        assert [row.name for row in await list_monitors(connection, job.workspace_id, stack.clock())] == ["report"]
    again = await make_stack(STACK)
    assert (await again.app.pinged.keys(job.workspace_id))["backup"] == "", "sealed by the keys of the first"
    assert await Job(again).ping(key=key) is Outcome.TAKEN


async def test_another_rhythm_in_the_stack_counts_from_the_last_ping(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    await job.ping()
    slower = await make_stack(STACK.replace('every = "1h"', 'every = "1d"'))
    await slower.advance("2h")
    assert await job.open() == []
    assert (await Job(slower).row()).rule == "Every 1 day"


async def test_a_monitor_that_cannot_be_reported_does_not_hold_up_the_others(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await make_stack(STACK + '[monitors.second]\nevery = "1h"\n')
    for name in ("backup", "second"):
        await Job(stack, name).ping()
    stack.clock.now += timedelta(days=1)
    report = stack.app.alerter.raise_trouble

    async def fails(connection: Any, workspace_id: UUID, trouble: Any) -> UUID:
        if "backup" in trouble.title:
            raise RuntimeError("bad row")
        return await report(connection, workspace_id, trouble)

    monkeypatch.setattr(stack.app.alerter, "raise_trouble", fails)
    assert await stack.app.pinged.look() == 1
    assert await Job(stack).open() == ["second is late"]
    monkeypatch.undo()
    assert await stack.app.pinged.look() == 1


async def test_a_start_and_an_end_belong_together_by_their_run_id(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    job = Job(stack)
    one, other = uuid4(), uuid4()
    await job.ping(Ping(Signal.START, rid=one))
    await stack.advance("1m")
    await job.ping(Ping(Signal.SUCCESS, rid=other))
    assert (await job.row()).took is None
    await stack.advance("1m")
    await job.ping(Ping(Signal.SUCCESS, rid=one))
    assert (await job.row()).took == timedelta(minutes=2)
