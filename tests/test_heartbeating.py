"""A watcher outside hears of Mainstay while work moves, and of nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mainstay.db import acquire
from mainstay.errors import ConfigError
from mainstay.heartbeating import STANDS_STILL_AFTER, WATCHED_WITHIN, Heart
from mainstay.runs import begin_run
from mainstay.settings.environment import Environment
from mainstay.settings.stack import load_stack
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import listen, serving


class Outside:
    """A watcher as healthchecks.io is one: notes what comes, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.status = 200

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        request = Request(scope, receive)  # type: ignore[arg-type]
        self.heard.append((request.url.path, (await request.body()).decode()))
        answer: Response = PlainTextResponse("OK", self.status)
        if self.status == 302:
            answer = RedirectResponse("/elsewhere")
        await answer(scope, receive, send)  # type: ignore[arg-type]


class Beating:
    def __init__(self, stack: StackUnderTest) -> None:
        self.stack = stack
        self.at = 1000.0
        self.heart = self.another()

    def another(self) -> Heart:
        return Heart(self.stack.app.pool, self.stack.app, self.stack.app.session, lambda: self.at)

    async def after(self, seconds: float, *, watches: bool = True) -> None:
        """Let the time pass, in all places that know it."""
        self.at += seconds
        if watches:
            self.stack.app.watched_at = self.at
        async with acquire(self.stack.app.pool) as connection:
            length = timedelta(seconds=seconds)
            await connection.execute("UPDATE heartbeats SET sent_at = sent_at - $1::interval", length)
            await connection.execute("UPDATE workers SET claimed_at = claimed_at - $1::interval", length)
        await self.heart.beat()


@pytest.fixture
async def outside() -> AsyncIterator[tuple[Outside, str]]:
    watcher = Outside()
    listener, base = listen()
    async with serving(watcher, listener):
        yield watcher, f"{base}/ping/secret-uuid"


@pytest.fixture
async def beating(make_stack: MakeStack, outside: tuple[Outside, str]) -> Beating:
    return Beating(await make_stack(f'[watch]\nheartbeat = "{outside[1]}"\nevery = "30s"\n'))


async def test_it_is_sent_once_an_interval_however_many_workers_there_are(
    beating: Beating, outside: tuple[Outside, str]
) -> None:
    others = [beating.another() for _ in range(4)]
    await beating.after(0)
    for _ in range(3):
        await asyncio.gather(beating.heart.beat(), *(each.beat() for each in others))
    assert outside[0].heard == [("/ping/secret-uuid", "")]
    await beating.after(29)
    assert len(outside[0].heard) == 1
    await beating.after(1)
    assert len(outside[0].heard) == 2


async def test_it_ends_with_the_watch(beating: Beating, outside: tuple[Outside, str]) -> None:
    await beating.heart.beat()
    assert outside[0].heard == [], "nobody has watched yet"
    await beating.stack.app.watch_once()
    assert beating.stack.app.watched_at is not None
    await beating.after(0)
    await beating.after(WATCHED_WITHIN + 1, watches=False)
    assert len(outside[0].heard) == 1


async def test_a_queue_that_stands_still_is_told_as_a_failure_and_one_that_moves_is_not(
    beating: Beating, outside: tuple[Outside, str]
) -> None:
    app = beating.stack.app
    workspace_id = next(iter(app.workspaces))
    async with acquire(app.pool) as connection:
        await connection.execute("INSERT INTO workers (id, host, pid, process_start) VALUES ('w', 'h', 1, 1)")
        async with connection.transaction():
            first = await begin_run(connection, workspace_id, "alert.v1", {})
            # Retried by a person: made long ago, queued right now.
            await connection.execute("UPDATE runs SET created_at = now() - interval '9 days'")
    await beating.after(30)
    await beating.after(STANDS_STILL_AFTER - 30)
    assert [path for path, _ in outside[0].heard] == ["/ping/secret-uuid"] * 2
    await beating.after(31)
    path, text = outside[0].heard[-1]
    assert path == "/ping/secret-uuid/fail"
    assert "stands still" in text

    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE workers SET claimed_at = now()")
    await beating.after(30)
    assert outside[0].heard[-1][0] == "/ping/secret-uuid", "a long queue from which workers take is no failure"
    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE runs SET state = 'done' WHERE id = $1", first)
    await beating.after(1000)
    assert outside[0].heard[-1][0] == "/ping/secret-uuid", "an empty queue is no failure"


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_watcher_that_refuses_harms_nothing_and_is_said_once_without_its_address(
    beating: Beating, outside: tuple[Outside, str], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    outside[0].status = status
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await beating.after(30)
    assert [path for path, _ in outside[0].heard] == ["/ping/secret-uuid"] * 3, "nobody is followed elsewhere"
    assert caplog.text.count("does not get through") == 1
    assert "secret-uuid" not in caplog.text


async def test_a_watcher_that_is_not_there_harms_nothing(make_stack: MakeStack) -> None:
    listener, base = listen()
    listener.close()
    beating = Beating(await make_stack(f'[watch]\nheartbeat = "{base}/secret"\n'))
    await beating.after(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('heartbeat = "http://10.0.0.1/ping"', "must begin with https://"),
        ('heartbeat = "file:///etc/passwd"', "whole address"),
        ('heartbeat = "https://user:pass@hc.example/x"', "without user, password"),
        ('heartbeat = "hc.example"', "whole address"),
        ('heartbeat = "${NOWHERE}"', "NOWHERE is not set"),
        ('heartbeat = "https://hc.example/x"\nevery = "1s"', "ten seconds at the least"),
        ('hartbeat = "https://hc.example/x"', "hartbeat"),
    ],
)
def test_what_cannot_be_is_said_without_the_address(tmp_path: Path, text: str, says: str) -> None:
    workspace = '[workspace]\nname = "A"\ntimezone = "UTC"\nregion = "US"\n[watch]\n'
    (tmp_path / "stack.toml").write_text(workspace + text)
    with pytest.raises(ConfigError) as told:
        load_stack(tmp_path, Environment.load(tmp_path, {}))
    message = " ".join(f"{each.key} {each.message} {each.hint}" for each in told.value.problems)
    assert says in message
    assert "pass@" not in message
