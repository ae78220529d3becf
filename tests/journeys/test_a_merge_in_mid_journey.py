"""A contact that is merged while pushes, workflows and waits of it are under way: nothing is lost or doubled."""

from __future__ import annotations

from textwrap import dedent
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACKS = {
    "gohighlevel": """
        [connections]
        crm = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
        slack = { connector = "slack", token = "${TOKEN}" }
        [sources.website]
        kind = "form"
    """,
    "hubspot": """
        [connections]
        crm = { connector = "hubspot", token = "${TOKEN}" }
        slack = { connector = "slack", token = "${TOKEN}" }
        [sources.website]
        kind = "form"
    """,
}
WAITING = """
    @workflow("answer.v1", on="contact.created")
    async def answer(ctx: Context, contact: Contact) -> None:
        event = await ctx.wait_for("contact.updated", contact=contact, timeout="10m")
        heard = ", ".join(event["changed"]) if event else "-"
        await ctx.chat.post("#leads", f"{contact.email or contact.phone}: {heard}")
"""
TAGGING = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_tag(contact, "welcomed")
        await ctx.chat.post("#leads", f"{contact.email or contact.phone}")
"""
MAIN = "sarah@example.com"
OTHER = "sj@example.com"


ERRORS = "SELECT workflow, error FROM runs WHERE state = 'failed'"


def workspace_of(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def two(stack: StackUnderTest) -> tuple[UUID, UUID]:
    one = (await stack.submit("website", email=MAIN, name="Sarah Johnson")).contact
    other = (await stack.submit("website", email=OTHER, name="Sarah Johnson")).contact
    return one.id, other.id


async def whole(stack: StackUnderTest) -> None:
    """Everything came to its end, and the crosswalk has caught up."""
    async with acquire(stack.app.pool) as connection:
        assert await connection.fetch(ERRORS) == []
        behind = await connection.fetch(
            "SELECT * FROM crosswalk JOIN contacts ON contacts.id = record_id AND merged_into IS NULL "
            "WHERE pushed_version < wanted_version OR push_run_id IS NOT NULL OR external_id IS NULL"
        )
        incidents = await connection.fetchval("SELECT count(*) FROM incidents")
    assert (behind, incidents) == ([], 0)


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


@pytest.mark.parametrize("connector", STACKS)
async def test_a_run_that_waits_hears_of_the_survivor(connector: str, make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACKS[connector], WAITING)
    one, other = await two(stack)
    await stack.app.contacts.merge(workspace_of(stack), one, other, by="Dana")
    await stack.settle()
    await stack.submit("website", email=OTHER, company="Birch")

    assert sorted(posts(sandbox)) == [f"{MAIN}: company", f"{OTHER}: company"]
    await whole(stack)


@pytest.mark.parametrize("connector", STACKS)
async def test_after_an_unmerge_each_hears_of_its_own_again(
    connector: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    apart = '[records.contact.identity]\nmerge_elsewhere = "never"\n'  # HubSpot cannot part what it has merged
    stack = await make_stack(dedent(STACKS[connector]) + apart, WAITING)
    one, other = await two(stack)
    merged = await stack.app.contacts.merge(workspace_of(stack), one, other, by="Dana")
    await stack.settle()
    await stack.app.contacts.unmerge(workspace_of(stack), merged.merge_id, by="Dana")
    await stack.settle()
    await stack.submit("website", email=OTHER, company="Birch")

    assert posts(sandbox) == [f"{OTHER}: company"]
    await stack.submit("website", email=MAIN, company="Oak")
    assert posts(sandbox)[1:] == [f"{MAIN}: company"]
    await whole(stack)


@pytest.mark.parametrize("connector", STACKS)
async def test_a_merge_while_the_crm_is_down(connector: str, make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    stack = await make_stack(STACKS[connector], TAGGING)
    fault = sandbox.set_fault(connector, "status", status=503)
    one, other = await two(stack)
    await stack.app.contacts.merge(workspace_of(stack), one, other, by="Dana")
    await stack.settle()
    assert posts(sandbox) == []
    sandbox.clear(connector, fault)
    await stack.advance("1h")

    assert sorted(posts(sandbox)) == [MAIN, OTHER]
    await whole(stack)
    assert len(sandbox.state(connector)["contacts"]) == 1  # the other never came to be there


@pytest.mark.parametrize("connector", STACKS)
async def test_a_merge_by_a_write_while_the_crm_is_down(
    connector: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    stack = await make_stack(STACKS[connector], TAGGING)
    fault = sandbox.set_fault(connector, "status", status=503)
    await stack.submit("website", email=MAIN, name="Sarah Johnson")
    await stack.submit("website", phone="312-555-0147", name="Sarah")
    await stack.submit("website", email=MAIN, phone="312-555-0147", name="Sarah Johnson")
    sandbox.clear(connector, fault)
    await stack.advance("1h")

    assert sorted(posts(sandbox)) == ["+13125550147", MAIN]
    await whole(stack)
    assert len(sandbox.state(connector)["contacts"]) == 1


@pytest.mark.parametrize("connector", STACKS)
async def test_deletion_of_a_merged_contact_ends_what_is_under_way(
    connector: str, make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACKS[connector], WAITING)
    one, other = await two(stack)
    await stack.app.contacts.merge(workspace_of(stack), one, other, by="Dana")
    await stack.settle()
    await stack.app.contacts.delete(workspace_of(stack), other)
    await stack.advance("1h")

    assert posts(sandbox) == []
    assert {state for _, workflow, state in await stack.runs() if workflow == "answer.v1"} == {"cancelled"}
    back = (await stack.submit("website", email=MAIN)).contact
    assert back.id not in {one, other}


async def test_what_the_crm_has_merged_for_good_is_told(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACKS["hubspot"])
    one, other = await two(stack)
    merged = await stack.app.contacts.merge(workspace_of(stack), one, other, by="Dana")
    await stack.settle()
    await stack.app.contacts.unmerge(workspace_of(stack), merged.merge_id, by="Dana")
    await stack.settle()

    async with acquire(stack.app.pool) as connection:
        (failed,) = {row["error"] for row in await connection.fetch(ERRORS)}
    assert "crm has one record" in failed
    assert "give each an own record there, then retry" in failed
