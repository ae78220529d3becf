"""Two contacts that a person merges: the system of record follows where it can, and nothing leads astray."""

from __future__ import annotations

import pytest

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

HUBSPOT = """
    [connections]
    crm = { connector = "hubspot", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""


async def external_ids(stack: StackUnderTest) -> dict[str, str]:
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch("SELECT record_id, external_id FROM crosswalk")
    return {str(row["record_id"]): row["external_id"] for row in rows}


async def test_hubspot_merges_what_a_person_merged(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(HUBSPOT)
    workspace_id = next(iter(stack.app.workspaces))
    one = (await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")).contact
    other = (await stack.submit("website", email="sj@example.com", name="Sarah J", phone="312-555-0147")).contact

    await stack.app.contacts.merge(workspace_id, one.id, other.id, by="Dana")
    await stack.settle()

    (record,) = sandbox.state("hubspot")["contacts"]
    assert (await external_ids(stack))[str(one.id)] == record["id"]
    assert record["properties"]["phone"] == "+13125550147"
    again = (await stack.submit("website", email="sj@example.com", name="Sarah Johnson", company="Birch")).contact
    assert again.id == one.id
    (record,) = sandbox.state("hubspot")["contacts"]
    assert record["properties"]["company"] == "Birch"


@pytest.mark.parametrize(("setting", "records"), [("never", 2), ("by hand", 2), ("always", 1)])
async def test_a_merge_by_rule_is_carried_there_only_where_the_stack_says_so(
    make_stack: MakeStack, sandbox: Sandbox, setting: str, records: int
) -> None:
    stack = await make_stack(HUBSPOT + f'[records.contact.identity]\nmerge_elsewhere = "{setting}"\n')
    one = (await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")).contact
    await stack.submit("website", phone="312-555-0147", name="Sarah")

    both = (await stack.submit("website", email="sarah@example.com", phone="312-555-0147", name="Sarah J")).contact

    assert (both.id, both.phone, both.last_name) == (one.id, "+13125550147", "Johnson")
    assert len(sandbox.state("hubspot")["contacts"]) == records


async def test_two_records_that_the_crm_has_itself_are_not_merged_by_rule(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.seed("hubspot", "contacts", [{"email": "sarah@example.com"}, {"phone": "+13125550147"}])
    stack = await make_stack(HUBSPOT)
    one = (await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")).contact
    other = (await stack.submit("website", phone="312-555-0147", name="Sarah")).contact

    both = (await stack.submit("website", email="sarah@example.com", phone="312-555-0147", name="Sarah J")).contact

    assert both.id == one.id != other.id
    async with acquire(stack.app.pool) as connection:
        suggestion = await connection.fetchrow("SELECT state, reasons FROM suggestions")
    assert suggestion is not None
    assert suggestion["state"] == "open"
    assert "crm has them as two records" in suggestion["reasons"][0]
