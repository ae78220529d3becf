"""Deliveries doubled, reordered, replayed, far too many at once: each is kept once, or refused to come again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp

from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.senders import json_webhook
from tests.faults.fleet import ONCE, Books, Fleet, vendor_copies
from tests.faults.sender import insist, post

BURST = 500
SECRET = "sample-partner_secret"
PEOPLE = 12


async def test_doubled_reordered_replayed(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    web, worker = fleet.start(dsn, kind="web"), fleet.start(dsn)
    port = await web.ready()
    # Each person's two deliveries, each sent three times, in no order and all at once.
    sent = [(person, part) for person in range(PEOPLE) for part in range(2)] * 3
    random.Random(20).shuffle(sent)
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(_deliver(session, port, person, part) for person, part in sent))
        await books.all_done(deliveries=PEOPLE * 2)
        # A day later the sender replays everything.
        replayed = await asyncio.gather(*(_deliver(session, port, person, part) for person, part in set(sent)))
    await books.all_done(deliveries=PEOPLE * 2)
    for process in (web, worker):
        await process.kill()

    assert sorted(answers) == [200] * (PEOPLE * 4) + [202] * (PEOPLE * 2)
    assert set(replayed) == {200}
    assert not await books.problems(sandbox)
    assert await books.value("SELECT count(*) FROM deliveries") == PEOPLE * 2
    assert await books.value("SELECT count(*) FROM runs WHERE workflow = 'inbound.v1'") == PEOPLE * 2
    contacts = await books.rows("SELECT email, company FROM contacts")
    assert sorted(contact["email"] for contact in contacts) == sorted(f"p{n}@example.com" for n in range(PEOPLE))
    assert {contact["company"] for contact in contacts} == {"Acme"}
    for person in range(PEOPLE):
        assert vendor_copies(sandbox, f"p{person}@example.com") == ONCE


async def test_a_burst_is_taken_or_told_to_come_again(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    web, worker = fleet.start(dsn, kind="web"), fleet.start(dsn)
    port = await web.ready()
    leads = [{"email": f"burst{number}@example.com", "name": f"Lead Number{number}"} for number in range(BURST)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        statuses = await asyncio.gather(*(insist(session, port, lead, key=lead["email"]) for lead in leads))
    await books.all_done(deliveries=BURST)
    for process in (web, worker):
        await process.kill()

    assert {status for tried in statuses for status in tried} <= {202, 429}
    assert not await books.problems(sandbox)
    assert await books.value("SELECT count(*) FROM deliveries WHERE state = 'processed'") == BURST
    emails = await books.rows("SELECT email FROM contacts")
    assert sorted(row["email"] for row in emails) == sorted(lead["email"] for lead in leads)
    assert sorted(contact["email"] for contact in sandbox.state("gohighlevel")["contacts"]) == sorted(
        lead["email"] for lead in leads
    )
    assert (len(sandbox.messages("slack")), len(sandbox.messages("postmark"))) == (BURST, BURST)


async def test_forged_stale_and_huge_ones_are_refused_and_leave_nothing_to_do(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    web, worker = fleet.start(dsn, kind="web"), fleet.start(dsn)
    port = await web.ready()
    person, now = {"email": "sarah@example.com", "first_name": "Sarah"}, datetime.now(UTC)
    good = json_webhook(person, SECRET, key="good", at=now)
    cases = {
        "right": (good, 202),
        "the same again": (good, 200),
        "another's secret": (json_webhook(person, "another-secret", key="forged", at=now), 401),
        "replayed a day later": (json_webhook(person, SECRET, key="stale", at=now - timedelta(days=1)), 401),
        "another body under the signature": (replace(good, body=good.body.replace(b"sarah@", b"omar@")), 401),
        "huge": (replace(good, body=b"x" * 20_000_000), 413),
    }
    heard = {}
    async with aiohttp.ClientSession() as session:
        for name, (sent, _) in cases.items():
            url = f"http://127.0.0.1:{port}/in/acme/partner"
            async with session.post(url, data=sent.body, headers=sent.headers) as response:
                heard[name] = response.status
    await books.all_done()
    for process in (web, worker):
        await process.kill()

    assert heard == {name: status for name, (_, status) in cases.items()}
    assert await books.value("SELECT count(*) FROM deliveries") == 1
    assert await books.value("SELECT count(*) FROM quarantine") == 3
    # Of the forged ones people are told, once for each reason.
    assert await books.value("SELECT count(*) FROM incidents") == 2
    assert not await books.problems(sandbox)
    assert [row["email"] for row in await books.rows("SELECT email FROM contacts")] == [person["email"]]


async def _deliver(session: aiohttp.ClientSession, port: str, person: int, part: int) -> int:
    fields = {"email": f"p{person}@example.com", "name": f"Person Number{person}"}
    if part:
        fields["company"] = "Acme"
    return (await post(session, port, "website", fields, key=f"{person}-{part}")).status
