from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mainstay.engine.context import RoleBinding
from mainstay.errors import NeedsHumanError, PermanentError
from mainstay.gates import Pause
from mainstay.kit import Submission
from mainstay.kit.pulling import Cursor
from mainstay.pulls import pulling, store
from tests.conftest import MakeStack
from tests.pulls.crm import STACK, Reconciled, now

ANN = Submission(email="ann@example.com", first_name="Ann", last_name="Li")


@pytest.fixture
async def hub(make_stack: MakeStack) -> Reconciled:
    return await Reconciled.make(make_stack)


async def test_a_change_whose_webhook_was_missed_comes_in(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    hub.crm.edit("1", phone="(312) 555-0147", company="Acme")
    pushes = hub.crm.pushes

    await hub.pull()

    contact = await hub.contact("ann@example.com")
    assert (contact["phone"], contact["company"]) == ("+13125550147", "Acme")
    assert len(await hub.stack.runs("follow.v1")) == 1
    assert hub.crm.pushes == pushes
    (said,) = await hub.rows("SELECT * FROM changes WHERE source = 'hub'")
    assert (said["kind"], said["rule"]) == ("crm", "external id")
    assert (
        await hub.rows("SELECT lane FROM runs WHERE workflow IN ('follow.v1', 'reconcile.v1')")
        == [{"lane": "backfill"}] * 2
    )


async def test_what_is_known_costs_nothing(hub: Reconciled) -> None:
    for name in ("ann", "bob", "cat"):
        await hub.stack.submit("website", email=f"{name}@example.com", name=f"{name.title()} Li")
    await hub.pull()
    before = await hub.state()

    await hub.pull()

    assert await hub.state() == before
    assert await hub.rows("SELECT DISTINCT source FROM changes") == [{"source": "website"}]
    assert hub.crm.pulls == 4


async def test_a_change_that_loses_is_kept_once(hub: Reconciled) -> None:
    lead = await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    earlier = now()
    await hub.stack.app.contacts.edit(hub.workspace_id, lead.contact.id, {"company": "By hand"}, by="dana")
    await hub.stack.settle()
    hub.crm.edit("1", at=earlier, company="Theirs")
    await hub.pull()
    assert (await hub.contact("ann@example.com"))["company"] == "By hand"
    before = await hub.state()

    await hub.pull()

    assert await hub.state() == before
    assert len(await hub.rows("SELECT FROM changes WHERE source = 'hub'")) == 1


async def test_many_pages_and_ties(hub: Reconciled) -> None:
    at = now()
    for number in range(7):
        hub.crm.put(str(number), Submission(email=f"{number}@example.com", first_name="Ann"), at=at)

    await hub.pull()

    assert len(await hub.rows("SELECT FROM contacts")) == 7
    assert len(await hub.stack.runs("greet.v1")) == 7
    assert hub.crm.pulls == 4
    assert hub.crm.pushes == 0
    (run,) = await hub.stack.runs("reconcile.v1")
    assert run[2] == "done"


async def test_a_run_that_has_read_enough_leaves_the_rest_to_the_next(
    hub: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "MOST_PAGES", 2)
    for number in range(7):
        hub.crm.put(str(number), Submission(email=f"{number}@example.com", first_name="Ann"))

    for _ in range(2):
        await hub.stack.app.watch_once()
        await hub.stack.settle()

    assert len(await hub.rows("SELECT FROM contacts")) == 7
    assert len(await hub.stack.runs("reconcile.v1")) == 2


async def test_a_kill_between_a_page_and_its_cursor_doubles_nothing(
    hub: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        hub.crm.put(str(number), Submission(email=f"{number}@example.com", first_name="Ann"))
    keep, calls = store.keep_cursor, []

    async def dies(*values: Any, **keys: Any) -> None:
        calls.append(values)
        if len(calls) == 1:
            raise ConnectionError("killed")
        await keep(*values, **keys)

    monkeypatch.setattr(store, "keep_cursor", dies)
    await hub.pull()

    assert (len(calls), hub.crm.pulls) == (3, 3)
    assert len(await hub.rows("SELECT FROM contacts")) == 3
    assert len(await hub.rows("SELECT FROM changes")) == 3
    assert len(await hub.stack.runs("greet.v1")) == 3
    assert await hub.count("brought") == 3
    assert {state for _, _, state in await hub.stack.runs("reconcile.v1")} == {"done"}


async def test_two_workers_never_pull_at_once(hub: Reconciled) -> None:
    app = hub.stack.app
    await asyncio.gather(*(app.puller.begin_due(hub.workspace_id) for _ in range(8)))
    assert len(await hub.stack.runs("reconcile.v1")) == 1
    await hub.stack.settle()
    await app.puller.begin_due(hub.workspace_id)
    assert len(await hub.stack.runs("reconcile.v1")) == 1


async def test_a_run_whose_place_was_taken_does_nothing(hub: Reconciled) -> None:
    hub.crm.put("1", ANN)
    await hub.stack.app.puller.begin_due(hub.workspace_id)
    await hub.run("UPDATE pulls SET run_id = NULL")
    await hub.stack.settle()
    assert hub.crm.pulls == 0
    assert await hub.rows("SELECT FROM contacts") == []


# Echoes -------------------------------------------------------------------------------------------------------------


async def test_our_own_push_comes_back_and_nothing_happens(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li", phone="(312) 555-0147")
    before = await hub.state()
    hub.crm.edit("1", phone="(312) 555 0147", email=" ANN@example.com")

    await hub.pull()

    assert await hub.state() == before


async def test_what_comes_with_a_later_push_of_ours_is_kept_and_starts_nothing(hub: Reconciled) -> None:
    hub.crm.automation = lambda said: replace(said, custom={"country": "US"})
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    hub.crm.created["1"] = now() - timedelta(hours=1)
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li", company="Li LLC")
    before = await hub.stack.runs("follow.v1")

    await hub.pull()
    assert await hub.stack.runs("follow.v1") == before
    assert (await hub.contact("ann@example.com"))["custom"] == {"country": "US"}
    at_rest = await hub.state()
    await hub.pull()
    assert await hub.state() == at_rest

    # What people change there is news all the same, however soon after our push.
    hub.crm.edit("1", custom={"country": "CA"})
    await hub.pull()
    assert len(await hub.stack.runs("follow.v1")) == len(before) + 1


async def test_a_push_that_is_behind_takes_nothing_back(hub: Reconciled) -> None:
    """The record is what we pushed first; meanwhile a form said more, and that push is still to come."""
    lead = await hub.stack.submit("website", email="ann@example.com", name="Ann Li", company="First")
    await hub.run("UPDATE crosswalk SET pushed_version = wanted_version")
    app: Any = hub.stack.app
    crm, app.crm = app.crm, lambda *_: _Refusing()
    await hub.stack.submit("website", email="ann@example.com", company="Second")
    app.crm = crm
    assert hub.crm.records["1"].company == "First"
    before = await hub.state()
    # By its own clock it was written after the form was: so does a slow push look.
    hub.crm.edit("1", at=now() + timedelta(milliseconds=1))

    await hub.pull()

    assert await hub.state() == before
    assert (await hub.contact("ann@example.com"))["company"] == "Second"
    hub.crm.edit("1", first_name="Anna")
    await hub.pull()
    contact = await hub.contact("ann@example.com")
    assert (contact["id"], contact["company"], contact["first_name"]) == (lead.contact.id, "Second", "Anna")


class _Refusing:
    async def push_contact(self, *_: Any) -> None:
        raise PermanentError("not now")


async def test_a_value_that_people_put_back_there_is_news(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li", company="First")
    for company in ("Second", "First"):
        hub.crm.edit("1", company=company)
        await hub.pull()
        assert (await hub.contact("ann@example.com"))["company"] == company


async def test_both_sides_automated_comes_to_rest(make_stack: MakeStack) -> None:
    hub = await Reconciled.make(
        make_stack,
        workflows="""
        @workflow("tag.v1", on="contact.updated")
        async def tag(ctx: Context, contact: Contact) -> None:
            await ctx.crm.add_tag(contact, "seen")
        """,
    )
    app: Any = hub.stack.app
    app.role = lambda *_: RoleBinding("crm", "hub", lambda _http: _Tagging(hub))
    hub.crm.automation = lambda said: replace(said, company=said.company.upper())
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li", company="Acme")
    states = []
    for _ in range(5):
        await hub.pull()
        states.append(await hub.state())
    assert (await hub.contact("ann@example.com"))["company"] == "ACME"
    assert states[2:] == [states[2]] * 3


class _Tagging:
    def __init__(self, hub: Reconciled) -> None:
        self.hub = hub

    async def add_tag(self, external_id: str, tag: str) -> None:
        self.hub.crm.edit(external_id, tags=(tag,))


async def test_a_record_that_is_just_being_made_is_still_ours(hub: Reconciled) -> None:
    async def pulls() -> None:
        await hub.stack.app.puller.begin_due(hub.workspace_id)

    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    await hub.run("UPDATE crosswalk SET external_id = NULL, push_run_id = gen_random_uuid()")
    before = await hub.state()
    await pulls()
    await hub.stack.settle()
    assert await hub.state() == before
    assert await hub.rows("SELECT FROM crosswalk WHERE external_id IS NOT NULL") == []


# What begins workflows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "greeted"), [(timedelta(minutes=20), 1), (timedelta(days=900), 0)])
async def test_only_a_lead_that_is_new_there_is_greeted(hub: Reconciled, age: timedelta, greeted: int) -> None:
    hub.crm.put("7", ANN, at=now() - timedelta(minutes=5), created=now() - age)

    await hub.pull()

    assert (await hub.contact("ann@example.com"))["first_name"] == "Ann"
    assert len(await hub.stack.runs("greet.v1")) == greeted
    assert await hub.rows("SELECT type FROM events") == [{"type": "contact.created"}]


async def test_a_first_pull_brings_a_day_and_starts_nothing(hub: Reconciled) -> None:
    hub.crm.put("1", ANN, at=now() - timedelta(hours=20))
    hub.crm.put("2", Submission(email="old@example.com"), at=now() - timedelta(hours=30))

    await hub.pull()

    assert [each["email"] for each in await hub.rows("SELECT email FROM contacts")] == ["ann@example.com"]
    assert await hub.stack.runs("greet.v1") == []
    assert await hub.count("missed") == 0


async def test_an_opt_out_there_arrives(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    hub.crm.edit("1", do_not_contact=True)
    await hub.pull()
    assert (await hub.contact("ann@example.com"))["do_not_contact"]
    hub.crm.edit("1", do_not_contact=False)
    await hub.pull()
    assert (await hub.contact("ann@example.com"))["do_not_contact"]


# The gap --------------------------------------------------------------------------------------------------------------


async def test_a_missed_webhook_is_counted_once_it_is_late(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    hub.crm.edit("1", company="Acme")
    await hub.pull()
    assert await hub.count("missed") == 0
    await hub.run("UPDATE pulled_changes SET changed_at = changed_at - interval '6 minutes'")
    await hub.pull()
    assert (await hub.count("brought"), await hub.count("missed")) == (1, 1)
    await hub.pull()
    assert await hub.count("missed") == 1
    assert await hub.stack.runs("alert.v1") == []


async def test_a_webhook_that_was_only_slower_is_not_missed(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    hub.crm.edit("1", company="Acme")
    await hub.pull()
    await hub.stack.submit("hub", email="ann@example.com", company="Acme")
    await hub.run("UPDATE pulled_changes SET changed_at = changed_at - interval '6 minutes'")
    await hub.pull()
    assert await hub.count("missed") == 0
    assert await hub.rows("SELECT FROM pulled_changes") == []


async def test_many_and_no_webhook_is_an_incident(hub: Reconciled) -> None:
    for number in range(12):
        hub.crm.put(str(number), Submission(email=f"{number}@example.com"), at=now() - timedelta(minutes=30))
    await hub.pull()
    (incident,) = await hub.rows("SELECT * FROM incidents")
    assert incident["title"] == "Webhooks of hub seem to come no more"
    assert "12 changes" in incident["cause"]
    assert incident["state"] == "open"


async def test_without_a_source_nothing_is_missed(make_stack: MakeStack) -> None:
    toml = STACK.replace('kind = "form"\n    connection = "hub"', 'kind = "form"')
    hub = await Reconciled.make(make_stack, toml)
    hub.crm.put("1", ANN, at=now() - timedelta(minutes=30))
    await hub.pull()
    assert (await hub.count("brought"), await hub.count("missed")) == (1, 0)
    assert await hub.rows("SELECT FROM pulled_changes") == []


# What is gone there, and what goes wrong ------------------------------------------------------------------------------


async def test_a_record_that_is_gone_there_leaves_our_contact(hub: Reconciled) -> None:
    await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    pushes = hub.crm.pushes
    del hub.crm.records["1"]
    hub.crm.removed = ["1", "unknown"]

    await hub.pull()

    assert (await hub.contact("ann@example.com"))["first_name"] == "Ann"
    (event,) = await hub.rows("SELECT * FROM events WHERE type = 'contact.removed_there'")
    assert event["data"] == {"connection": "hub", "external_id": "1"}
    assert await hub.rows("SELECT FROM crosswalk") == []
    assert hub.crm.pushes == pushes
    await hub.stack.submit("website", email="ann@example.com", company="Acme")
    assert [each.company for each in hub.crm.records.values()] == ["Acme"]


async def test_a_deleted_contact_does_not_come_back_by_what_was_said_before(hub: Reconciled) -> None:
    lead = await hub.stack.submit("website", email="ann@example.com", name="Ann Li")
    await hub.stack.app.contacts.delete(hub.workspace_id, lead.contact.id)
    await hub.pull()
    assert await hub.rows("SELECT FROM contacts WHERE deleted_at IS NULL") == []


async def test_a_pull_that_fails_is_an_incident_and_goes_on_when_retried(hub: Reconciled) -> None:
    hub.crm.put("1", ANN)

    async def fails() -> None:
        raise NeedsHumanError("the scope is missing")

    hub.crm.between = fails
    await hub.pull()
    assert [state for *_, state in await hub.stack.runs("reconcile.v1")] == ["failed"]
    assert len(await hub.rows("SELECT FROM incidents")) == 1
    await hub.pull()
    assert len(await hub.stack.runs("reconcile.v1")) == 1
    await hub.stack.retry("reconcile.v1")
    assert [state for *_, state in await hub.stack.runs("reconcile.v1")] == ["done"]
    assert (await hub.contact("ann@example.com"))["first_name"] == "Ann"


async def test_a_paused_connection_holds_it(hub: Reconciled) -> None:
    app = hub.stack.app
    await app.gates.declare()
    await app.gates.pause(hub.workspace_id, "hub", Pause("dana", ""))
    await hub.pull()
    await hub.pull()
    assert hub.crm.pulls == 0
    assert [state for *_, state in await hub.stack.runs("reconcile.v1")] == ["waiting"]
    await app.gates.resume(hub.workspace_id, "hub")
    await hub.stack.advance("1m")
    assert hub.crm.pulls == 1


async def test_off_forgets_where_it_was_and_on_begins_anew(make_stack: MakeStack) -> None:
    hub = await Reconciled.make(make_stack)
    await hub.pull()
    off = STACK.replace("[records.contact]", '[records.contact]\n    reconcile = "off"')
    stack = await make_stack(off)
    assert await hub.rows("SELECT FROM pulls") == []
    await stack.app.watch_once()
    assert len(await stack.runs("reconcile.v1")) == 1
    await make_stack(STACK)
    (row,) = await hub.rows("SELECT * FROM pulls")
    assert row["pulled_at"] is None
    assert now() - Cursor.read(row["cursor"]).since > timedelta(hours=23)
