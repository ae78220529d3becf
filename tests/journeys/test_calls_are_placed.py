"""A new lead is phoned by an AI caller; what is done next depends on how the call ended, and nobody is phoned twice."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors import bland, retell, vapi
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

STACK = """
    [connections.sms]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TWILIO_AUTH_TOKEN}"
    from = "+13125550100"
    [sources.website]
    kind = "form"
"""
CONNECTIONS = {
    "vapi": """
        [connections.voice]
        connector = "vapi"
        api_key = "${VAPI_API_KEY}"
        phone_number_id = "42b4b25d-031e-4786-857f-63b346c9580f"
        assistant = "5b0a4a08-133c-4146-9315-0984f8c6be80"
        [sources.calls]
        kind = "vapi"
        secret = "${SECRET}"
    """,
    "retell": """
        [connections.voice]
        connector = "retell"
        api_key = "${RETELL_API_KEY}"
        from = "+13125550100"
        [sources.calls]
        kind = "retell"
        api_key = "${SECRET}"
    """,
    "bland": """
        [connections.voice]
        connector = "bland"
        api_key = "${BLAND_API_KEY}"
        task = "Ask when a visit suits, and be brief."
        [sources.calls]
        kind = "bland"
        secret = "${SECRET}"
    """,
}
SECRET = "sample-secret"  # as the test environment gives it
CODE = """
    @workflow("call.v1", on="contact.created")
    async def call_them(ctx: Context, contact: Contact) -> None:
        if contact.do_not_contact:
            return
        await ctx.voice.call(contact, variables={"first_name": contact.first_name})
        ended = await ctx.wait_for("call.ended", contact=contact, timeout="1h")
        outcome = ended["outcome"] if ended else "unknown"
        if outcome != "answered":
            await ctx.sms.send(contact, f"Hi {contact.first_name}, we tried to phone you ({outcome}).")
"""
REPORTS: Mapping[str, Callable[[Mapping[str, Any], str], SignedRequest]] = {
    "vapi": lambda call, reason: vapi.report(call, reason, SECRET),
    "retell": lambda call, reason: retell.report(call, reason, SECRET, at=time.time()),
    "bland": lambda call, reason: bland.report(call, reason, SECRET),
}
REASONS = {
    "vapi": {"answered": "customer-ended-call", "no_answer": "customer-did-not-answer"},
    "retell": {"answered": "agent_hangup", "no_answer": "dial_no_answer"},
    "bland": {"answered": "human", "no_answer": "no-answer"},
}
Report = Callable[[str], Awaitable[int]]


@pytest.fixture(params=sorted(CONNECTIONS))
def vendor(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def stack(make_stack: MakeStack, vendor: str) -> StackUnderTest:
    return await make_stack(STACK + CONNECTIONS[vendor], CODE)


@pytest.fixture
async def report(stack: StackUnderTest, vendor: str, sandbox: Sandbox) -> AsyncIterator[Report]:
    """Reports the end of the one call that was placed, as the vendor does; returns the answer's status."""
    async with taking_in(stack) as (session, base):

        async def reporting(outcome: str) -> int:
            [call] = sandbox.state(vendor)["calls"]
            sent = REPORTS[vendor](call, REASONS[vendor][outcome])
            async with session.post(f"{base}/in/acme/calls", data=sent.body, headers=sent.headers) as answer:
                status = answer.status
            await stack.settle()
            return status

        yield reporting


def placed(sandbox: Sandbox, vendor: str) -> list[str]:
    return [effect["kind"] for effect in sandbox.effects(vendor)]


async def test_a_lead_is_phoned_and_what_follows_depends_on_the_outcome(
    stack: StackUnderTest, report: Report, vendor: str, sandbox: Sandbox
) -> None:
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    assert placed(sandbox, vendor) == ["call.placed"]
    assert [state for _, name, state in await stack.runs() if name.startswith("call")] == ["waiting"]

    assert await report("no_answer") == 202
    assert await report("no_answer") == 200  # a redelivery is the same delivery

    assert [each["body"] for each in sandbox.messages("twilio")] == ["Hi Zoë, we tried to phone you (no_answer)."]
    assert placed(sandbox, vendor) == ["call.placed"]
    assert {state for _, _, state in await stack.runs()} == {"done"}


async def test_whoever_answered_is_left_in_peace(
    stack: StackUnderTest, report: Report, vendor: str, sandbox: Sandbox
) -> None:
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    assert await report("answered") == 202
    assert sandbox.messages("twilio") == []
    assert {state for _, _, state in await stack.runs()} == {"done"}


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "empty"])
async def test_a_lost_answer_does_not_phone_them_twice(
    stack: StackUnderTest, report: Report, vendor: str, sandbox: Sandbox, kind: str
) -> None:
    sandbox.set_fault(vendor, kind, method="POST", count=1)  # type: ignore[arg-type] # one of its kinds
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    await stack.advance("2m")

    assert placed(sandbox, vendor) == ["call.placed"]
    assert await report("answered") == 202
    assert {state for _, _, state in await stack.runs()} == {"done"}


async def test_a_forged_report_changes_nothing(
    stack: StackUnderTest, report: Report, vendor: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    monkeypatch.setattr(f"{__name__}.SECRET", "wrong")
    assert await report("no_answer") == 401
    assert sandbox.messages("twilio") == []
