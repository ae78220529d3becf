"""A whole stack whose leads stay away, wait, or are not answered: what is found, told of once, and over by itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mainstay.db import acquire
from mainstay.insight import open_incidents, verdict
from mainstay.insight.monitors import MonitorRow, list_breaches, list_monitors
from mainstay.monitors import store
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.plans import Recorder, scans, touched

MakeStack = Callable[..., Awaitable[StackUnderTest]]
STACK = """
hours = "Mon-Fri 08:00-18:00"

[connections.crm]
connector = "hubspot"
token = "${HUBSPOT_TOKEN}"

[connections.texts]
connector = "twilio"
account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
auth_token = "${TWILIO_AUTH_TOKEN}"
from = "+13125550100"

[sources.website]
kind = "form"
expect = "at least 1 in 12 hours"

[sources.ads]
kind = "form"

[sources.legacy]
kind = "form"
expect = "off"

[outcomes.speed-to-lead]
expect = ["crm record", "first message"]
within = "5m"
sources = ["website"]
"""
OFFICE = """
[connections.slack]
connector = "slack"
token = "${TOKEN}"

[connections.texts]
connector = "twilio"
account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
auth_token = "${TWILIO_AUTH_TOKEN}"
from = "+13125550100"

[sources.ads]
kind = "form"

[alerts]
critical = ["slack:#alerts"]
other = ["slack:#alerts"]
"""
WORKFLOW = """
from mainstay import Tick

@workflow("welcome.v1", on="contact.created")
async def welcome(ctx: Context, contact: Contact) -> None:
    await ctx.sms.send(contact.phone, "Thank you")

@workflow("nightly.v1", schedule="0 * * * *")
async def nightly(ctx: Context, tick: Tick) -> None:
    pass
