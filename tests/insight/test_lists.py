from __future__ import annotations

from datetime import timedelta

import pytest

from mainstay import insight
from mainstay.insight import ContactChange, ContactEvent, Count, DeliveryRow, RunFilter, RunRow
from mainstay.insight.records import RecordRow
from mainstay.model import AttemptState, RecordState, short_id
from mainstay.records import Ownership, Word, keep
from tests.insight.seed import Seed


async def test_runs_come_newest_first_and_page_by_page(seed: Seed) -> None:
    ids = [await seed.run(at=seed.ago(minutes=minute)) for minute in range(5)]

    first = await insight.list_runs(seed.connection, seed.workspace_id, RunFilter(), size=3)
    second = await insight.list_runs(seed.connection, seed.workspace_id, RunFilter(), size=3, before=first.before)

    assert [run.id for run in first.items] == ids[:3]
    assert ([run.id for run in second.items], second.before) == (ids[3:], None)


async def test_runs_are_filtered(seed: Seed) -> None:
    sarah = await seed.contact(email="sarah@example.com")
    incident = await seed.incident()
    failed = await seed.run(state="failed", contact_id=sarah, incident_id=incident, error="402: Account out of Credit")
    handled = await seed.run(state="failed", handled_at=seed.now, workflow="nurture.v1")
    done = await seed.run()

    async def found(**wanted: object) -> set[object]:
        page = await insight.list_runs(seed.connection, seed.workspace_id, RunFilter(**wanted))  # type: ignore[arg-type]
        return {run.id for run in page.items}

    assert await found(state="failed") == {failed, handled}
    assert await found(state="stopped") == {failed}
    assert await found(state="done") == {done}
    assert await found(state="'; DROP TABLE runs --") == set()
    assert await found(workflow="nurture.v1") == {handled}
    assert await found(contact_id=sarah) == {failed}
    assert await found(incident_id=incident) == {failed}
    assert await found(text="out of credit") == {failed}
    assert await found(text="sarah@") == {failed}
    assert await found(text="johnson") == {failed}
    assert await found(text=short_id(done)) == {done}
    assert await found(text=str(done)) == {done}
    assert await found(text="sarah@", state="done") == set()
    assert await found(text="%") == set()


async def test_a_run_names_its_contact(seed: Seed) -> None:
    sarah = await seed.contact()
    phone_only = await seed.contact(first_name="", last_name="", phone="+13125550147")
    await seed.run(contact_id=sarah, at=seed.ago(minutes=1))
    await seed.run(contact_id=phone_only, at=seed.ago(minutes=2))
    await seed.run(at=seed.ago(minutes=3))

    page = await insight.list_runs(seed.connection, seed.workspace_id, RunFilter())

    assert [run.contact_name for run in page.items] == ["Sarah Johnson", "+13125550147", ""]


async def test_the_story_of_a_run(seed: Seed) -> None:
    sarah = await seed.contact()
    await seed.counterpart(sarah)
    delivery = await seed.delivery()
    inbound = await seed.run(at=seed.ago(hours=3), delivery_id=delivery, workflow="inbound.v1")
    incident = await seed.incident()
    run = await seed.run(
        state="failed", failed_step=2, delivery_id=delivery, contact_id=sarah, incident_id=incident, fate="human"
    )
    await seed.attempt(run, 1)
    await seed.attempt(run, 2, 1, name="voice.call", connection="voice", state="retry", duration_ms=100)
    await seed.attempt(run, 2, 2, name="voice.call", connection="voice", state="failed", duration_ms=250)

    detail = await insight.run_detail(seed.connection, seed.workspace_id, run)

    assert detail is not None
    assert [(step.number, step.name, step.state, step.duration_ms) for step in detail.steps] == [
        (1, "chat.post", AttemptState.OK, 210),
        (2, "voice.call", AttemptState.FAILED, 350),
    ]
    assert detail.stopped_at is not None
    assert (detail.stopped_at.number, len(detail.stopped_at.attempts)) == (2, 2)
    assert detail.delivery is not None
    assert detail.delivery.id == delivery
    assert [other.id for other in detail.following] == [inbound]
    assert detail.incident is not None
    assert (detail.incident.id, detail.incident.stopped) == (incident, Count(1))
    assert [system.connection for system in detail.counterparts] == ["ghl"]
    assert detail.has_all_attempts


