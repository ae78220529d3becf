"""From a failure to whoever hears of it, and what is told when: a stack on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mainstay.app import App
from mainstay.db import acquire
from mainstay.gates.store import Pause
from mainstay.insight import incident_detail, list_alerts, open_incidents, resolved_incidents
from mainstay.kit import standard_webhooks
from mainstay.model import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from mainstay.watch import Trouble, alert, telling, wording
from mainstay.watch.channels import Message
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    pager = { connector = "pagerduty", routing_key = "${TOKEN}" }
    [connections.texts]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TWILIO_TOKEN}"
    from = "+13125550100"
    [connections.hook]
    connector = "webhook"
    url = "${PARTNER_HOOK}"
    secret = "${PARTNER_SECRET}"
    [sources.website]
    kind = "form"
    [alerts]
    critical = [["slack:#alerts", "pager", "hook"], "mail:ops@acme.example"]
    other = ["mail:ops@acme.example"]
    escalate = ["texts:+13125550111"]
    quiet = "22:00-07:00"
    paused_after = "10m"
"""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = f"""
PARTNER_HOOK=https://partner.acme.example/in/abcdef
PARTNER_SECRET={SECRET}
"""
CODE = """
    @workflow("welcome.v1", on="contact.created", critical=True)
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", contact.name)
"""


@pytest.fixture
async def stack(make_stack: MakeStack, tmp_path: Path) -> StackUnderTest:
    (tmp_path / "stack-0").mkdir()
    (tmp_path / "stack-0" / ".env").write_text(ENVIRONMENT)
    made = await make_stack(STACK, CODE)
    await made.start_at(datetime(2030, 3, 4, 23, 0))  # noqa: DTZ001 by the workspace's clock
    return made


def posts(sandbox: Sandbox) -> list[str]:
    """What the alerts' channel got, the first line of each."""
    texts = [str(each["text"]) for each in sandbox.messages("slack") if "incidents/" in str(each["text"])]
    return [text.splitlines()[0] for text in texts]


async def watch(stack: StackUnderTest) -> None:
    await stack.app.watch_once()
    await stack.settle()


async def at_work(app: App) -> UUID:
    (workspace_id,) = app.workspaces
    return workspace_id


async def test_a_critical_incident_from_its_first_word_to_its_last(stack: StackUnderTest, sandbox: Sandbox) -> None:
    app, workspace_id = stack.app, await at_work(stack.app)
    fault = sandbox.set_fault("slack", "status", status=400, contains="#leads")
    for name in ("Sarah", "Bob", "Eve"):
        await stack.submit("website", email=f"{name}@example.com", name=name)
    assert posts(sandbox) == ["welcome.v1 fails at slack"], "one alert, at night, however many fail"
    (event,) = sandbox.state("webhook")["events"]
    assert (event["event"], event["data"]["incidents"][0]["severity"]) == ("incident.opened", "critical")
    headers = {name.lower(): value for name, value in event["headers"].items()}
    request = RawRequest("POST", "https://p", headers, event["body"].encode(), datetime.now().astimezone())
    standard_webhooks.verify(request, [SECRET])
    (page,) = sandbox.state("pagerduty")["alerts"]
    assert (page["state"], page["severity"]) == ("triggered", "critical")
    assert sandbox.messages("postmark") == sandbox.messages("twilio") == []

    await stack.advance("16m")
    (text,) = sandbox.messages("twilio")
    assert "Nobody has acknowledged: welcome.v1 fails at slack. 3 leads are affected." in text["body"]
    async with acquire(app.pool) as connection:
        (incident,) = await open_incidents(connection, workspace_id)
    assert (incident.life, incident.severity, incident.leads.number) == ("open", "critical", 3)
    assert await app.alerter.acknowledge(workspace_id, incident.id, by="dana@acme.example")
    assert not await app.alerter.acknowledge(workspace_id, incident.id, by="bob@acme.example")
    await stack.settle()
    assert sandbox.state("pagerduty")["alerts"][0]["state"] == "acknowledged"

    # It heals, and breaks again before anybody was told: that is no news, and a second end neither.
    sandbox.clear("slack", fault)
    for is_back in (True, False):
        await stack.retry()
        await watch(stack)
        async with acquire(app.pool) as connection:
            assert (await resolved_incidents(connection, workspace_id)).items[0].id == incident.id
        if is_back:
            fault = sandbox.set_fault("slack", "status", status=400, contains="#leads", count=1)
            await stack.submit("website", email="late@example.com", name="Late")
    assert len(posts(sandbox)) == 1
    await stack.advance("11m")
    assert posts(sandbox) == ["welcome.v1 fails at slack", "Over: welcome.v1 fails at slack"]
    assert sandbox.state("pagerduty")["alerts"][0]["state"] == "resolved"
    async with acquire(app.pool) as connection:
        found = await incident_detail(connection, workspace_id, incident.id)
        told = [(each.kind, each.route) for each in await list_alerts(connection, incident.id) if each.told_at]
    assert found is not None
    assert (found.life, found.reopened, found.acknowledged_by) == ("resolved", 1, "dana@acme.example")
    assert sorted(told) == sorted(
        [(kind, name) for kind in ("opened", "recovered") for name in ("slack:#alerts", "pager", "hook")]
        + [("escalated", "texts:+13125550111"), ("recovered", "texts:+13125550111")]
        + [("acknowledged", name) for name in ("pager", "hook")]
    )

    fault = sandbox.set_fault("slack", "status", status=400, contains="#leads", count=1)
    await stack.submit("website", email="again@example.com", name="Again")
    assert posts(sandbox)[-1] == "Again: welcome.v1 fails at slack"
    assert sandbox.state("pagerduty")["alerts"][0]["state"] == "triggered"


