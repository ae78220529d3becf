"""What a workflow's author stands on in tests: the clock, faults, captured alerts, retries."""

from __future__ import annotations

from mainstay.sandbox.client import Sandbox
from mainstay.testing import CapturedAlert
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
"""
ALERTS = """
    [alerts]
    critical = [["email:ops@acme.example", "slack:#alerts"]]
"""
CODE = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", contact.name)
"""


async def test_an_alert_is_captured_whether_or_not_anyone_is_to_be_told(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, CODE)
    sandbox.set_fault("slack", "status", status=400, count=2)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    await stack.submit("website", email="bob@example.com", name="Bob")

    (alert,) = stack.alerts
    assert (alert.title, alert.workflow, alert.connection) == ("welcome.v1 fails at slack", "welcome.v1", "slack")
    assert alert.mend
    assert alert.sent_to == ()


async def test_an_alert_says_who_was_told(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK + ALERTS, CODE)
    fault = sandbox.set_fault("slack", "status", status=400)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    await stack.advance("5m")
    first = stack.alerts[0]
    assert first.sent_to == ("ops@acme.example",)

    sandbox.clear("slack", fault)
    await stack.retry()
    assert [alert.sent_to for alert in stack.alerts if alert.title == first.title] == [("ops@acme.example", "#alerts")]
    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert all(isinstance(alert, CapturedAlert) for alert in stack.alerts)


async def test_what_heals_by_itself_alerts_nobody(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK + ALERTS, CODE)
    sandbox.set_fault("slack", "status", status=503, count=3)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    await stack.advance("2h")
    assert [message["text"] for message in sandbox.messages("slack")] == ["Sarah"]
    assert stack.alerts == []
