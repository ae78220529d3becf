"""A mirror in a CRM: fed like any other, under the claim of pushes, compared by what it lists and by id."""

from __future__ import annotations

import orjson
import pytest

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack
from tests.mirrors.crm import AFTER, BEFORE, MIRRORED, Twofold


@pytest.fixture
async def both(make_stack: MakeStack, sandbox: Sandbox) -> Twofold:
    return await Twofold.make(make_stack, sandbox)


async def test_what_is_there_is_loaded_then_what_changes(make_stack: MakeStack, sandbox: Sandbox) -> None:
    both = await Twofold.make(make_stack, sandbox, BEFORE)
    await both.submit("ann", "bob")
    await both.edit(MIRRORED)
    await both.write()
    assert set(both.hubspot()) == {"ann@example.com", "bob@example.com"}
    await both.submit("cat")
    await both.submit("ann", company="Acme")
    await both.write()
    assert {email: record.get("company", "") for email, record in both.hubspot().items()} == {
        "ann@example.com": "Acme",
        "bob@example.com": "",
        "cat@example.com": "",
    }
    assert both.ghl().keys() == both.hubspot().keys()
    loaded = await both.value("SELECT (loaded, to_load)::text FROM mirrors")
    assert loaded == "(2,2)"
    assert await both.compare() == []


async def test_who_is_there_already_is_found_by_e_mail_and_by_phone(both: Twofold) -> None:
    both.sandbox.seed(
        "hubspot",
        "contacts",
        [{"properties": {"email": "ann@example.com", "company": "Theirs"}}, {"properties": {"phone": "+13125550147"}}],
    )
    await both.submit("ann")
    await both.stack.submit("website", phone="(312) 555-0147", name="Bob Li")
    await both.write()
    assert {email: record.get("firstname") for email, record in both.hubspot().items()} == {
        "ann@example.com": "Ann",
        "+13125550147": "Bob",
    }
    # What is empty here is left alone there, and is no drift.
    assert both.hubspot()["ann@example.com"]["company"] == "Theirs"
    assert await both.compare() == []


async def test_what_a_person_changes_there_is_found_and_reverted(both: Twofold) -> None:
    await both.submit("ann", "bob", "cat")
    await both.write()
    await both.change_there("ann@example.com", firstname="Anna")
    await both.change_there("bob@example.com", firstname="BOB", company="Acme")
    await both.change_there("cat@example.com", hs_email_optout="true")
    found = await both.compare()
    assert [(kind, fields) for kind, fields in found] == [
        ("changed", {"First name": {"ours": "Ann", "theirs": "Anna"}}),
        ("changed", {"Do not contact": {"ours": "", "theirs": "yes"}}),
    ]
    assert await both.stack.app.copies.revert(both.workspace_id, "hubspot", by="dana") == 2
    await both.write()
    assert both.hubspot()["ann@example.com"]["firstname"] == "Ann"


async def test_a_record_that_is_gone_there_is_found_and_made_again(both: Twofold) -> None:
    await both.submit("ann", "bob")
    await both.write()
    await both.remove_there("ann@example.com")
    assert await both.compare() == [("missing", {})]
    await both.stack.app.copies.revert(both.workspace_id, "hubspot", by="dana")
    await both.write()
    assert await both.compare() == []


async def test_whom_the_vendor_refuses_is_told_and_holds_up_nobody(both: Twofold) -> None:
    await both.submit("ann")
    async with acquire(both.stack.app.pool) as connection:
        # A name alone cannot be found again there.
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', false)")
        await connection.execute("UPDATE contacts SET email = ''")
        await connection.execute("SELECT set_config('mainstay.writer', '', false)")
    await both.submit("bob")
    await both.write()
    assert set(both.hubspot()) == {"bob@example.com"}
    ((kind, fields),) = await both.compare()
    assert (kind, "no phone" in fields[""]["ours"]) == ("refused", True)
    assert {state for _, _, state in await both.stack.runs("mirror.v1")} == {"done"}
    await both.submit("ann")
    await both.write()
    await both.compare()
    assert await both.value("SELECT count(*) FROM stale_in_mirror") == 0


