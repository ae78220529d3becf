from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta

import orjson
import pytest

from mainstay.db import Pool, acquire
from mainstay.insight import BROKEN, FINE, HEALING, Count, Verdict, verdict
from tests.insight.seed import Seed


@pytest.fixture
async def seed(pool: Pool) -> AsyncIterator[Seed]:
    async with acquire(pool) as connection:
        made = await Seed.workspace(connection)
        await made.worker()
        yield made


async def judged(seed: Seed) -> Verdict:
    return await verdict(seed.connection, seed.workspace_id, seed.now)


async def test_an_empty_workspace_is_fine(seed: Seed) -> None:
    found = await judged(seed)

    assert (found.state, found.sentence) == (FINE, "Nothing broke in the last 24 hours.")
    assert (found.leads, found.runs_done, found.oldest, found.has_worker) == (0, 0, None, True)


async def test_counts_come_from_all_shards_of_the_window(seed: Seed) -> None:
    await seed.tally("source website", "accepted", 30)
    await seed.tally("source website", "accepted", 11, shard=5)
    await seed.tally("source website", "lead", 39)
    await seed.tally("source website", "repeated", 4)
    await seed.tally("source website", "accepted", 999, at=seed.ago(hours=26))
    await seed.tally("run speed_to_lead.v1", "done", 187)

    found = await judged(seed)

    assert (found.leads, found.repeats, found.runs_done) == (39, 4, 187)
    assert found.deliveries == 41
    assert [asdict(source) for source in found.sources] == [
        {"source": "website", "accepted": 41, "leads": 39, "repeated": 4, "rejected": 0}
    ]


async def test_an_open_incident_is_broken_and_says_how_many_runs_wait(seed: Seed) -> None:
    incident = await seed.incident(title="push.v1 fails at ghl")
    for _ in range(3):
        await seed.run(state="failed", incident_id=incident, error="401")
    await seed.run(state="failed", incident_id=incident, handled_at=seed.now)

    found = await judged(seed)

    assert (found.state, found.sentence) == (BROKEN, "1 thing is broken: push.v1 fails at ghl.")
    (thing,) = found.broken
    assert (thing.kind, thing.incident_id, thing.affected) == ("incident", incident, Count(3))
    assert found.is_broken


async def test_an_incident_whose_runs_are_under_way_again_is_healing(seed: Seed) -> None:
    incident = await seed.incident()
    await seed.run(state="running", incident_id=incident)

    found = await judged(seed)

    assert found.state == HEALING
    assert found.sentence == "Nothing is lost. 1 thing is being mended: the runs are under way again."
    assert [thing.incident_id for thing in found.recovering] == [incident]


async def test_runs_that_wait_for_their_next_try_are_healing(seed: Seed) -> None:
    run = await seed.run(state="waiting", waiting_for="retry of chat.post")
    await seed.attempt(run, 1, state="retry", connection="slack")
    await seed.run(state="waiting", waiting_for="message.received")
    await seed.tally("attempt slack", "retry", 2)

    found = await judged(seed)

    assert (found.state, found.sentence) == (HEALING, "Nothing is lost. 1 run waits for its next try.")
    assert (found.waiting, found.retrying) == (Count(2), Count(1))
    assert [(item.connection, item.retries, item.waiting) for item in found.healed] == [("slack", 2, 1)]
    assert found.oldest is not None
    assert found.oldest.id == run


async def test_a_connection_that_is_stopped_is_told_with_what_waits_for_it(seed: Seed) -> None:
    await seed.insert("accounts", account="a")
    await seed.insert(
        "connections",
        workspace_id=seed.workspace_id,
        name="ghl",
        account="a",
        opened_at=seed.ago(minutes=5),
        probe_at=seed.ago(minutes=-1),
        error="503: away",
    )
    await seed.insert(
        "connections",
        workspace_id=seed.workspace_id,
        name="slack",
        account="a",
        paused_at=seed.ago(minutes=9),
        paused_by="Dana",
        pause_reason="new channel",
    )
    for _ in range(2):
        await seed.run(state="waiting", waiting_for="ghl", held_at="ghl")

    found = await judged(seed)

    assert found.sentence == "Nothing is lost. ghl does not answer: 2 runs wait; slack is paused by Dana."
    assert (found.state, found.is_broken) == (HEALING, False)
    told = [(each.kind, each.cause, each.since, each.affected) for each in found.stopped]
    assert told == [
        ("connection", "503: away", seed.ago(minutes=5), Count(2)),
        ("connection", "new channel", seed.ago(minutes=9), Count(0)),
    ]


