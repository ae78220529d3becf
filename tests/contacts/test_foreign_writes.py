"""Writes that are not their sender's to make: what a mirror says, and an edit by hand of what another system owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import PermanentError
from mainstay.insight import contact_detail
from mainstay.insight.lineage import Lineage
from mainstay.model import Contact, Submission
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    hub = { connector = "hubspot", token = "${TOKEN}" }
    books = { connector = "stripe", api_key = "${TOKEN}" }
    sheet = { connector = "table_file" }
    [records.contact]
    system_of_record = "%s"
    reconcile = "off"
    mirrors = ["sheet"]
    foreign_writes = "%s"
    owners = { company = "hub", "custom.vat" = "books" }
    [sources.website]
    kind = "form"
    [sources.of-the-sheet]
    kind = "form"
    connection = "sheet"
"""
ANN = "ann@example.com"


@pytest.fixture
async def refusing(make_stack: MakeStack) -> StackUnderTest:
    return await make_stack(STACK % ("mainstay", "refuse"))


@pytest.fixture
async def forwarding(make_stack: MakeStack, sandbox: Sandbox) -> StackUnderTest:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    return await make_stack(STACK % ("hub", "forward"))


def workspace_of(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def fetch(stack: StackUnderTest, query: str, *values: Any) -> list[Mapping[str, Any]]:
    async with acquire(stack.app.pool) as connection:
        return [dict(row) for row in await connection.fetch(query, *values)]


async def ann(stack: StackUnderTest, **fields: str) -> Contact:
    return (await stack.submit("website", email=ANN, **fields)).contact


async def edit(stack: StackUnderTest, contact: Contact, values: Mapping[str, str]) -> Any:
    resolution = await stack.app.contacts.edit(workspace_of(stack), contact.id, values, by="dana")
    await stack.settle()
    return resolution


async def standing(stack: StackUnderTest) -> Mapping[str, Any]:
    (row,) = await fetch(stack, "SELECT * FROM contacts WHERE email = $1", ANN)
    return row


class TestAMirror:
    async def test_its_delivery_is_kept_and_changes_nothing(self, refusing: StackUnderTest) -> None:
        await ann(refusing, first_name="Ann")
        before = await fetch(refusing, "SELECT * FROM contacts")
        receipt = await refusing.deliver("of-the-sheet", b'{"email": "ann@example.com", "first_name": "Anna"}')
        (kept,) = await fetch(refusing, "SELECT * FROM deliveries WHERE id = $1", receipt.delivery_id)
        assert (kept["state"], bytes(kept["body"]) != b"") == ("ignored", True)
        assert kept["reason"] == (
            '"sheet" is a mirror, a copy that is right about nothing: write to the system of record'
        )
        assert await fetch(refusing, "SELECT * FROM contacts") == before

    async def test_its_delivery_is_a_write_like_any_other_where_it_is_forwarded(
        self, forwarding: StackUnderTest, sandbox: Sandbox
    ) -> None:
        await ann(forwarding, first_name="Ann")
        await forwarding.deliver("of-the-sheet", b'{"email": "ann@example.com", "first_name": "Anna"}')
        assert (await standing(forwarding))["first_name"] == "Anna"
        (there,) = sandbox.state("hubspot")["contacts"]
        assert "Anna" in str(there)

    async def test_the_api_refuses_its_ids(self, refusing: StackUnderTest) -> None:
        said = Submission(email=ANN, connection="sheet", external_id="7", company="Acme")
        with pytest.raises(PermanentError, match='"sheet" is a mirror'):
            await refusing.app.contacts.write(workspace_of(refusing), said, kind="crm")
        assert await fetch(refusing, "SELECT FROM contacts") == []

    async def test_an_opt_out_counts_whoever_brings_it(self, refusing: StackUnderTest) -> None:
        await ann(refusing, first_name="Ann")
        said = b'{"email": "ann@example.com", "first_name": "Anna", "do_not_contact": "yes"}'
        receipt = await refusing.deliver("of-the-sheet", said)
        found = await standing(refusing)
        assert (found["do_not_contact"], found["first_name"]) == (True, "Ann")
        (kept,) = await fetch(refusing, "SELECT state FROM deliveries WHERE id = $1", receipt.delivery_id)
        assert kept["state"] == "processed"

    async def test_it_lifts_no_opt_out(self, refusing: StackUnderTest) -> None:
        contact = await ann(refusing)
        await refusing.app.contacts.edit(workspace_of(refusing), contact.id, {}, by="dana", do_not_contact=True)
        await refusing.deliver("of-the-sheet", b'{"email": "ann@example.com", "consent": "ticked in the sheet"}')
        assert (await standing(refusing))["do_not_contact"] is True


class TestByHand:
    @pytest.mark.parametrize("value", ["Acme", ""])
    async def test_what_another_system_owns_is_refused(self, refusing: StackUnderTest, value: str) -> None:
        contact = await ann(refusing, company="Birch")
        with pytest.raises(PermanentError, match="hub owns company: change it there"):
            await edit(refusing, contact, {"company": value, "first_name": "Ann"})
        assert (await standing(refusing))["company"] == "Birch"
        assert (await standing(refusing))["first_name"] == ""

    async def test_it_is_refused_as_a_write_too(self, refusing: StackUnderTest) -> None:
        with pytest.raises(PermanentError, match=r"books owns custom\.vat"):
            await refusing.app.contacts.write(
                workspace_of(refusing), Submission(email=ANN, custom={"vat": "DE1"}), source="by hand", kind="manual"
            )

    async def test_what_nobody_owns_is_set(self, refusing: StackUnderTest) -> None:
        await edit(refusing, await ann(refusing), {"first_name": "Anna"})
        assert (await standing(refusing))["first_name"] == "Anna"

    async def test_it_goes_to_the_owner_and_stands_once_it_is_there(
        self, forwarding: StackUnderTest, sandbox: Sandbox
    ) -> None:
        contact = await ann(forwarding, company="Birch")
        resolution = await edit(forwarding, contact, {"company": "Acme", "first_name": "Ann"})
        assert resolution.forwarded == (("company", "hub"),)
        found = await standing(forwarding)
        assert (found["company"], found["first_name"]) == ("Acme", "Ann")
        assert found["origins"]["company"][3] == 3
        (there,) = sandbox.state("hubspot")["contacts"]
        assert "Acme" in str(there)
        # From now on it is its owner's word.
        await ann(forwarding, company="A form's")
        assert (await standing(forwarding))["company"] == "Acme"

    async def test_it_does_not_stand_before_it_is_there(self, forwarding: StackUnderTest, sandbox: Sandbox) -> None:
        contact = await ann(forwarding, company="Birch")
        fault = sandbox.set_fault("hubspot", "status", status=503)
        await edit(forwarding, contact, {"company": "Acme"})
        assert (await standing(forwarding))["company"] == "Birch"
        sandbox.clear("hubspot", fault)
        await forwarding.advance("1h")
        assert (await standing(forwarding))["company"] == "Acme"
        assert len(sandbox.state("hubspot")["contacts"]) == 1

    async def test_what_the_owner_is_not_told_is_refused(self, forwarding: StackUnderTest) -> None:
        contact = await ann(forwarding, company="Birch")
        with pytest.raises(PermanentError, match="hub owns company, and is not told to empty it"):
            await edit(forwarding, contact, {"company": ""})
        with pytest.raises(PermanentError, match=r"books owns custom\.vat: change it there"):
            await edit(forwarding, contact, {"custom.vat": "DE1"})


async def test_the_lineage_says_why_a_value_does_not_stand(refusing: StackUnderTest) -> None:
    contact = await ann(refusing, company="A form's")
    workspace_id = workspace_of(refusing)

    async def company() -> Lineage:
        async with acquire(refusing.app.pool) as connection:
            detail = await contact_detail(connection, workspace_id, contact.id)
        assert detail is not None
        return detail.lineages["company"]

    line = await company()
    assert (line.owner, line.is_owners, line.stands and line.stands.value) == ("hub", False, "A form's")
    said = Submission(email=ANN, connection="hub", external_id="1", company="The hub's")
    await refusing.app.contacts.write(workspace_id, said, kind="crm")
    await ann(refusing, company="Later")
    line = await company()
    assert (line.is_owners, line.stands and line.stands.value) == (True, "The hub's")
    assert [(each.value, line.why_not(each)) for each in line.history] == [
        ("Later", "does not stand: hub owns it"),
        ("The hub's", ""),
        ("A form's", "does not stand: hub owns it"),
    ]
