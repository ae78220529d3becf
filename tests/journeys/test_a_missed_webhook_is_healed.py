"""What people change in their CRM comes in, though its webhook was missed; our own writes come back as nothing new."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.insight import list_pulls, verdict
from mainstay.kit.pulling import utc
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

LOCATION = "ve9EPM428h8vShlRW1KT"
WORKFLOWS = """
@workflow("greet.v1", on="contact.created")
async def greet(ctx: Context, contact: Contact) -> None:
    pass


@workflow("follow.v1", on="contact.updated")
async def follow(ctx: Context, contact: Contact) -> None:
    pass
"""
STACK = """
    [connections]
    crm = { CONNECTION }
    [records.contact]
    system_of_record = "crm"
    [sources.website]
    kind = "form"
    [sources.hooks]
    kind = "form"
    connection = "crm"
"""


@dataclass(frozen=True)
class Vendor:
    """A CRM, and how people change a contact in its own screens."""

    name: str
    connection: str
    seed: Callable[[str, dict[str, str], str], dict[str, Any]]
    names: dict[str, str]
    opt_out: str
    settings: dict[str, Any]
    key: str = "id"

    def ids(self, sandbox: Sandbox) -> list[str]:
        return [each[self.key] for each in sandbox.state(self.name)["contacts"]]

    def change(self, sandbox: Sandbox, record_id: str, at: datetime, **values: str) -> None:
        said = {self.names[name]: value for name, value in values.items()}
        sandbox.seed(self.name, "contacts", [self.seed(record_id, said, utc(at))])

    def says(self, sandbox: Sandbox, record_id: str) -> str:
        return json.dumps(next(each for each in sandbox.state(self.name)["contacts"] if each[self.key] == record_id))


VENDORS = [
    Vendor(
        "hubspot",
        'connector = "hubspot", token = "${TOKEN}"',
        lambda record_id, said, at: {"id": record_id, "properties": said | {"lastmodifieddate": at}},
        {"email": "email", "first_name": "firstname", "company": "company", "phone": "phone", "out": "hs_email_optout"},
        "true",
        {"properties": ["hs_email_optout", "mainstay_tags"]},
    ),
    Vendor(
        "gohighlevel",
        f'connector = "gohighlevel", token = "${{TOKEN}}", location_id = "{LOCATION}", pull_by_date_updated = true',
        lambda record_id, said, at: (
            {"id": record_id, "locationId": LOCATION, "dateUpdated": at}
            | {key: value == "true" if key == "dnd" else value for key, value in said.items()}
        ),
        {"email": "email", "first_name": "firstName", "company": "companyName", "phone": "phone", "out": "dnd"},
        "true",
        {},
    ),
    Vendor(
        "salesforce",
        'connector = "salesforce", access_token = "${TOKEN}", instance_url = "https://acme.my.salesforce.com"',
        lambda record_id, said, at: (
            {"Id": record_id, "SystemModstamp": at.replace("Z", "+0000")}
            | {key: value == "true" if key == "HasOptedOutOfEmail" else value for key, value in said.items()}
        ),
        {
            "email": "Email",
            "first_name": "FirstName",
            "last_name": "LastName",
            "phone": "Phone",
            "out": "HasOptedOutOfEmail",
        },
        "true",
        {"fields": ["Mainstay_Tags__c"]},
        "Id",
    ),
]


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest, sandbox: Sandbox) -> Vendor:
    found: Vendor = request.param
    if found.settings:
        sandbox.configure(found.name, **found.settings)
    return found


async def make(make_stack: MakeStack, vendor: Vendor) -> StackUnderTest:
    stack = await make_stack(STACK.replace("CONNECTION", vendor.connection), WORKFLOWS)
    await run(stack, "UPDATE pulls SET began_at = began_at - interval '1 hour'")
    return stack


async def run(stack: StackUnderTest, query: str) -> None:
    async with acquire(stack.app.pool) as connection:
        await connection.execute(query)


async def pull(stack: StackUnderTest) -> None:
    await run(stack, "UPDATE pulls SET pulled_at = pulled_at - interval '1 hour'")
    await stack.app.watch_once()
    await stack.settle()
    assert {state for _, _, state in await stack.runs("reconcile.v1")} == {"done"}


async def contact(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM contacts")


async def state(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM events), (SELECT sum(version) FROM contacts),
                   (SELECT count(*) FROM runs WHERE workflow <> 'reconcile.v1')
            """
        )


async def test_a_change_in_the_crm_comes_in_and_is_told(
    make_stack: MakeStack, sandbox: Sandbox, vendor: Vendor
) -> None:
    stack = await make(make_stack, vendor)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    (record_id,) = vendor.ids(sandbox)
    before = await state(stack)
    await pull(stack)
    assert await state(stack) == before, "our own push came back, and nothing happened"

    vendor.change(sandbox, record_id, datetime.now(UTC), phone="(312) 555-0147", first_name="Sara")
    said = vendor.says(sandbox, record_id)
    await pull(stack)
    ours = await contact(stack)
    assert (ours["phone"], ours["first_name"]) == ("+13125550147", "Sara")
    assert len(await stack.runs("follow.v1")) == 1
    assert vendor.says(sandbox, record_id) == said, "what the CRM itself said is not pushed back"

    await run(stack, "UPDATE pulled_changes SET changed_at = changed_at - interval '6 minutes'")
    await pull(stack)
    async with acquire(stack.app.pool) as connection:
        workspace_id, now = next(iter(stack.app.workspaces)), datetime.now(UTC)
        found = await verdict(connection, workspace_id, now)
        (read,) = await list_pulls(connection, workspace_id, now)
    assert [(each.connection, each.changes) for each in found.missed] == [("crm", 1)]
    assert found.sentence.endswith("1 change came by the pull that no webhook had brought.")
    assert (read.brought, read.missed) == (1, 1)


async def test_a_new_lead_whose_webhook_was_missed_is_greeted(
    make_stack: MakeStack, sandbox: Sandbox, vendor: Vendor
) -> None:
    stack = await make(make_stack, vendor)
    last = {"last_name": "Li"} if "last_name" in vendor.names else {}
    record_id = {"hubspot": "77001", "salesforce": "003000000000077AAA"}.get(vendor.name, "contact0000000000077")
    vendor.change(sandbox, record_id, datetime.now(UTC), email="new@example.com", first_name="Nia", **last)

    await pull(stack)

    ours = await contact(stack)
    assert (ours["email"], ours["first_name"]) == ("new@example.com", "Nia")
    assert len(await stack.runs("greet.v1")) == 1
    assert len(vendor.ids(sandbox)) == 1


async def test_the_later_word_wins(make_stack: MakeStack, sandbox: Sandbox, vendor: Vendor) -> None:
    stack = await make(make_stack, vendor)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    (record_id,) = vendor.ids(sandbox)
    # Older than what the form said: by the rules of identity it only fills gaps.
    vendor.change(
        sandbox, record_id, datetime.now(UTC) - timedelta(minutes=30), first_name="Older", phone="(312) 555-0147"
    )
    await pull(stack)
    ours = await contact(stack)
    assert (ours["first_name"], ours["phone"]) == ("Sarah", "+13125550147")


async def test_an_opt_out_in_the_crm_arrives(make_stack: MakeStack, sandbox: Sandbox, vendor: Vendor) -> None:
    stack = await make(make_stack, vendor)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    (record_id,) = vendor.ids(sandbox)
    vendor.change(sandbox, record_id, datetime.now(UTC), out=vendor.opt_out)

    await pull(stack)

    assert (await contact(stack))["do_not_contact"]
