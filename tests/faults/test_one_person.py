"""One person, a hundred times at once, through four kinds of source and two workers: one contact, everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from mainstay.app import App
from mainstay.intake import Receipt
from mainstay.kit import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.senders import Person, SignedRequest, form, jotform, json_webhook, typeform
from tests.faults.fleet import ONCE, Books, Fleet, vendor_copies
from tests.faults.sender import open_here

REPETITIONS = 5
SUBMISSIONS = 100
EMAILS = ("{0}@example.com", " {0}@Example.COM", "{0}@EXAMPLE.com ", "mailto:{0}@example.com")
PHONES = ("(312) 555-01{0}", "312.555.01{0}", "+1 312 555 01{0}", "0013125550{1}", "1-312-555-01{0}")

Sender = Callable[[Person, str, datetime], SignedRequest]
SENDERS: dict[str, Sender] = {
    "website": lambda person, key, _at: form(person, key=key),
    "partner": lambda person, key, at: json_webhook(person, "sample-partner_secret", key=key, at=at),
    "quiz": lambda person, key, at: typeform(person, "sample-quiz_secret", key=key, at=at),
    "visits": lambda person, key, at: jotform(person, "sample-visits_secret", key=key, at=at),
}


async def test_one_contact_and_one_record(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    workers = [fleet.start(dsn) for _ in range(2)]
    app = await open_here(dsn, sandbox)
    for repetition in range(REPETITIONS):
        receipts = await asyncio.gather(*(_submit(app, repetition, number) for number in range(SUBMISSIONS)))
        assert {receipt.state for receipt in receipts} == {"accepted"}
        await books.all_done(deliveries=SUBMISSIONS * (repetition + 1), seconds=30)
    await app.close()
    for worker in workers:
        await worker.kill()

    assert not await books.problems()
    contacts = await books.rows("SELECT email, phone, first_name, last_name FROM contacts ORDER BY email")
    assert contacts == [
        {"email": f"person{n}@example.com", "phone": f"+1312555014{n}", "first_name": "Sarah", "last_name": "Johnson"}
        for n in range(REPETITIONS)
    ]
    assert await books.value("SELECT count(*) FROM identifiers") == 2 * REPETITIONS
    assert await books.value("SELECT count(DISTINCT external_id) FROM crosswalk") == REPETITIONS
    assert len(sandbox.state("gohighlevel")["contacts"]) == REPETITIONS
    for repetition in range(REPETITIONS):
        assert vendor_copies(sandbox, f"person{repetition}@example.com") == ONCE


async def _submit(app: App, repetition: int, number: int) -> Receipt:
    source = list(SENDERS)[number % len(SENDERS)]
    line = f"4{repetition}"
    person = {
        "first_name": "Sarah",
        "last_name": "Johnson",
        "email": EMAILS[number // 4 % len(EMAILS)].format(f"person{repetition}"),
        "phone": PHONES[number % len(PHONES)].format(line, f"1{line}"),
    }
    now = datetime.now(UTC)
    sent = SENDERS[source](person, f"{repetition}-{number}", now)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    url = f"http://test/in/acme/{source}" + (f"?{sent.query}" if sent.query else "")
    request = RawRequest("POST", url, headers, sent.body, now)
    return await app.intake.receive(app.by_slug["acme"].sources[source], request)
