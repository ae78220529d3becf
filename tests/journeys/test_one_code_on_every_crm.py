"""The same workflow code runs on each CRM: stack.toml alone chooses."""

from __future__ import annotations

import pytest

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import Lead, StackUnderTest
from tests.conftest import MakeStack

WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_tag(contact, "speed-to-lead")
        await ctx.crm.add_note(contact, f"Asked for a call: {contact.source}")
        await ctx.crm.add_tag(contact, "noted")
"""
SOURCE = """
    [sources.website]
    kind = "form"
"""
STACKS = {
    "builtin": SOURCE,
    "gohighlevel": """
    [connections]
    crm = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    """
    + SOURCE,
    "hubspot": """
    [connections]
    crm = { connector = "hubspot", token = "${TOKEN}" }
    """
    + SOURCE,
    "salesforce": """
    [connections]
    crm = { connector = "salesforce", access_token = "${TOKEN}", instance_url = "https://acme.my.salesforce.com" }
    """
    + SOURCE,
}


async def shown_by_builtin(stack: StackUnderTest, lead: Lead) -> dict[str, object]:
    async with acquire(stack.app.pool) as connection:
        contact = await connection.fetchrow("SELECT * FROM contacts WHERE id = $1", lead.contact.id)
        notes = await connection.fetch("SELECT note FROM changes WHERE contact_id = $1 AND note <> ''", lead.contact.id)
    assert contact is not None
    return {"email": contact["email"], "tags": set(contact["tags"]), "notes": [row["note"] for row in notes]}


def shown_by_gohighlevel(sandbox: Sandbox) -> dict[str, object]:
    state = sandbox.state("gohighlevel")
    (contact,) = state["contacts"]
    return {"email": contact["email"], "tags": set(contact["tags"]), "notes": [note["body"] for note in state["notes"]]}


def shown_by_hubspot(sandbox: Sandbox) -> dict[str, object]:
    state = sandbox.state("hubspot")
    (contact,) = state["contacts"]
    properties = contact["properties"]
    notes = [note["properties"]["hs_note_body"] for note in state["notes"]]
    tags = {tag for tag in properties["mainstay_tags"].split(";") if tag}
    return {"email": properties["email"], "tags": tags, "notes": notes}


def shown_by_salesforce(sandbox: Sandbox) -> dict[str, object]:
    state = sandbox.state("salesforce")
    (contact,) = state["contacts"]
    notes = [task["Description"] for task in state["tasks"]]
    return {"email": contact["Email"], "tags": set(contact["Mainstay_Tags__c"].split(";")), "notes": notes}


SHOWN = {"gohighlevel": shown_by_gohighlevel, "hubspot": shown_by_hubspot, "salesforce": shown_by_salesforce}


@pytest.mark.parametrize("connector", STACKS)
async def test_the_same_workflow_does_the_same(connector: str, make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    sandbox.configure("salesforce", fields=["Mainstay_Tags__c"])
    stack = await make_stack(STACKS[connector], WORKFLOW)

    lead = await stack.submit("website", email="Sarah@Example.com", phone="(312) 555-0147", name="Sarah Johnson")

    shown = await shown_by_builtin(stack, lead) if connector == "builtin" else SHOWN[connector](sandbox)
    assert shown == {
        "email": "sarah@example.com",
        "tags": {"speed-to-lead", "noted"},
        "notes": ["Asked for a call: website"],
    }
    assert {state for _, _, state in await stack.runs()} == {"done"}


@pytest.mark.parametrize("connector", STACKS)
async def test_a_second_submission_changes_the_same_record(
    connector: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    sandbox.configure("salesforce", fields=["Mainstay_Tags__c"])
    stack = await make_stack(STACKS[connector], WORKFLOW)
    first = await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")

    await stack.advance("1m")
    second = await stack.submit("website", email=" SARAH@example.com", name="Sarah Johnson-Birch")

    assert second.contact.id == first.contact.id
    assert len(await stack.runs("welcome.v1")) == 1
    if connector == "gohighlevel":
        (contact,) = sandbox.state("gohighlevel")["contacts"]
        assert contact["lastName"] == "Johnson-Birch"
    if connector == "hubspot":
        (contact,) = sandbox.state("hubspot")["contacts"]
        assert contact["properties"]["lastname"] == "Johnson-Birch"
    if connector == "salesforce":
        (contact,) = sandbox.state("salesforce")["contacts"]
        assert contact["LastName"] == "Johnson-Birch"


@pytest.mark.parametrize("connector", SHOWN)
async def test_two_people_who_share_a_phone_keep_their_records(
    connector: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACKS[connector])
    await stack.submit("website", email="sarah@example.com", phone="(312) 555-0147", name="Sarah Johnson")
    await stack.submit("website", email="bob@example.com", phone="(312) 555-0147", name="Bob Johnson")

    records = [record.get("properties", record) for record in sandbox.state(connector)["contacts"]]
    assert sorted(record.get("email") or record["Email"] for record in records) == [
        "bob@example.com",
        "sarah@example.com",
    ]
    assert {state for _, _, state in await stack.runs()} == {"done"}