async def test_a_workflows_own_failure_stopped_at_no_step(seed: Seed) -> None:
    run = await seed.run(state="failed", fate="workflow", error="TypeError: boom")
    await seed.attempt(run, 1)

    detail = await insight.run_detail(seed.connection, seed.workspace_id, run)

    assert detail is not None
    assert detail.stopped_at is None


async def test_the_incident_recovers_while_its_runs_move(seed: Seed) -> None:
    incident = await seed.incident()
    failed = await seed.run(state="failed", incident_id=incident)
    await seed.run(state="queued", incident_id=incident)

    (before,) = await insight.open_incidents(seed.connection, seed.workspace_id)
    await seed.connection.execute("UPDATE runs SET state = 'running' WHERE id = $1", failed)
    (after,) = await insight.open_incidents(seed.connection, seed.workspace_id)

    assert (before.is_recovering, before.stopped, before.moving) == (False, Count(1), Count(1))
    assert (after.is_recovering, after.moving) == (True, Count(2))


async def test_resolved_incidents_page_by_their_last_news(seed: Seed) -> None:
    ids = [
        await seed.incident(state="resolved", resolved_at=seed.now, at=seed.ago(days=day), last_seen=seed.ago(days=1))
        for day in range(2, 7)
    ]

    first = await insight.resolved_incidents(seed.connection, seed.workspace_id, size=3)
    second = await insight.resolved_incidents(seed.connection, seed.workspace_id, size=3, before=first.before)

    assert sorted([*first.items, *second.items], key=lambda row: row.id, reverse=True) == [*first.items, *second.items]
    assert {row.id for row in (*first.items, *second.items)} == set(ids)


@pytest.mark.parametrize(
    "typed",
    [
        "sarah", "JOHNSON", "Sarah Johnson", "johnson sarah", "Johnson, Sarah", "sarah j", "sarah.johnson@",
        "(312) 555-01", "312.555.0147", "+1 312 555", "001312555", "3125550147",
        "ocQHyuzHvysMo5N5VsXc", "Beside-7",
    ],
)  # fmt: skip
async def test_a_contact_is_found_by_the_beginning_of_whatever_it_is_known_by(seed: Seed, typed: str) -> None:
    sarah = await seed.contact(email="sarah.johnson@example.com", phone="+13125550147")
    ahmed = await seed.contact(first_name="Ahmed", last_name="Khan", email="ahmed@example.com", phone="+14155550100")
    await seed.counterpart(ahmed, "a first one", external_id="ocQHyuzHvysMo5N5VsXd")
    await seed.counterpart(sarah, "ghl", external_id="ocQHyuzHvysMo5N5VsXc")
    await seed.counterpart(sarah, "sheet", external_id=None)
    await seed.insert(
        "crosswalk_beside", workspace_id=seed.workspace_id, record_type="contact", connection="ghl",
        external_id="Beside-7", record_id=sarah,
    )  # fmt: skip

    found = await insight.search_contacts(seed.connection, seed.workspace_id, typed, region="US")

    assert [contact.id for contact in found] == [sarah]


@pytest.mark.parametrize("typed", ["", "   ", "arah", "%", "_", "sarah\x01", "🙂", "'", "johnson%"])
async def test_what_begins_no_name_finds_nobody(seed: Seed, typed: str) -> None:
    await seed.contact(email="sarah.johnson@example.com", phone="+13125550147")

    assert await insight.search_contacts(seed.connection, seed.workspace_id, typed, region="US") == ()


