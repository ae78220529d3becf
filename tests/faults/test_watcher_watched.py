"""Mainstay's own death is heard of outside, and what was late meanwhile is found once it is back."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tests.faults.fleet import Books, Fleet, until
from tests.web.serving import listen, serving

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"

[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}" }}

[alerts]
digest = "0s"
critical = ["slack:#alerts"]

[watch]
heartbeat = "{base}/beat"
every = "10s"

[monitors.nightly]
every = "1h"
grace = "5m"
"""
LATE = """
UPDATE monitors SET state = 'up', seen_at = now() - interval '2 hours', expected_at = now() - interval '1 hour',
                    alert_at = now() - interval '55 minutes'
"""


async def test_a_worker_that_dies_falls_silent_and_the_next_finds_what_was_late(
    fleet: Fleet, dsn: str, books: Books, tmp_path: Path
) -> None:
    heard: list[str] = []

    async def outside(scope: object, receive: object, send: object) -> None:
        heard.append(Request(scope).url.path)  # type: ignore[arg-type]
        await PlainTextResponse("OK")(scope, receive, send)  # type: ignore[arg-type]

    listener, base = listen()
    (tmp_path / "workflows").mkdir()
    (tmp_path / "stack.toml").write_text(STACK.format(base=base))
    async with serving(outside, listener):
        first = fleet.start(dsn, stack=str(tmp_path))
        await first.ready()
        await until(lambda: heard, "the worker's heartbeat is heard")
        await first.kill()
        at_death = len(heard)
        # It would be due at once, and a job is late: nobody is there to say either.
        await books.value("UPDATE heartbeats SET sent_at = '-infinity'")
        await books.value(LATE)
        assert not await books.rows("SELECT FROM incidents")
        assert len(heard) == at_death

        second = fleet.start(dsn, stack=str(tmp_path))
        await second.ready()

        async def is_told() -> bool:
            return bool(
                await books.value("SELECT true FROM runs WHERE workflow = 'alert.v1' AND state = 'done' LIMIT 1")
            )

        await until(is_told, "people are told of the job that is late")
        await until(lambda: len(heard) > at_death, "the heartbeat is heard again")
        await second.kill()
    (incident,) = await books.rows("SELECT title, state, occurrences FROM incidents")
    assert incident == {"title": "nightly is late", "state": "open", "occurrences": 1}
    assert set(heard) == {"/beat"}
