"""One person, a hundred times at once, by four paths and through two workers: one contact, everywhere.

The paths are sources, the API, an import, and a person's hand. MAINSTAY_ONE_PERSON says how many people (50: all).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from mainstay.app import IMPORTED, App, Workspace
from mainstay.connectors.csv_file.webhook import IMPORT
from mainstay.intake import SourceBinding
from mainstay.kit import RawRequest
from mainstay.model import Submission
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.senders import Person, SignedRequest, form, jotform, json_webhook, typeform
from tests.faults.fleet import Books, Fleet
from tests.faults.sender import open_here

REPETITIONS = int(os.environ.get("MAINSTAY_ONE_PERSON", "5"))
WRITES = 100
EMAILS = ("{0}@example.com", " {0}@Example.COM", "{0}@EXAMPLE.com ", "mailto:{0}@example.com")
PHONES = ("(312) 555-{0:04}", "312.555.{0:04}", "+1 312 555 {0:04}", "001312555{0:04}", "1-312-555-{0:04}")

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
        outcomes = await asyncio.gather(*(_write(app, repetition, number) for number in range(WRITES)))
        assert set(outcomes) == {"accepted", "written"}
        await books.all_done(deliveries=WRITES // 2 * (repetition + 1))
    await app.close()
    for worker in workers:
        await worker.kill()

    assert not await books.problems(sandbox)
    contacts = await books.rows(
        "SELECT email, phone, first_name, last_name FROM contacts WHERE merged_into IS NULL ORDER BY email"
    )
    assert contacts == sorted(
        (
            {"email": f"person{n}@example.com", "phone": f"+1312555{n + 100:04}", "first_name": "Sarah",
             "last_name": "Johnson"}
            for n in range(REPETITIONS)
        ),
        key=lambda row: row["email"],
    )  # fmt: skip
    assert await books.value("SELECT count(*) FROM identifiers WHERE standing = 'owner'") == 2 * REPETITIONS
    assert await books.value("SELECT count(*) FROM changes WHERE rule NOT IN ('merge')") >= WRITES * REPETITIONS
    assert await books.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert (
        await books.value("SELECT count(DISTINCT external_id) FROM record_ids WHERE record_type = 'contact'")
        == REPETITIONS
    )
    assert len(sandbox.state("gohighlevel")["contacts"]) == REPETITIONS


async def _write(app: App, repetition: int, number: int) -> str:
    workspace = app.by_slug["acme"]
    person = {
        "first_name": "Sarah",
        "last_name": "Johnson",
        "email": EMAILS[number // 4 % len(EMAILS)].format(f"person{repetition}"),
        "phone": PHONES[number % len(PHONES)].format(repetition + 100),
    }
    path = number % 4
    if path == 0:
        return (await app.intake.receive(*_delivery(workspace, person, f"{repetition}-{number}", number // 4))).state
    if path == 1:
        source = workspace.all_sources[IMPORTED]
        headers = {"content-type": "application/json", "idempotency-key": f"{repetition}:{number}"}
        body = orjson.dumps({"row": person, "line": number})
        request = RawRequest(IMPORT, f"file:people.csv#line={number}", headers, body, datetime.now(UTC))
        return (await app.intake.receive(source, request)).state
    outcome = await app.contacts.write(workspace.id, Submission(**person))  # type: ignore[arg-type]
    assert outcome.contact_id is not None
    if path == 3:
        values = {"email": person["email"], "phone": person["phone"]}
        await app.contacts.edit(workspace.id, outcome.contact_id, values, by="Dana")
    return "written"


def _delivery(workspace: Workspace, person: Person, key: str, number: int) -> tuple[SourceBinding, RawRequest]:
    source = list(SENDERS)[number % len(SENDERS)]
    now = datetime.now(UTC)
    sent = SENDERS[source](person, key, now)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    url = f"http://test/in/acme/{source}" + (f"?{sent.query}" if sent.query else "")
    return workspace.sources[source], RawRequest("POST", url, headers, sent.body, now)