async def test_a_contact_is_found_by_names_of_every_script(seed: Seed) -> None:
    for first, last in (("Žofie", "Ågren"), ("さくら", "田中"), ("Mary Ann", "van der Berg")):
        await seed.contact(first_name=first, last_name=last)

    async def names(typed: str) -> list[str]:
        return [found.name for found in await insight.search_contacts(seed.connection, seed.workspace_id, typed)]

    assert await names("žof") == ["Žofie Ågren"]
    assert await names("ÅG") == ["Žofie Ågren"]
    assert await names("田") == ["さくら 田中"]
    assert await names("mary ann van der b") == ["Mary Ann van der Berg"]


async def test_short_ids(seed: Seed) -> None:
    run = await seed.run()
    other = await Seed.workspace(seed.connection, "bell")
    theirs = await other.run()

    async def resolved(text: str) -> tuple[object, ...]:
        return await insight.resolve_short_id(seed.connection, "runs", seed.workspace_id, text)

    assert await resolved(short_id(run)) == (run,)
    assert await resolved(short_id(run)[:6].upper()) == (run,)
    assert await resolved(str(run)) == (run,)
    assert await resolved(str(theirs)) == await resolved(short_id(theirs)) == ()
    assert await resolved("nonsense") == await resolved("") == ()
    with pytest.raises(ValueError, match="has no short ids"):
        await insight.resolve_short_id(seed.connection, "sessions; --", seed.workspace_id, "ab")


async def test_a_contacts_timeline_is_everything_by_time(seed: Seed) -> None:
    sarah = await seed.contact(at=seed.ago(hours=4))
    delivery = await seed.delivery(at=seed.ago(hours=4, seconds=1))
    change = await seed.change(sarah, at=seed.ago(hours=4), delivery_id=delivery)
    await seed.event(sarah, "contact.created", at=seed.ago(hours=4), delivery_id=delivery)
    run = await seed.run(at=seed.ago(hours=3), contact_id=sarah, delivery_id=delivery)
    event = await seed.event(sarah, "message.received", at=seed.ago(hours=2))
    invoice = RecordState("invoice", "b1", {"number": "A-1"})
    [heard] = await keep(seed.connection, [Word(seed.workspace_id, "books", invoice, Ownership(), "books", sarah)])

    page = await insight.timeline(seed.connection, seed.workspace_id, sarah)

    assert [(entry.kind, entry.id) for entry in page.items] == [
        ("record", heard.record_id),
        ("event", event),
        ("run", run),
        ("change", change),
        ("delivery", delivery),
    ]
    assert [type(entry.item) for entry in page.items] == [RecordRow, ContactEvent, RunRow, ContactChange, DeliveryRow]
    assert page.before is None


async def test_a_long_timeline_comes_in_pages_without_loss(seed: Seed) -> None:
    sarah = await seed.contact(at=seed.ago(days=9))
    expected = set()
    for hour in range(12):
        expected.add(await seed.change(sarah, at=seed.ago(hours=hour), version=hour))
        expected.add(await seed.run(at=seed.ago(hours=hour), contact_id=sarah))
        expected.add(await seed.event(sarah, "message.received", at=seed.ago(hours=hour)))

    seen, before = [], None
    while True:
        page = await insight.timeline(seed.connection, seed.workspace_id, sarah, before=before, size=7)
        seen += [entry.id for entry in page.items]
        before = page.before
        if before is None:
            break

    assert seen == sorted(expected, reverse=True)


async def test_the_systems_a_contact_is_in(seed: Seed) -> None:
    sarah = await seed.contact()
    await seed.counterpart(sarah)
    await seed.counterpart(sarah, "sheet", external_id=None, wanted_version=2, pushed_version=0, error="403: no")

    detail = await insight.contact_detail(seed.connection, seed.workspace_id, sarah)

    assert detail is not None
    assert [(s.connection, s.external_id, s.is_behind, s.error) for s in detail.counterparts] == [
        ("ghl", "ocQHyuzHvysMo5N5VsXc", False, ""),
        ("sheet", "", True, "403: no"),
    ]