async def test_a_channel_that_is_down_is_passed_over_in_seconds_and_that_is_told_elsewhere(
    stack: StackUnderTest, sandbox: Sandbox
) -> None:
    for vendor in ("slack", "pagerduty", "webhook"):
        sandbox.set_fault(vendor, "status", status=503)
    app, workspace_id = stack.app, await at_work(stack.app)

    async def trouble(name: str) -> None:
        async with acquire(app.pool) as connection, connection.transaction():
            broken = Trouble(f"canary|{name}", f"{name} is broken", "no answer", "look", severity="critical")
            await app.alerter.raise_trouble(connection, workspace_id, broken)

    await trouble("crm")
    await stack.settle()
    assert sandbox.messages("postmark") == []
    await stack.advance("16s")
    (mail,) = sandbox.messages("postmark")
    assert mail["Subject"] == "Mainstay: crm is broken"

    # A storm: five are told at once, what comes further is gathered; what falls over goes together.
    for number in range(20):
        await trouble(f"part {number}")
    await stack.advance("1m")
    subjects = [each["Subject"].partition(",")[0] for each in sandbox.messages("postmark")]
    assert subjects == ["Mainstay: crm is broken", "Mainstay: 4 things broke", "Mainstay: 16 things broke"]
    async with acquire(app.pool) as connection, connection.transaction():
        assert await app.alerter.recover(connection, workspace_id, "canary|crm")
        assert not await app.alerter.recover(connection, workspace_id, "canary|crm")


