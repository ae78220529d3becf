"""Whom somebody deletes here is deleted in every CRM that we keep; a revert in one can be undone."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from mainstay.errors import MirrorRefusedError
from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack
from tests.faults.fleet import until
from tests.mirrors.crm import MIRRORED, Twofold


@pytest.fixture
async def both(make_stack: MakeStack, sandbox: Sandbox) -> Twofold:
    return await Twofold.make(make_stack, sandbox)


async def contact_id(both: Twofold, email: str) -> UUID:
    found: UUID = await both.value("SELECT id FROM contacts WHERE email = $1", email)
    return found


async def open_drifts(both: Twofold, state: str = "reverted") -> list[UUID]:
    found: list[UUID] = await both.value("SELECT array_agg(id) FROM drifts WHERE state = $1", state)
    return found


async def test_who_is_deleted_here_is_deleted_in_every_crm(both: Twofold) -> None:
    await both.submit("ann", "bob")
    await both.write()
    # Somebody was faster in one of them, and the other is away for a while.
    await both.remove_there("ann@example.com")
    both.sandbox.set_fault("gohighlevel", "status", status=503, method="DELETE", count=1)
    erased = await both.stack.app.contacts.delete(both.workspace_id, await contact_id(both, "ann@example.com"))
    assert {name for name, _ in erased.elsewhere} == {name for name, _ in erased.begun} == {"ghl", "hubspot"}
    await both.stack.advance("1h")
    await both.write()
    assert set(both.hubspot()) == set(both.ghl()) == {"bob@example.com"}
    assert {state for _, _, state in await both.stack.runs("delete-elsewhere.v1")} == {"done"}
    assert await both.compare() == []
    # It is forgotten that they were there.
    assert await both.value("SELECT count(*) FROM record_ids") == 2


async def test_who_is_deleted_while_they_are_being_pushed_is_not_left_there(both: Twofold) -> None:
    held = both.sandbox.set_fault("gohighlevel", "hold", path="/contacts/upsert")
    pushing = asyncio.create_task(both.submit("ann"))
    await until(lambda: both.sandbox.hits(held), "the push is with the vendor")
    await both.stack.app.contacts.delete(both.workspace_id, await contact_id(both, "ann@example.com"))
    both.sandbox.clear("gohighlevel", held)
    await pushing
    await both.stack.settle()
    assert both.ghl() == {}

    await both.submit("bob")
    writing = both.sandbox.set_fault("hubspot", "hold", method="POST")
    mirror = asyncio.create_task(both.write())
    await until(lambda: both.sandbox.hits(writing), "the mirror's write is with the vendor")
    await both.stack.app.contacts.delete(both.workspace_id, await contact_id(both, "bob@example.com"))
    both.sandbox.clear("hubspot", writing)
    await mirror
    await both.stack.settle()
    assert (both.hubspot(), both.ghl()) == ({}, {})
    assert await both.value("SELECT count(*) FROM crosswalk") == 0


async def test_a_stack_may_keep_its_deletions_to_itself(make_stack: MakeStack, sandbox: Sandbox) -> None:
    setting = '\n    [records.contact.identity]\n    delete_elsewhere = "never"\n'
    both = await Twofold.make(make_stack, sandbox, MIRRORED + setting)
    await both.submit("ann")
    await both.write()
    erased = await both.stack.app.contacts.delete(both.workspace_id, await contact_id(both, "ann@example.com"))
    await both.write()
    assert ({name for name, _ in erased.elsewhere}, erased.begun) == ({"ghl", "hubspot"}, {})
    assert set(both.hubspot()) == set(both.ghl()) == {"ann@example.com"}


async def test_a_revert_in_a_crm_is_undone(both: Twofold) -> None:
    await both.submit("ann", "bob", "cat")
    await both.write()
    await both.change_there("ann@example.com", firstname="Anna", hs_email_optout="true")
    await both.remove_there("bob@example.com")
    await both.change_there("cat@example.com", lastname="")
    drifted = await both.compare()
    copies = both.stack.app.copies
    assert await copies.revert(both.workspace_id, "hubspot", by="dana") == 3
    await both.write()
    assert (len(both.hubspot()), both.hubspot()["ann@example.com"]["firstname"]) == (3, "Ann")

    # No CRM is told to empty a value: what cannot be brought back is refused as a whole, and nothing is done.
    with pytest.raises(MirrorRefusedError, match="Last name"):
        await copies.undo(both.workspace_id, "hubspot", await open_drifts(both), by="dana")
    back = await both.value("SELECT array_agg(id) FROM drifts WHERE NOT fields ? 'Last name'")
    assert (await copies.undo(both.workspace_id, "hubspot", back, by="dana")).count == 2
    await both.stack.settle()

    assert set(both.hubspot()) == {"ann@example.com", "cat@example.com"}
    assert both.hubspot()["ann@example.com"]["firstname"] == "Anna"
    assert len(await open_drifts(both, "open")) == 2
    # It is found as it was, and can be reverted again.
    assert await both.compare() == [each for each in drifted if "Last name" not in each[1]]
    await copies.revert(both.workspace_id, "hubspot", by="dana")
    await both.write()
    assert (len(both.hubspot()), both.hubspot()["ann@example.com"]["firstname"]) == (3, "Ann")
