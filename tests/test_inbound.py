"""The journey of a lead through one process, on a real database and simulated vendors."""

from __future__ import annotations

import pytest

from mainstay.testing import StackUnderTest

ACME = "tests/stacks/acme"


@pytest.mark.stack(ACME)
async def test_a_lead_goes_all_the_way(stack: StackUnderTest) -> None:
    lead = await stack.submit("website", email=" Sarah@Example.COM", phone="(312) 555-0147", name="Sarah Johnson")

    assert (lead.contact.email, lead.contact.phone) == ("sarah@example.com", "+13125550147")
    (record,) = stack.sandbox.state("gohighlevel")["contacts"]
    assert record["email"] == "sarah@example.com"
    assert record["tags"] == ["speed-to-lead"]
    assert [message["text"] for message in stack.sandbox.messages("slack")] == ["New lead: Sarah Johnson, website"]
    assert [message["To"] for message in stack.sandbox.messages("postmark")] == ["sarah@example.com"]
    assert [state for _, _, state in await stack.runs("speed_to_lead.v1")] == ["waiting"]

    await stack.advance("11m")

    assert [state for _, _, state in await stack.runs()] == ["done", "done", "done"]


@pytest.mark.stack(ACME)
async def test_an_outage_of_the_crm_delays_only_what_needs_the_crm(stack: StackUnderTest) -> None:
    fault = stack.sandbox.set_fault("gohighlevel", "status", status=503)
    await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")

    assert len(stack.sandbox.messages("slack")) == 1
    assert {state for _, _, state in await stack.runs("push.v1")} == {"waiting"}
    stack.sandbox.clear("gohighlevel", fault)
    await stack.advance("20m")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert len(stack.sandbox.messages("slack")) == 1
    (record,) = stack.sandbox.state("gohighlevel")["contacts"]
    assert record["tags"] == ["speed-to-lead"]