async def test_what_cannot_be_put_into_words_is_told_plainly_and_holds_up_nothing(
    stack: StackUnderTest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, workspace_id = stack.app, await at_work(stack.app)
    compose, sent, follow = wording.message_of, alert.Alerter.send, telling.next_move

    def of_good(kind: Any, incidents: Sequence[wording.Told], *rest: Any) -> Message:
        if any("unspeakable" in each.title for each in incidents):
            raise ValueError("no words")
        return compose(kind, incidents, *rest)

    async def not_whole(self: Any, connection: Any, workspace_id: UUID, *rest: Any) -> UUID:
        if "unsendable" in rest[3].subject and rest[3].buttons:
            await connection.execute("SELECT 1 / 0")
        return await sent(self, connection, workspace_id, *rest)

    def of_known(standing: Any, *rest: Any) -> Any:
        if standing.news == "worse":
            raise ValueError("stands in no way that is known")
        return follow(standing, *rest)

    monkeypatch.setattr(alert, "message_of", of_good)
    monkeypatch.setattr(alert.Alerter, "send", not_whole)
    monkeypatch.setattr(alert, "next_move", of_known)

    async def trouble(name: str, severity: Any = "critical") -> None:
        async with acquire(app.pool) as connection, connection.transaction():
            broken = Trouble(f"canary|{name}", f"{name} is broken", "no answer", "look", severity=severity)
            await app.alerter.raise_trouble(connection, workspace_id, broken)

    # At once, in the transaction that found them.
    for name in ("unspeakable crm", "unsendable", "plain"):
        await trouble(name)
    await stack.settle()
    heard = [str(each["text"]) for each in sandbox.messages("slack")]
    assert [text.split(" is broken")[0] for text in heard] == ["unspeakable crm", "unsendable", "plain"]
    assert ["all that could be said" in text for text in heard] == [True, True, False]
    assert [each["state"] for each in sandbox.state("pagerduty")["alerts"]] == ["triggered"] * 3
    assert "no words" in caplog.text

    # What the watch gathers: the good ones together, the others apart from them.
    for name in ("first", "unspeakable books", "second", "astray"):
        await trouble(name, "other")
    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE incidents SET alert_news = 'worse' WHERE title LIKE 'astray%'")
    await stack.advance("9h")
    assert sorted(each["Subject"] for each in sandbox.messages("postmark")) == [
        "Mainstay: 2 things broke, among them: first is broken",
        "Mainstay: Now critical: astray is broken",
        "Mainstay: unspeakable books is broken",
    ]

    def begins_not(*_: Any) -> Any:
        raise ValueError("no beginning")

    with monkeypatch.context() as broken:
        broken.setattr(alert, "begin", begins_not)
        await trouble("late")
    await stack.advance("1s")
    assert sandbox.messages("slack")[-1]["text"].startswith("late is broken")


async def test_what_is_not_critical_waits_for_the_morning_and_a_vendor_that_is_out_is_an_incident(
    stack: StackUnderTest, sandbox: Sandbox
) -> None:
    app, workspace_id = stack.app, await at_work(stack.app)
    async with acquire(app.pool) as connection:
        await app.gates.declare()
        await connection.execute(
            "UPDATE connections SET opened_at = $1, error = '503' WHERE name = 'texts'", stack.clock()
        )
    await watch(stack)
    await stack.advance("4m")
    await watch(stack)
    async with acquire(app.pool) as connection:
        assert await open_incidents(connection, workspace_id) == (), "a short one heals by itself"
    await stack.advance("2m")
    for _ in range(3):
        await watch(stack)
    async with acquire(app.pool) as connection:
        (outage,) = await open_incidents(connection, workspace_id)
    assert (outage.title, outage.occurrences, outage.is_foreseen) == ("texts does not answer", 1, False)
    assert outage.cause == "For 6 minutes: 503. Nothing waits for it yet."
    await stack.advance("1h")
    assert sandbox.messages("postmark") == []
    await stack.advance("8h")
    (mail,) = sandbox.messages("postmark")
    assert mail["Subject"] == "Mainstay: texts does not answer"

    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE connections SET opened_at = NULL")
    await watch(stack)
    await stack.advance("6m")
    assert [each["Subject"] for each in sandbox.messages("postmark")][1:] == ["Mainstay: Over: texts does not answer"]

    # Paused by hand, it is one only while something waits there.
    await app.gates.pause(workspace_id, "slack", Pause("dana", "the channel moves"))
    await stack.app.gates.tick()
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE connections SET paused_at = $1 WHERE name = 'slack'", stack.clock())
    await stack.advance("11m")
    await watch(stack)
    async with acquire(app.pool) as connection:
        (paused,) = await open_incidents(connection, workspace_id)
    assert (paused.title, paused.severity) == ("slack is paused, and runs wait", "critical")
    assert "by dana" in paused.cause
    assert "the channel moves" in paused.cause
    assert "1 run waits; nothing is lost." in paused.cause


async def test_every_channel_is_tested_weekly_and_by_hand(stack: StackUnderTest, sandbox: Sandbox) -> None:
    app, workspace_id = stack.app, await at_work(stack.app)
    await watch(stack)
    sandbox.set_fault("webhook", "status", status=410)
    await stack.advance("7d")
    for _ in range(2):
        await watch(stack)
    assert [str(each["text"]).splitlines()[0] for each in sandbox.messages("slack")] == [
        "Test of the alerts of Acme Plumbing",
        "Alerts do not get through to hook",
    ]
    assert len(sandbox.messages("twilio")) == 1
    test, trouble = sandbox.state("pagerduty")["alerts"]
    assert (test["state"], test["severity"]) == ("resolved", "info")
    assert (trouble["state"], trouble["severity"]) == ("triggered", "critical")
    async with acquire(app.pool) as connection:
        (broken,) = await open_incidents(connection, workspace_id)
    assert (broken.title, broken.severity) == ("Alerts do not get through to hook", "critical")

    found = {each.channel: each.error for each in await app.self_test.test_now(workspace_id)}
    assert found.keys() == {"slack:#alerts", "pager", "hook", "mail:ops@acme.example", "texts:+13125550111"}
    assert [name for name, error in found.items() if error] == ["hook"]
    assert "410" in found["hook"]


async def test_where_no_worker_lives_the_web_says_so_and_sends_it(stack: StackUnderTest, sandbox: Sandbox) -> None:
    app, workspace_id = stack.app, await at_work(stack.app)
    assert not await app.stand_in.look(), "none was ever there"
    async with acquire(app.pool) as connection:
        await connection.execute(
            "INSERT INTO workers (id, host, pid, process_start, heartbeat_at) "
            "VALUES ($1, 'h', 1, 0, now() - interval '31 seconds')",
            str(workspace_id),
        )
    assert await app.stand_in.look()
    assert await app.stand_in.look()
    assert posts(sandbox) == ["No worker is running"]
    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE workers SET heartbeat_at = now()")
    assert not await app.stand_in.look()
    async with acquire(app.pool) as connection:
        assert await open_incidents(connection, workspace_id) == ()