"""


class Watch:
    """What the watch of a stack finds."""

    def __init__(self, stack: StackUnderTest) -> None:
        self.stack, self.app = stack, stack.app
        self.workspace_id = next(iter(stack.app.workspaces))

    async def look(self) -> list[str]:
        """Let it look once, at everything; returns the titles of what is open."""
        await self.app.silence.sources.look()
        await self.app.silence.outcomes.look()
        await self.app.silence.checks.look()
        await self.stack.settle()
        async with acquire(self.app.pool) as connection:
            return sorted(each.title for each in await open_incidents(connection, self.workspace_id))

    async def rows(self) -> dict[tuple[str, str], MonitorRow]:
        async with acquire(self.app.pool) as connection:
            found = await list_monitors(connection, self.workspace_id, self.stack.clock())
        return {(row.kind, row.name): row for row in found}

    async def execute(self, query: str, *values: Any) -> None:
        async with acquire(self.app.pool) as connection:
            await connection.execute(query, *values)

    async def heard(self, source: str, *moments: datetime) -> None:
        """Let a source have brought a lead at each of these times."""
        async with acquire(self.app.pool) as connection:
            await connection.executemany(
                """
                INSERT INTO tallies (workspace_id, hour, name, label, shard, count, last_at)
                SELECT $1, date_trunc('hour', $3::timestamptz), 'source ' || $2, label, 99, 1, $3
                FROM unnest('{lead,accepted}'::text[]) AS t (label)
                ON CONFLICT (workspace_id, hour, name, label, shard) DO UPDATE
                SET count = tallies.count + 1, last_at = greatest(tallies.last_at, excluded.last_at)
                """,
                [(self.workspace_id, source, moment) for moment in moments],
            )


@pytest.fixture
async def watch(make_stack: MakeStack) -> Watch:
    return Watch(await make_stack(STACK, WORKFLOW))


async def test_sources_fall_silent_and_are_heard_of_again(watch: Watch) -> None:
    stack, now = watch.stack, watch.stack.clock()
    # Seven weeks of thirty leads a day, then nothing for twenty hours.
    past = [now - timedelta(hours=20) - timedelta(minutes=48 * back) for back in range(49 * 30)]
    await watch.heard("ads", *past)
    await watch.heard("website", now - timedelta(hours=20))
    assert await watch.look() == ["ads brings no lead"], "a source that is new has its whole time"
    rows = await watch.rows()
    ads, website = rows["source", "ads"], rows["source", "website"]
    assert (ads.state, website.state) == ("down", "up")
    assert ads.seen_at == past[0]
    assert ads.rhythm is not None
    assert 27 < sum(map(sum, ads.rhythm)) / 7 < 33
    assert website.expected_at == now + timedelta(hours=12)
    assert ("source", "legacy") not in rows

    await stack.advance("12h 1m")
    assert await watch.look() == ["ads brings no lead", "website brings no lead"]
    assert [alert.title for alert in stack.alerts] == ["ads brings no lead", "website brings no lead"]
    async with acquire(watch.app.pool) as connection:
        assert (await verdict(connection, watch.workspace_id, stack.clock())).is_broken
    await stack.advance("30m")
    assert len(await watch.look()) == 2
    await watch.heard("ads", stack.clock())
    await watch.heard("website", stack.clock())
    await stack.advance("1m")
    assert await watch.look() == []
    assert {(await watch.rows())["source", name].state for name in ("ads", "website")} == {"up"}
    # Restarted with another expectation, it begins anew; taken out, its incident is over.
    await watch.execute("UPDATE monitors SET rule = 'before', state = 'down' WHERE kind = 'source' AND name = 'ads'")
    await watch.app.silence.sources.declare(watch.workspace_id)
    assert (await watch.rows())["source", "ads"].state == "new"


async def test_a_source_that_stops_on_a_weekday_is_told_that_day_and_a_weekend_is_no_stop(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    watch = Watch(await make_stack(OFFICE, WORKFLOW.partition('@workflow("nightly')[0]))
    stack, monday = watch.stack, datetime(2030, 3, 4, tzinfo=ZoneInfo("America/Chicago"))
    await stack.start_at(monday - timedelta(minutes=1))
    # Ten weeks of two leads an hour, from eight to six on working days.
    working = [monday + timedelta(days=day) for day in range(-70, 12) if day % 7 < 5]
    leads = [day + timedelta(hours=8, minutes=30 * half) for day in working for half in range(20)]
    await watch.heard("ads", *(each for each in leads if each < monday))

    stopped = monday + timedelta(days=8, hours=10)
    coming = [each for each in leads if monday <= each < stopped]
    told_at = None
    for hour in range(24 * 9):
        now = monday + timedelta(hours=hour)
        await watch.heard("ads", *(each for each in coming if now - timedelta(hours=1) < each <= now))
        await stack.advance_to(now)
        if found := await watch.look():
            assert found == ["ads brings no lead"]
            told_at = now
            break
    assert told_at is not None, "the stop is found on the day on which it happens"
    assert stopped < told_at <= stopped + timedelta(hours=8), "neither the weekend nor a night was taken for one"
    await stack.advance("5m")
    (post,) = sandbox.messages("slack")
    assert post["text"].startswith("ads brings no lead")

    await watch.heard("ads", told_at + timedelta(minutes=5))
    assert await watch.look() == []
    await stack.advance("1h")
    assert [each["text"].splitlines()[0] for each in sandbox.messages("slack")][1:] == ["Over: ads brings no lead"]


async def test_leads_that_are_not_answered_are_named_until_they_are(watch: Watch) -> None:
    stack = watch.stack
    stack.sandbox.set_fault("twilio", "status", status=503)
    await watch.look()
    await stack.submit("website", email="sarah@example.com", phone="+13125550147", name="Sarah Johnson")
    await stack.submit("ads", email="tom@example.com", phone="+13125550148", name="Tom Reed")
    assert await watch.look() == []
    await stack.advance("5m 10s")
    assert await watch.look() == ["1 lead is without what speed-to-lead promises"]
    async with acquire(watch.app.pool) as connection:
        (incident,) = await open_incidents(connection, watch.workspace_id)
        (breach,) = await list_breaches(connection, watch.workspace_id, "speed-to-lead")
    assert "Sarah J. (website" in incident.cause
    assert "no message" in incident.cause
    assert "Reed" not in incident.cause
    assert (breach.missing, breach.closed_at, breach.name) == (("message",), None, "Sarah Johnson")
    stack.sandbox.clear("twilio")
    await stack.advance("2h")
    assert await watch.look() == []
    row = (await watch.rows())["outcome", "speed-to-lead"]
    assert (row.state, row.rule) == ("up", "Every new lead of website: a CRM record and a message within 5 minutes")
    async with acquire(watch.app.pool) as connection:
        (breach,) = await list_breaches(connection, watch.workspace_id, "speed-to-lead")
    assert breach.is_met


async def test_schedules_queue_and_connections_are_checked(watch: Watch) -> None:
    stack = watch.stack
    assert await watch.look() == []
    rows = await watch.rows()
    assert rows["schedule", "nightly.v1"].state == "new"
    assert rows["queue", "leads"].state == "up"
    assert rows["connection", "texts"].state == "new"
    past = stack.clock() - timedelta(minutes=20)
    await watch.execute("UPDATE schedules SET next_at = next_at - interval '2 hours'")
    await watch.execute("UPDATE connections SET opened_at = $1 WHERE name = 'texts'", past)
    await watch.app.silence.checks.look()
    rows = await watch.rows()
    assert rows["schedule", "nightly.v1"].state == "down"
    async with acquire(watch.app.pool) as connection:
        titles = {each.title for each in await open_incidents(connection, watch.workspace_id)}
    assert rows["connection", "texts"].state == "down"
    assert titles == {"The schedule of nightly.v1 did not fire"}, "an outage is told of by whoever looks at gates"
    await watch.execute("UPDATE connections SET opened_at = NULL")
    await stack.settle()
    assert await watch.look() == ["The schedule of nightly.v1 did not fire"], "what it passed over is told of"
    await stack.advance("1h")
    assert await watch.look() == [], "until it fires"
    await watch.execute(
        "INSERT INTO tallies (workspace_id, hour, name, label, shard, count, last_at) "
        "SELECT $1, date_trunc('hour', at), 'attempt texts', 'ok', 1, 3, at FROM (SELECT $2::timestamptz AS at) AS t",
        watch.workspace_id,
        stack.clock() - timedelta(days=6),
    )
    await watch.look()
    await stack.advance("26h")
    assert await watch.look() == ["texts has not been used for 7 days", "website brings no lead"]


async def test_no_look_reads_a_big_table_from_end_to_end(watch: Watch) -> None:
    now = watch.stack.clock()
    async with acquire(watch.app.pool) as connection, connection.transaction():
        await connection.execute(
            """
            INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
            SELECT $1, date_trunc('hour', $2::timestamptz) - hour * interval '1 hour', 'source ' || name, label, 1, 1
            FROM generate_series(0, 400) AS hour, unnest('{a,b,c,d,e,f,g,h}'::text[]) AS name,
                 unnest('{lead,accepted,repeated,rejected}'::text[]) AS label
            """,
            watch.workspace_id,
            now,
        )
        await connection.execute("ANALYZE tallies")
        recorder: Any = Recorder(connection)
        hours = await store.hours_of(
            recorder, watch.workspace_id, "source a", ("lead", "accepted"), now - timedelta(hours=3), now
        )
        ((query, values),) = recorder.sent
        plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *values)
    assert scans(json.loads(plan)[0]["Plan"]) == []
    assert len(hours["lead"]) == 4


BIG = {"events", "runs", "attempts", "crosswalk", "contacts", "deliveries", "canaries"}
# Leads of another source, after one of ours; and what was done for them all.
MANY = 4_000
_ID = """
    (lpad(to_hex((extract(epoch FROM $2::timestamptz) * 1000)::bigint + n), 12, '0')
     || '7' || substr(md5(n || '{salt}'), 1, 3) || '8' || substr(md5(n || '{salt}'), 4, 15))::uuid
