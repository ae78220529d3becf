"""Pulls of records: what webhooks miss comes in and begins the workflows, once, whoever brings it first."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.kit import Event, PulledRecord, PulledRecords, RecordState, RecordType, Submission
from mainstay.kit.pulling import Cursor
from mainstay.pulls import records as pulling
from mainstay.pulls import store
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    books = { connector = "xero", access_token = "${TOKEN}", tenant_id = "12345678-1234-1234-1234-123456789012" }
    slack = { connector = "slack", token = "${TOKEN}" }
    [records.payment]
    reconcile = "off"
    [sources.hooks]
    kind = "json"
    record = "invoice"
    connection = "books"
    map = { id = "id", status = "status", total = "total", changed_at = "at", "contact.email" = "email" }
    [alerts]
    other = ["slack:#alerts"]
"""
WORKFLOWS = """
    @workflow("made.v1", on="invoice.created")
    async def made(ctx: Context, contact: Contact) -> None:
        pass


    @workflow("changed.v1", on="invoice.updated")
    async def changed(ctx: Context, contact: Contact) -> None:
        pass


    @workflow("told.v1", on="invoice.submitted")
    async def told(ctx: Context, contact: Contact) -> None:
        pass
"""


def now() -> datetime:
    found = datetime.now(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


@dataclass
class MemoryBooks:
    """Invoices as a vendor would keep them. ``happened`` is the event that it tells itself, if it does."""

    invoices: dict[str, RecordState] = field(default_factory=dict)
    created: dict[str, datetime] = field(default_factory=dict)
    page: int = 2
    pulls: int = 0
    happened: str = ""
    lost: tuple[datetime, datetime] | None = None
    email: str = "ann@example.com"

    async def pull_records(self, kind: RecordType, cursor: str) -> PulledRecords:
        assert kind == "invoice"
        self.pulls += 1
        start = Cursor.read(cursor)
        found = sorted(
            ((each.changed_at, key) for key, each in self.invoices.items() if each.changed_at is not None),
        )
        found = [(at, key) for at, key in found if (at, key) > (start.since, start.after)]
        given, has_more = found[: self.page], len(found) > self.page
        end = Cursor(*given[-1]) if has_more else Cursor(now() - timedelta(minutes=10))
        return PulledRecords(
            tuple(
                PulledRecord(
                    Event(
                        self.happened,
                        submission=Submission(email=self.email),
                        data={"id": key},
                        record=self.invoices[key],
                    ),
                    self.created[key],
                )
                for _, key in given
            ),
            end.write(),
            has_more,
            self.lost,
        )

    def put(self, key: str, *, at: datetime | None = None, gone: bool = False, **fields: str) -> None:
        """Make or change an invoice there, as people do."""
        at = at or now()
        before = self.invoices.get(key, RecordState("invoice", key))
        self.created.setdefault(key, at)
        self.invoices[key] = replace(before, fields={**before.fields, **fields}, changed_at=at, is_gone=gone)


@dataclass
class Books:
    """A stack whose books are in memory."""

    stack: StackUnderTest
    vendor: MemoryBooks

    async def shift(self, by: str = "1 hour") -> None:
        await self.run(
            "UPDATE pulls SET began_at = began_at - $1::text::interval, pulled_at = pulled_at - $1::text::interval", by
        )

    async def pull(self) -> None:
        """Let the beat begin what is due, and drive it."""
        await self.run("UPDATE pulls SET pulled_at = pulled_at - interval '1 hour'")
        await self.stack.app.watch_once()
        await self.stack.settle()

    async def deliver(self, key: str, *, email: str = "", at: datetime | None = None, **fields: str) -> None:
        """Let a webhook say how an invoice stands."""
        state = self.vendor.invoices[key]
        said = {"id": key, "at": (at or state.changed_at or now()).isoformat(), **state.fields, **fields}
        body = json.dumps(said | ({"email": email} if email else {})).encode()
        await self.stack.deliver("hooks", body)
        await self.stack.settle()

    async def hear(self) -> None:
        """Let a webhook have told of an invoice an hour ago."""
        self.vendor.put("heard", at=now() - timedelta(days=1))
        await self.deliver("heard")
        await self.run("UPDATE pulls SET heard_at = heard_at - interval '1 hour'")

    async def run(self, query: str, *values: Any) -> None:
        async with acquire(self.stack.app.pool) as connection:
            await connection.execute(query, *values)

    async def rows(self, query: str, *values: Any) -> list[Any]:
        async with acquire(self.stack.app.pool) as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def told(self) -> list[str]:
        return [
            row["type"] for row in await self.rows("SELECT type FROM events WHERE type LIKE 'invoice.%' ORDER BY id")
        ]

    async def missed(self) -> int:
        rows = await self.rows("SELECT coalesce(sum(count), 0)::bigint AS n FROM tallies WHERE label = 'missed'")
        return int(rows[0]["n"])


@pytest.fixture
async def books(make_stack: MakeStack) -> Books:
    made = Books(await make_stack(STACK, WORKFLOWS), MemoryBooks())
    app: Any = made.stack.app
    others = app.vendor
    app.vendor = lambda *of: made.vendor if of[2] == "accounting" else others(*of)
    await made.shift()
    return made


async def test_what_no_webhook_brought_comes_in_with_its_story(books: Books) -> None:
    books.vendor.put("1", status="open", total="120.50")

    await books.pull()

    [record] = await books.rows("SELECT * FROM records")
    assert record["values"] == {"status": "open", "total": "120.50"}
    [contact] = await books.rows("SELECT id, email FROM contacts")
    assert (contact["email"], record["contact_id"]) == ("ann@example.com", contact["id"])
    [change] = await books.rows("SELECT * FROM record_changes")
    [run] = await books.rows("SELECT id FROM runs WHERE workflow = 'reconcile-records.v1'")
    assert (change["run_id"], change["source"], change["connection"]) == (run["id"], "books", "books")
    assert await books.told() == ["invoice.created"]
    assert len(await books.stack.runs("made.v1")) == 1


async def test_what_is_known_begins_nothing(books: Books) -> None:
    books.vendor.put("1", status="open", total="120.50")
    await books.deliver("1", email="ann@example.com")
    before = await books.rows("SELECT * FROM record_changes")

    for _ in range(2):
        await books.pull()

    assert await books.rows("SELECT * FROM record_changes") == before
    assert await books.told() == ["invoice.submitted"]
    assert await books.missed() == 0


async def test_what_fills_a_gap_is_no_event(books: Books) -> None:
    books.vendor.put("1", status="open")
    await books.deliver("1")
    books.vendor.put("1", number="A-1")

    await books.pull()

    assert (await books.rows("SELECT values FROM records"))[0]["values"] == {"status": "open", "number": "A-1"}
    assert await books.told() == ["invoice.submitted"]


async def test_a_change_begins_its_workflows_once(books: Books) -> None:
    books.vendor.put("1", status="open", total="5")
    await books.pull()
    books.vendor.put("1", total="6")

    for _ in range(3):
        await books.pull()

    assert await books.told() == ["invoice.created", "invoice.updated"]
    assert len(await books.stack.runs("changed.v1")) == 1


async def test_what_is_gone_is_told_and_marked(books: Books) -> None:
    books.vendor.put("1", status="open")
    await books.pull()
    books.vendor.put("1", gone=True)

    for _ in range(2):
        await books.pull()

    assert await books.told() == ["invoice.created", "invoice.deleted"]
    assert (await books.rows("SELECT gone_at FROM records"))[0]["gone_at"] is not None


async def test_a_late_webhook_tells_it_to_nobody_again(books: Books) -> None:
    books.vendor.happened = "invoice.submitted"
    books.vendor.put("1", status="open", total="5")
    await books.pull()
    assert await books.told() == ["invoice.submitted"]

    await books.deliver("1", email="ann@example.com")
    await books.pull()

    assert await books.told() == ["invoice.submitted"]
    assert len(await books.stack.runs("told.v1")) == 1
    assert await books.rows("SELECT * FROM pulled_records") == []
    [delivery] = await books.rows("SELECT state FROM deliveries")
    assert delivery["state"] == "processed"
    # What is said once more after that is another thing.
    await books.deliver("1", email="ann@example.com", note="again")
    assert await books.told() == ["invoice.submitted"] * 2


async def test_a_webhook_that_brings_more_is_told(books: Books) -> None:
    books.vendor.happened = "invoice.submitted"
    books.vendor.put("1", status="open", total="5")
    await books.pull()
    books.vendor.put("1", total="6")

    await books.deliver("1", email="ann@example.com")

    assert await books.told() == ["invoice.submitted"] * 2


@pytest.mark.parametrize("is_late", [False, True])
async def test_what_no_webhook_brings_within_minutes_is_missed(books: Books, is_late: bool) -> None:
    await books.hear()
    books.vendor.put("1", at=now() - timedelta(minutes=6), status="open", total="5")
    books.vendor.put("2", status="open", total="5")
    await books.pull()
    assert await books.missed() == 1

    await books.pull()
    assert await books.missed() == 1
    await books.run("UPDATE pulled_records SET changed_at = changed_at - interval '6 minutes'")
    if not is_late:
        await books.deliver("2")
    await books.pull()

    assert await books.missed() == (2 if is_late else 1)


async def test_what_no_webhook_has_ever_told_of_is_not_missed(books: Books) -> None:
    books.vendor.page = 50
    for number in range(12):
        books.vendor.put(str(number), at=now() - timedelta(minutes=8), status="open")
    await books.pull()
    # The first to come says nothing of what was before it.
    await books.deliver("0", email="ann@example.com")
    books.vendor.put("12", at=now() - timedelta(minutes=8), status="open")
    await books.pull()

    assert len(await books.told()) > 12
    assert await books.missed() == 0
    assert await books.rows("SELECT * FROM incidents") == []


async def test_what_the_vendor_forgot_is_an_incident_until_somebody_has_looked(books: Books) -> None:
    books.vendor.lost = (now() - timedelta(days=40), now() - timedelta(days=30))
    books.vendor.put("1", status="open")
    await books.pull()
    books.vendor.lost = None
    await books.run("UPDATE incidents SET last_seen = last_seen - interval '3 days'")
    await books.pull()

    [incident] = await books.rows("SELECT title, cause, mend, state FROM incidents")
    assert incident["title"] == "What changed at books is not to be had any more"
    assert f"invoices between {now() - timedelta(days=40):%Y-%m-%d}" in incident["cause"]
    assert "Save each that differs" in incident["mend"]
    assert incident["state"] == "open"
    assert await books.told() == ["invoice.created"]


async def test_silent_webhooks_are_an_incident(books: Books) -> None:
    await books.run("UPDATE pulls SET heard_at = now() - interval '1 day'")
    books.vendor.page = 50
    for number in range(12):
        books.vendor.put(str(number), at=now() - timedelta(minutes=8), status="open")

    await books.pull()

    titles = [row["title"] for row in await books.rows("SELECT title FROM incidents")]
    assert titles == ["Webhooks of books seem to come no more"]


async def test_what_is_older_than_the_pulls_begins_nothing(books: Books) -> None:
    books.vendor.put("old", at=now() - timedelta(hours=3), status="open")
    books.vendor.put("touched", at=now() - timedelta(hours=3), status="open")
    books.vendor.put("touched", status="paid")

    await books.pull()

    assert len(await books.rows("SELECT FROM records")) == 2
    assert await books.told() == []
    assert await books.rows("SELECT FROM contacts") == []


async def test_many_pages_come_whole(books: Books) -> None:
    for number in range(7):
        books.vendor.put(str(number), at=now(), status="open")

    await books.pull()

    assert len(await books.rows("SELECT FROM records")) == 7
    assert len(await books.stack.runs("made.v1")) == 7
    assert [state for *_, state in await books.stack.runs("reconcile-records.v1")] == ["done"]


async def test_a_kill_before_the_cursor_doubles_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_AT_ONCE", 1)
    keep, calls = store.keep_cursor, []

    async def killed(*given: Any, **named: Any) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise ConnectionResetError
        await keep(*given, **named)

    monkeypatch.setattr(store, "keep_cursor", killed)
    for number in range(2):
        books.vendor.put(str(number), status="open")

    await books.pull()
    for _ in range(3):
        await books.stack.advance("10m")

    assert len(calls) > 1
    assert await books.told() == ["invoice.created"] * 2
    assert len(await books.stack.runs("made.v1")) == 2


async def test_what_is_off_is_not_asked(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.replace("[records.payment]", "[records.invoice]"), WORKFLOWS)
    assert dict(stack.app.record_pulls(next(iter(stack.app.workspaces)))).keys() == {"payment"}
    async with acquire(stack.app.pool) as connection:
        assert {row["record_type"] for row in await connection.fetch("SELECT * FROM pulls")} == {"payment"}