async def test_retries_that_went_through_are_fine_and_counted(seed: Seed) -> None:
    await seed.tally("attempt ghl", "retry", 9, at=seed.ago(hours=6))

    found = await judged(seed)

    assert found.state == FINE
    assert found.sentence == "Nothing broke in the last 24 hours; 9 retries mended what went wrong."


async def test_rejected_deliveries_are_broken_until_they_are_replayed(seed: Seed) -> None:
    delivery = await seed.delivery(state="rejected", reason="no e-mail address")
    await seed.delivery(state="rejected", reason="long gone", at=seed.ago(hours=30))

    found = await judged(seed)

    assert found.state == BROKEN
    (thing,) = found.broken
    assert (thing.kind, thing.source, thing.cause, thing.affected) == (
        "rejected",
        "website",
        "no e-mail address",
        Count(1),
    )
    await seed.connection.execute("UPDATE deliveries SET state = 'processed' WHERE id = $1", delivery)
    assert (await judged(seed)).state == FINE


async def test_a_failed_run_without_an_incident_is_not_missed(seed: Seed) -> None:
    await seed.run(state="failed", error="TypeError: boom at nurture.py:7")

    found = await judged(seed)

    assert (found.state, found.sentence) == (BROKEN, "1 thing is broken: 1 run failed.")
    assert found.broken[0].cause == "TypeError: boom at nurture.py:7"


async def test_a_queue_without_a_worker_is_broken(seed: Seed) -> None:
    await seed.connection.execute("UPDATE workers SET heartbeat_at = $1", seed.ago(minutes=2))
    await seed.run(state="queued", at=seed.ago(minutes=1))

    found = await judged(seed)

    assert found.state == BROKEN
    assert found.broken[0].kind == "worker"
    assert "mainstay worker" in found.broken[0].mend
    assert not found.has_worker


async def test_no_worker_and_an_empty_queue_is_not_broken(seed: Seed) -> None:
    await seed.connection.execute("DELETE FROM workers")

    assert (await judged(seed)).state == FINE


async def test_quarantine_is_counted_but_is_no_verdict_of_its_own(seed: Seed) -> None:
    await seed.quarantined()
    await seed.quarantined(at=seed.ago(hours=30))

    found = await judged(seed)

    assert (found.state, found.quarantined) == (FINE, Count(1))


async def test_nothing_of_another_workspace_is_seen(seed: Seed) -> None:
    other = await Seed.workspace(seed.connection, "bell")
    await other.incident()
    await other.tally("source website", "lead", 7)
    await other.run(state="failed")
    await other.run(state="queued", at=seed.ago(hours=1))
    await other.delivery(state="rejected")
    await other.quarantined()

    found = await judged(seed)

    assert (found.state, found.leads, found.queued, found.rejected, found.quarantined) == (
        FINE,
        0,
        Count(0),
        Count(0),
        Count(0),
    )


async def test_counting_stops_at_a_thousand(seed: Seed) -> None:
    await seed.connection.execute(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
        SELECT gen_random_uuid(), $1, 'w.v1', 'queued', '{}', '', now() FROM generate_series(1, 1500)
        """,
        seed.workspace_id,
    )

    found = await judged(seed)

    assert (found.queued, str(found.queued)) == (Count(1000, is_more=True), "1,000+")


async def test_a_verdict_can_be_written_as_json(seed: Seed) -> None:
    await seed.incident()
    await seed.tally("attempt ghl", "retry", 1)

    written = orjson.loads(orjson.dumps(asdict(await judged(seed)), default=str))

    assert written["state"] == BROKEN
    assert written["healed"][0]["connection"] == "ghl"


async def test_the_window_is_a_day(seed: Seed) -> None:
    found = await judged(seed)

    assert found.now - found.since == timedelta(hours=24)


async def test_what_no_webhook_brought_is_told_and_is_no_trouble(seed: Seed) -> None:
    await seed.tally("pull hub", "brought", 9)
    await seed.tally("pull hub", "missed", 3)

    found = await judged(seed)

    assert [(each.connection, each.changes) for each in found.missed] == [("hub", 3)]
    assert found.state == FINE
    assert found.sentence == (
        "Nothing broke in the last 24 hours; 3 changes came by the pull that no webhook had brought."
    )