"""
_EVENTS = f"""
    INSERT INTO events (id, workspace_id, type, contact_id, source, delivery_id, data, at)
    SELECT {_ID.format(salt="e")}, $1, 'contact.created', gen_random_uuid(), 'ads', gen_random_uuid(), '{{}}', $2
    FROM generate_series(1, $3::int) AS n
"""  # noqa: S608 - parts from this file
_RUNS = f"""
    INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, contact_id, created_at)
    SELECT {_ID.format(salt="r")}, $1, 'welcome.v1', 'done', '{{}}', 'e' || n, gen_random_uuid(), $2
    FROM generate_series(1, $3::int) AS n
"""  # noqa: S608 - parts from this file
_ATTEMPTS = """
    INSERT INTO attempts (workspace_id, run_id, step, number, name, state, started_at)
    SELECT workspace_id, id, step, 1, 'email.send', 'ok', $2 FROM runs, generate_series(1, 3) AS step
    WHERE workspace_id = $1 AND execution_id LIKE 'e%'
"""
_CANARIES = """
    INSERT INTO canaries (id, workspace_id, source, state, sent_at, delivery_id)
    SELECT gen_random_uuid(), $1, 'ads', 'arrived', $2, gen_random_uuid() FROM generate_series(1, $3::int)
"""
_CONTACTS = """
    INSERT INTO contacts (id, workspace_id, email, source, created_at, updated_at)
    SELECT gen_random_uuid(), $1, 'many' || n || '@example.com', 'ads', $2, $2 FROM generate_series(1, $3::int) AS n