async def test_two_of_our_contacts_get_no_one_record(both: Twofold) -> None:
    await both.submit("ann", phone="(312) 555-0147")
    await both.submit("bob", phone="(312) 555-0147")
    await both.write()
    assert set(both.hubspot()) == {"ann@example.com", "bob@example.com"}
    assert await both.compare() == []


@pytest.mark.parametrize("status", [503, 401])
async def test_a_mirror_that_is_away_gets_all_of_it_later(both: Twofold, status: int) -> None:
    fault = both.sandbox.set_fault("hubspot", "status", status=status, contains="bob")
    await both.submit("ann", "bob", "cat")
    async with acquire(both.stack.app.pool) as connection:
        await connection.execute("UPDATE mirrors SET written_at = now() - interval '1 hour'")
    await both.stack.app.watch_once()
    await both.stack.settle()
    both.sandbox.clear("hubspot", fault)
    await both.stack.advance("2h")
    await both.stack.retry("mirror.v1")
    await both.write()
    assert set(both.hubspot()) == {"ann@example.com", "bob@example.com", "cat@example.com"}


async def test_an_answer_that_is_lost_doubles_nobody(both: Twofold) -> None:
    both.sandbox.set_fault("hubspot", "drop_after", path="*/batch/upsert", count=1)
    await both.submit("ann", "bob", "cat")
    async with acquire(both.stack.app.pool) as connection:
        await connection.execute("UPDATE mirrors SET written_at = now() - interval '1 hour'")
    await both.stack.app.watch_once()
    await both.stack.settle()
    await both.stack.advance("2h")
    await both.write()
    assert len(both.hubspot()) == 3


async def test_the_word_of_a_mirror_does_not_count_but_a_new_lead_does(make_stack: MakeStack, sandbox: Sandbox) -> None:
    source = '\n    [sources.hub]\n    kind = "json"\n    connection = "hubspot"\n'
    both = await Twofold.make(make_stack, sandbox, MIRRORED + source)
    await both.submit("ann")
    await both.write()
    told = {"email": "ann@example.com", "first_name": "Anna"}
    await both.stack.deliver("hub", orjson.dumps(told))
    assert await both.value("SELECT first_name FROM contacts") == "Ann"
    assert await both.value("SELECT reason FROM deliveries WHERE source = 'hub'") == (
        "hubspot is a mirror, which has no word on a known contact"
    )
    # But an opt-out counts, whoever brings it, and of what comes with it nothing else.
    await both.stack.deliver("hub", orjson.dumps(told | {"do_not_contact": "yes"}))
    assert await both.value("SELECT first_name || do_not_contact FROM contacts") == "Anntrue"
    await both.stack.deliver("hub", orjson.dumps({"email": "new@example.com"}))
    await both.write()
    assert set(both.ghl()) == {"ann@example.com", "new@example.com"}


async def test_the_system_of_record_that_was_a_mirror_is_followed_for_those_who_do_not_know_it_yet(
    both: Twofold,
) -> None:
    before = both.stack
    await both.submit("ann")
    await both.write()
    await both.edit(AFTER)
    await both.submit("bob")
    # A process of before the cut-over pushes to the old one alone, and a worker of after it heals that.
    await before.submit("website", email="cat@example.com", name="Cat Li")
    await both.write()
    await both.write("ghl")
    names = {"ann@example.com", "bob@example.com", "cat@example.com"}
    assert set(both.hubspot()) == set(both.ghl()) == names
    assert await both.compare("ghl") == []
    calls = len(both.sandbox.requests())
    async with acquire(both.stack.app.pool) as connection:
        await connection.execute("UPDATE mirrors SET followed_until = now() WHERE followed_until IS NOT NULL")
    await both.stack.app.watch_once()
    assert await both.value("SELECT string_agg(name, ',') FROM mirrors WHERE is_declared") == "ghl"
    assert len(both.sandbox.requests()) == calls
