"""From a failure to somebody who hears of it: the worker dies at it, and the first channel is down."""

from __future__ import annotations

from pathlib import Path

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"

[connections]
slack = { connector = "slack", token = "${SLACK_TOKEN}" }
mail = { connector = "postmark", token = "${POSTMARK_TOKEN}", from = "hello@acme.example" }

[sources.website]
kind = "form"

[alerts]
critical = ["slack:#alerts", "mail:ops@acme.example"]
"""
CODE = """
from mainstay import Contact, Context, PermanentError, workflow

@workflow("welcome.v1", on="contact.created", critical=True)
async def welcome(ctx: Context, contact: Contact) -> None:
    raise PermanentError("no such price list")
"""
PROMISE_SECONDS = 60.0


async def test_the_worker_is_dead_and_slack_is_down_and_people_hear_of_it_within_a_minute(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "stack.toml").write_text(STACK)
    (tmp_path / "workflows" / "welcome.py").write_text(CODE)
    # Slack takes what it is sent, and never answers.
    sandbox.set_fault("slack", "hold")
    await submit(dsn, sandbox, stack=tmp_path, email="sarah@example.com", name="Sarah")
    # The pace of a worker as it is, not a test's.
    first = fleet.start(dsn, stack=str(tmp_path), heartbeat=2.0)

    async def is_calling_slack() -> bool:
        return bool(await books.value("SELECT true FROM incidents")) and sandbox.request_count("slack") > 0

    await until(is_calling_slack, "the failure is recorded, and its alert is on its way to Slack")
    await first.kill()
    assert sandbox.messages("postmark") == []

    second = fleet.start(dsn, stack=str(tmp_path), heartbeat=2.0)

    async def told_after() -> float | None:
        found: float | None = await books.value(
            """
            SELECT extract(epoch FROM told_at - first_seen)::float8 FROM alerts
            JOIN incidents ON incidents.id = incident_id
            WHERE alerts.kind = 'opened' AND route ->> 'role' = 'email' AND told_at IS NOT NULL
            """
        )
        return found

    seconds = await until(told_after, "the second channel has it")
    print(f"from the failure to the alert: {seconds:.1f} s, the worker dead and Slack down")  # noqa: T201 the measure
    await second.kill()
    (mail,) = sandbox.messages("postmark")
    assert mail["Subject"] == "Mainstay: welcome.v1 fails"
    assert seconds < PROMISE_SECONDS
