"""One workspace with something of everything, as an operator would find it on a bad morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.db import Connection
from mainstay.insight.weeks import Week
from mainstay.web import ConnectionCard, SourceCard, WorkspaceCard
from tests.insight.seed import Seed

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh-Cholmondeley"
HUGE_ERROR = "402: Account out of credit. " + "The account has no funds to place this call; top it up. " * 60


@dataclass(frozen=True)
class Story:
    card: WorkspaceCard
    seed: Seed
    failed_run: UUID
    waiting_run: UUID
    done_run: UUID
    contact: UUID
    delivery: UUID
    rejected: UUID
    quarantined: UUID
    incident: UUID

    def paths(self) -> dict[str, str]:
        root = f"/w/{self.card.slug}"
        return {
            "overview": root,
            "runs": f"{root}/runs",
            "runs search": f"{root}/runs?q=sarah&state=failed",
            "run failed": f"{root}/runs/{self.failed_run}",
            "run waiting": f"{root}/runs/{self.waiting_run}",
            "run done": f"{root}/runs/{self.done_run}",
            "contacts": f"{root}/contacts",
            "contacts search": f"{root}/contacts?q=sarah",
            "contact": f"{root}/contacts/{self.contact}",
            "contact merge": f"{root}/contacts/{self.contact}/merge?q=s",
            "reviews": f"{root}/reviews",
            "reviews decided": f"{root}/reviews/decided",
            "connections": f"{root}/connections",
            "deliveries": f"{root}/deliveries",
            "deliveries rejected": f"{root}/deliveries?state=rejected",
            "delivery": f"{root}/deliveries/{self.delivery}",
            "delivery rejected": f"{root}/deliveries/{self.rejected}",
            "quarantine": f"{root}/quarantine",
            "quarantined": f"{root}/quarantine/{self.quarantined}",
            "incidents": f"{root}/incidents",
            "week": f"{root}/weeks/{Week.of(self.seed.now, ZoneInfo(self.card.timezone)).name}",
            "api": f"{root}/api",
            "incident": f"{root}/incidents/{self.incident}",
        }


SOURCES = [
    SourceCard("website", "Form", "https://acme.example/in/acme/website"),
    SourceCard("facebook", "Facebook Lead Ads", "https://acme.example/in/acme/facebook"),
    SourceCard("calendly", "Calendly", "https://acme.example/in/acme/calendly"),
    SourceCard("quiet", "Typeform", "https://acme.example/in/acme/quiet"),
]
CONNECTIONS = [
    ConnectionCard("ghl", "GoHighLevel", ("crm",), is_system_of_record=True),
    ConnectionCard("slack", "Slack", ("chat",)),
    ConnectionCard("mail", "Postmark", ("email",)),
]


def exchange(status: int | None, **values: object) -> dict[str, object]:
    return {
        "method": "POST",
        "url": "https://api.voice.example/2026-01/calls?idempotency=01a20ac3",
        "status": status,
        "ms": 412,
        "request": {
            "to": "+13•••47",
            "assistant": "qualifier",
            "metadata": {"tags": ["lead", "überraschend", "日本語"]},
        },
        "response": {"error": {"code": "out_of_credit", "message": "Account out of credit"}},
    } | values


async def tell(connection: Connection, slug: str = "acme", name: str = "Acme Plumbing & Söhne") -> Story:
    """Write the story; returns the ids it is about."""
    seed = await Seed.workspace(connection, slug, name)
    await seed.worker()
    sarah = await seed.contact(
        at=seed.ago(hours=5),
        email="sarah.johnson@example.com",
        phone="+13125550147",
        company="Johnson & Daughters",
        tags=["speed-to-lead", "vip"],
        custom={"How did you hear of us?": "A friend", "Budget": "$5,000 to $10,000"},
        version=2,
    )
    await seed.contact(
        at=seed.ago(days=2),
        first_name="Žofie-Anežka",
        last_name=LONG_NAME,
        email=f"{'long.' * 20}@example.com",
        phone="",
    )
    await seed.contact(
        at=seed.ago(days=3), first_name="田中", last_name="さくら", email="sakura@example.com", phone="+81312345678"
    )
    await seed.contact(at=seed.ago(days=9), first_name="", last_name="", email="", phone="+442071838750")
    await seed.counterpart(sarah, "ghl")
    await seed.counterpart(sarah, "sheet", external_id=None, wanted_version=2, pushed_version=0)

    delivery = await seed.delivery(
        at=seed.ago(hours=5),
        body=b'{"Email Address": "Sarah.Johnson@Example.com ", "Phone": "(312) 555-0147", "Name": "Sarah Johnson"}',
        headers={"content-type": "application/json", "authorization": "•••", "user-agent": "Mozilla/5.0"},
    )
    incident = await seed.incident(
        title="speed_to_lead.v1 fails at voice",
        cause=HUGE_ERROR[:500],
        mend="A person must act: check the connection's credentials and account, then retry the runs.",
        workflow="speed_to_lead.v1",
        connection="voice",
        at=seed.ago(hours=4, minutes=48),
    )
    await seed.incident(
        at=seed.ago(days=3),
        state="resolved",
        title="Contacts do not get through to ghl",
        resolved_at=seed.ago(days=2),
        occurrences=14,
    )
    inbound = await seed.run(at=seed.ago(hours=5), workflow="inbound.v1", delivery_id=delivery)
    push = await seed.run(at=seed.ago(hours=4, minutes=59), workflow="push.v1", delivery_id=delivery, contact_id=sarah)
    await seed.attempt(
        push, 1, name="crm.push_contact", connection="ghl", exchanges=[exchange(200, response={"id": "oc"})]
    )
    await seed.change(
        sarah, at=seed.ago(hours=5), delivery_id=delivery, run_id=inbound,
        after={"email": "sarah.johnson@example.com", "phone": "+13125550147", "first_name": "Sarah"},
    )  # fmt: skip
    await seed.change(
        sarah, at=seed.ago(hours=1), version=2, rule="email", source="facebook", before={"company": "Johnson"},
        after={"company": "Johnson & Daughters"}, note="the phone number belongs to another contact and stays there",
    )  # fmt: skip
    await seed.event(sarah, "contact.created", at=seed.ago(hours=5), delivery_id=delivery, data={"rule": "new"})
    failed = await seed.run(
        at=seed.ago(hours=4, minutes=58), state="failed", delivery_id=delivery, contact_id=sarah, incident_id=incident,
        failed_step=3, fate="human", error=HUGE_ERROR[:2000], retries=3,
        finished_at=seed.ago(hours=4, minutes=46),
        input={"contact": {"first_name": "Sarah", "email": "sarah.johnson@example.com"}},
    )  # fmt: skip
    await seed.attempt(failed, 1, exchanges=[exchange(200, response="ok")], started_at=seed.ago(hours=4, minutes=58))
    await seed.attempt(
        failed, 2, name="email.send", connection="mail", duration_ms=480, result={"id": "b7bc2f4a-e38e-4336"},
        exchanges=[exchange(200)], started_at=seed.ago(hours=4, minutes=58),
    )  # fmt: skip
    for number in range(1, 5):
        is_last = number == 4
        await seed.attempt(
            failed, 3, number, name="voice.call", connection="voice", state="failed" if is_last else "retry",
            status=402 if is_last else 503, fate="human" if is_last else "transient",
            error=HUGE_ERROR[:2000] if is_last else "503: upstream is busy",
            exchanges=[exchange(402 if is_last else 503)], duration_ms=400 * number,
            started_at=seed.ago(hours=4, minutes=58 - 4 * (number - 1)), repeated=is_last,
            guard="repeated" if is_last else "",
            next_at=None if is_last else seed.ago(hours=4, minutes=58 - 4 * number),
        )  # fmt: skip
    waiting = await seed.run(
        at=seed.ago(minutes=12), state="waiting", waiting_for="retry of crm.push_contact", workflow="push.v1",
        contact_id=sarah, wake_at=seed.now + timedelta(minutes=3),
    )  # fmt: skip
    await seed.attempt(
        waiting, 1, name="crm.push_contact", connection="ghl", state="retry", error="429: slow down", status=429,
        exchanges=[exchange(429, response=None, error="slow down")], next_at=seed.now + timedelta(minutes=3),
        started_at=seed.ago(minutes=11),
    )  # fmt: skip
    await seed.run(at=seed.ago(minutes=40), state="waiting", waiting_for="message.received", contact_id=sarah)
    rejected = await seed.delivery(
        at=seed.ago(minutes=50), state="rejected", kind="form", body="Name=Ann&Comment=héllo+<b>there</b>".encode(),
        reason="no one can be recognised by this: it carries neither an e-mail address nor a phone number. "
        "Mend the source's map, or the form, then replay",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    await seed.delivery(
        at=seed.ago(minutes=55), state="ignored", source="calendly", kind="calendly", reason="invitee.canceled"
    )
    await seed.delivery(
        at=seed.ago(days=1), source="facebook", kind="facebook_lead_ads", body=b"\xff\xfe\x00binary" * 9000
    )
    quarantined = await seed.quarantined(at=seed.ago(minutes=20))
    for day in range(21):
        for source, most in (("website", 31), ("facebook", 17), ("calendly", 5)):
            count = (most * (day * 7 % 11 + 3)) // 12
            await seed.tally(f"source {source}", "accepted", count, at=seed.ago(days=day, hours=1))
            await seed.tally(f"source {source}", "lead", count, at=seed.ago(days=day, hours=1))
            if day % 4 == 0:
                await seed.tally(f"source {source}", "repeated", 1 + count // 6, at=seed.ago(days=day, hours=1))
    await seed.tally("source website", "rejected", 1, at=seed.ago(hours=1))
    await seed.tally("run speed_to_lead.v1", "done", 143, at=seed.ago(hours=1))
    await seed.tally("run speed_to_lead.v1", "failed", 1, at=seed.ago(hours=4))
    await seed.tally("attempt ghl", "ok", 160, at=seed.ago(hours=0))
    await seed.tally("attempt ghl", "retry", 9, at=seed.ago(hours=6))
    await seed.tally("attempt slack", "ok", 143, at=seed.ago(hours=1))
    await seed.tally("attempt slack", "retry", 2, at=seed.ago(hours=9))
    card = WorkspaceCard(seed.workspace_id, slug, name, "America/Chicago", "US")
    return Story(card, seed, failed, waiting, push, sarah, delivery, rejected, quarantined, incident)