async def test_deliveries_by_state_and_source(seed: Seed) -> None:
    rejected = await seed.delivery(state="rejected", at=seed.ago(minutes=3))
    ignored = await seed.delivery(state="ignored", source="calendly", at=seed.ago(minutes=2))
    done = await seed.delivery(at=seed.ago(minutes=1))

    async def found(**wanted: str) -> list[object]:
        page = await insight.list_deliveries(seed.connection, seed.workspace_id, **wanted)  # type: ignore[arg-type]
        return [delivery.id for delivery in page.items]

    assert await found() == [done, ignored, rejected]
    assert await found(state="rejected") == [rejected]
    assert await found(state="ignored") == [ignored]
    assert await found(source="calendly") == [ignored]
    assert await found(state="ignored", source="website") == []
    assert await found(state="none' OR true --") == []


async def test_a_body_is_cut_for_display_and_says_so(seed: Seed) -> None:
    delivery = await seed.delivery(body=b"x" * 100_000)

    found = await insight.delivery_detail(seed.connection, seed.workspace_id, delivery)

    assert found is not None
    row, raw = found
    assert (row.size, raw.size, len(raw.body), raw.is_cut) == (100_000, 100_000, 64_000, True)


async def test_sources_by_day_in_the_workspaces_own_time(seed: Seed) -> None:
    evening = seed.now.replace(hour=3, minute=0, second=0) - timedelta(days=1)  # still the day before in Chicago
    await seed.tally("source website", "accepted", 5, at=evening)
    await seed.tally("source website", "accepted", 2, at=evening - timedelta(days=7), shard=3)
    await seed.tally("source website", "rejected", 1, at=evening)

    (source,) = await insight.source_overview(
        seed.connection, seed.workspace_id, seed.now, timezone="America/Chicago", days=14
    )

    shown = {day.day: (day.accepted, day.rejected, day.week_before) for day in source.days if day.accepted}
    assert shown == {
        (evening - timedelta(days=1)).date(): (5, 1, 2),
        (evening - timedelta(days=8)).date(): (2, 0, 0),
    }
    assert (len(source.days), source.accepted, source.last_accepted) == (14, 7, evening)


async def test_how_connections_do(seed: Seed) -> None:
    await seed.tally("attempt ghl", "ok", 5, at=seed.ago(hours=1))
    await seed.tally("attempt ghl", "retry", 2, at=seed.ago(hours=3))
    run = await seed.run(state="waiting", waiting_for="retry of chat.post")
    await seed.attempt(run, 1, state="retry")

    ghl, slack = await insight.connection_overview(seed.connection, seed.workspace_id, seed.now)

    assert (ghl.name, ghl.succeeded, ghl.retried, ghl.failed, ghl.waiting_runs) == ("ghl", 5, 2, 0, 0)
    assert ghl.last_success is not None
    assert ghl.last_trouble is not None
    assert ghl.last_success > ghl.last_trouble
    assert (slack.name, slack.waiting_runs, slack.last_success) == ("slack", 1, None)


async def test_details_of_another_workspace_are_not_there(seed: Seed) -> None:
    other = await Seed.workspace(seed.connection, "bell")
    ask, ours = seed.connection, seed.workspace_id

    assert await insight.run_detail(ask, ours, await other.run()) is None
    contact = await other.contact(email="sarah@example.com")
    await other.change(contact)
    await other.counterpart(contact)
    assert await insight.contact_detail(ask, ours, contact) is None
    assert (await insight.timeline(ask, ours, contact)).items == ()
    assert await insight.search_contacts(ask, ours, "sarah") == ()
    assert (await insight.list_contacts(ask, ours)).items == ()
    assert await insight.delivery_detail(ask, ours, await other.delivery()) is None
    assert (await insight.list_deliveries(ask, ours)).items == ()
    assert await insight.quarantine_detail(ask, ours, await other.quarantined()) is None
    assert (await insight.list_quarantine(ask, ours)).items == ()
    assert await insight.incident_detail(ask, ours, await other.incident()) is None
    assert await insight.open_incidents(ask, ours) == ()
    assert (await insight.list_runs(ask, ours, RunFilter(text="sarah"))).items == ()