"""
_CROSSWALK = """
    INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
    SELECT $1, 'contact', gen_random_uuid(), 'crm', 'many-' || n, 1, $2 FROM generate_series(1, $3::int) AS n
"""


async def test_a_look_at_outcomes_costs_what_is_new_whatever_other_sources_bring(watch: Watch) -> None:
    stack, outcomes = watch.stack, watch.app.silence.outcomes
    stack.sandbox.set_fault("twilio", "status", status=503)
    await watch.look()
    await stack.submit("website", email="sarah@example.com", phone="+13125550147", name="Sarah Johnson")
    after = stack.clock() + timedelta(seconds=10)
    for statement in (_EVENTS, _RUNS, _CROSSWALK, _CANARIES):
        await watch.execute(statement, watch.workspace_id, after, MANY)
    await watch.execute(_ATTEMPTS, watch.workspace_id, after)
    async with acquire(watch.app.pool) as connection, connection.transaction():
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        await connection.execute(_CONTACTS, watch.workspace_id, after, MANY)
    await watch.execute("ANALYZE")
    await stack.advance("10m")
    async with acquire(watch.app.pool) as connection:
        transaction = connection.transaction()
        await transaction.start()
        row: Any = await connection.fetchrow("SELECT * FROM monitors WHERE kind = 'outcome'")
        recorder: Any = Recorder(connection)
        assert await outcomes._look(recorder, row, stack.clock())
        assert {"attempts", "crosswalk", "events"} <= {
            table for table in BIG for query, _ in recorder.sent if table in query
        }
        for query, values in recorder.sent:
            for mode in ("force_custom_plan", "force_generic_plan"):
                await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
                options = "ANALYZE, " if query.lstrip().startswith("SELECT") else ""
                found = await connection.fetchval(f"EXPLAIN ({options}FORMAT JSON) {query}", *values)
                plan = json.loads(found)[0]["Plan"]
                assert not BIG.intersection(scans(plan)), query
                assert not options or max(rows for _, rows in touched(plan)) <= 600, query
        await transaction.rollback()

    # Each look goes on where the last one was: in the end all is behind it, and nothing is read again.
    for _ in range(MANY // 500 + 1):
        await outcomes.look()
    async with acquire(watch.app.pool) as connection:
        last = await connection.fetchval("SELECT id FROM events ORDER BY id DESC LIMIT 1")
        facts = await connection.fetchval("SELECT facts FROM monitors WHERE kind = 'outcome'")
        breaches = await list_breaches(connection, watch.workspace_id, "speed-to-lead")
    assert facts["cursor"] == str(last)
    assert [breach.missing for breach in breaches] == [("message",)]
