"""A worker killed at every boundary of a mirror's writing, its comparison, and a pull: both copies equal the book."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainstay.kit.pulling import utc
from mainstay.mirrors import KEY
from mainstay.sandbox.client import Sandbox
from mainstay.testing.database import Databases
from tests.faults.boundaries import Telling, kill_at_each
from tests.faults.fleet import Books, Fleet, Process, until
from tests.faults.sender import open_here, submit_many
from tests.faults.victim import READY

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"
[connections]
slack = {{ connector = "slack", token = "${{TOKEN}}" }}
[connections.crm]
connector = "gohighlevel"
token = "${{TOKEN}}"
location_id = "{location}"
pull_by_date_updated = true
[connections.sheet]
connector = "google_sheets"
spreadsheet_id = "{book}"
access_token = "${{TOKEN}}"
create = "tables"
[records.contact]
system_of_record = "crm"
[sources.website]
kind = "form"
[sources.hooks]
kind = "form"
connection = "crm"
"""
MIRROR = """mirrors = ["sheet"]
system_of_record = "crm"
[mirrors.sheet]
table = "Leads"
columns = { "E-mail" = "email", "Name" = "first_name" }
drift = "revert"
"""
NO_MIRROR = 'system_of_record = "crm"\n'
CODE = """
from mainstay import Contact, Context, workflow

@workflow("greet.v1", on="contact.created")
async def greet(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"{contact.email} is new")

@workflow("follow.v1", on="contact.updated")
async def follow(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"{contact.email} is now {contact.first_name}")
"""
PASSES = {
    "answer: POST /google_sheets/v4/spreadsheets/ID:batchUpdate",
    "answer: POST /google_sheets/v4/spreadsheets/ID/values:batchUpdate",
    "answer: POST /gohighlevel/contacts/search",
    *(f"after commit: at {name}" for name in ("Writer._write", "Comparer._unless_replaced", "revert", "Puller._page")),
}
# What a kill before a commit leaves is what one after the vendor's answer before it leaves.
KINDS = (
    "answer: GET /google",
    "answer: POST /google",
    "answer: POST /gohighlevel/contacts/search",
    "after commit: at ",
)
NAMES = ("ann", "ben", "cleo", "dan", "eve")
HEADER = [KEY, "E-mail", "Name"]


class Story:
    """One workspace: its book, its CRM and its sheet, and whichever worker lives."""

    def __init__(self, fleet: Fleet, sandbox: Sandbox, telling: Telling, folder: Path, books: Books) -> None:
        self._fleet, self._sandbox, self._telling, self._books = fleet, sandbox, telling, books
        self.folder, self._number = folder, telling.number
        self.location, self.book = (
            f"ve9EPM428h8vShlRW{self._number:03}",
            f"1AbCdEfGhIjKlMnOpQrStUvWxYz{self._number:010}",
        )
        (folder / "workflows").mkdir(parents=True)
        (folder / "workflows" / "workflow.py").write_text(CODE)
        self._declare(NO_MIRROR)
        self.victim = self.worker = self._start()

    def _declare(self, mirror: str) -> None:
        stack = STACK.format(location=self.location, book=self.book)
        (self.folder / "stack.toml").write_text(stack.replace(NO_MIRROR, mirror))

    def email(self, name: str) -> str:
        return f"{name}{self._number}@example.com"

    def _start(self, **orders: Any) -> Process:
        return self._fleet.start(self._telling.dsn, stack=self.folder, rows=2, **orders)

    async def until(self, is_met: Callable[[], Any], what: str) -> None:
        """Wait, and let another worker take the place of one that was killed."""

        async def looked() -> bool:
            if self.worker.code is not None:
                await self.worker.killed()
                self.worker = self._start()
            met = is_met()
            return bool(await met if asyncio.iscoroutine(met) else met)

        await until(looked, what, pause=0.1)

    async def all_done(self) -> None:
        open_runs = "SELECT NOT EXISTS (SELECT FROM runs WHERE state IN ('queued', 'running', 'waiting'))"
        await self.until(lambda: self._books.value(open_runs), "no run is open")

    def sheet(self) -> list[list[str]]:
        found: list[list[str]] = (
            self._sandbox.state("google_sheets")["spreadsheets"].get(self.book, {}).get("Leads", [])
        )
        return found

    def crm(self) -> list[dict[str, Any]]:
        return [each for each in self._sandbox.state("gohighlevel")["contacts"] if each["locationId"] == self.location]

    async def wanted(self) -> list[list[str]]:
        """Return the rows that the sheet is to have."""
        rows = await self._books.rows(
            "SELECT id::text, email, first_name FROM contacts WHERE merged_into IS NULL AND deleted_at IS NULL"
        )
        return sorted([row["id"], row["email"], row["first_name"]] for row in rows)

    async def is_mirrored(self) -> bool:
        """Tell whether the sheet is as the book; makes what is stale due."""
        await self._books.rows("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
        is_settled = await self._books.value(
            """
            SELECT NOT EXISTS (SELECT FROM stale_in_mirror) AND EXISTS (SELECT FROM mirrors WHERE loaded_at IS NOT NULL)
            """
        )
        return bool(is_settled) and sorted(self.sheet()[1:]) == await self.wanted()

    # ------------------------------------------------------------------------------------------------- what happens

    async def leads_come(self) -> None:
        dsn, emails = self._telling.dsn, [self.email(name) for name in NAMES]
        await submit_many(dsn, self._sandbox, emails, stack=self.folder)

        async def are_pushed() -> bool:
            return len(self.crm()) == len(NAMES) and bool(await self._books.value("SELECT count(*) = 5 FROM contacts"))

        await self.until(are_pushed, "all leads are in the CRM")
        await self.all_done()

    async def a_mirror_is_declared(self) -> None:
        """Let the worker go, and the one come that has the mirror, and is to be killed."""
        await self.worker.kill()
        self._declare(MIRROR)
        self.victim = self.worker = self._start(strike=self._telling.strike, nth=self._telling.nth)
        await self.until(self.is_mirrored, "all leads are in the sheet")
        await self.all_done()

    async def some_change(self) -> None:
        app = await open_here(self._telling.dsn, self._sandbox, stack=self.folder)
        try:
            workspace_id = next(iter(app.workspaces))
            ids = {row["email"]: row["id"] for row in await self._books.rows("SELECT id, email FROM contacts")}
            for name in ("ann", "eve"):
                values = {"first_name": name.title()}
                await app.contacts.edit(workspace_id, ids[self.email(name)], values, by="dana")
            await app.contacts.delete(workspace_id, ids[self.email("ben")])
        finally:
            await app.close()
        await self.until(self.is_mirrored, "the changes are in the sheet")
        await self.all_done()

    async def somebody_edits_the_sheet(self) -> None:
        header, *rows = self.sheet()
        assert header == HEADER
        rows[0][2] = "Somebody else"
        del rows[1]
        await asyncio.to_thread(
            self._sandbox.seed,
            "google_sheets",
            "sheets",
            [{"spreadsheet": self.book, "title": "Leads", "rows": [header, *rows]}],
        )
        await self._books.rows(
            "UPDATE mirrors SET compared_at = now() - interval '2 days', loaded_at = now() - interval '2 days'"
        )

        async def is_reverted() -> bool:
            states = await self._books.rows("SELECT state FROM drifts")
            return [row["state"] for row in states] == ["reverted"] * 2 and await self.is_mirrored()

        await self.until(is_reverted, "the sheet is as it was")
        await self.all_done()

    async def people_change_the_crm(self) -> None:
        at = utc(datetime.now(UTC))
        ids = {each["email"]: each["id"] for each in self.crm()}
        changes: list[dict[str, Any]] = [
            {"id": ids[self.email("cleo")], "firstName": "Clementine"},
            {"id": ids[self.email("dan")], "firstName": "Daniel"},
            {"id": f"contact{self._number:03}0000000077", "email": self.email("fay"), "firstName": "Fay"},
        ]
        for each in changes:
            self._sandbox.seed("gohighlevel", "contacts", [each | {"locationId": self.location, "dateUpdated": at}])
        due = "UPDATE pulls SET pulled_at = now() - interval '1 hour', began_at = now() - interval '1 hour'"
        await self._books.rows(due)

        async def is_pulled() -> bool:
            names = {row[1]: row[2] for row in await self.wanted()}
            expected = {self.email("cleo"): "Clementine", self.email("dan"): "Daniel", self.email("fay"): "Fay"}
            ended = "SELECT pulled_at > now() - interval '50 minutes' FROM pulls"
            return names.items() >= expected.items() and bool(await self._books.value(ended))

        await self.until(is_pulled, "what changed in the CRM is in the book")
        await self.until(self.is_mirrored, "and in the sheet")
        await self.all_done()

    # ---------------------------------------------------------------------------------------------------- what holds

    async def problems(self) -> list[str]:
        found = await self._books.problems(self._sandbox, beside=("sheet",))
        if await self._books.marked():
            found.append(f"marked as repeats are {await self._books.marked()}")
        written = await self._books.value("SELECT array_agg(record_id::text ORDER BY record_id) FROM mirrored")
        if written != [row[0] for row in sorted(await self.wanted())]:
            found.append(f"noted as written are {written}")
        texts = [message["text"] for message in self._sandbox.messages("slack")]
        told = Counter(text for text in texts if any(self.email(name) in text for name in (*NAMES, "fay")))
        expected = Counter(f"{self.email(name)} is new" for name in (*NAMES, "fay"))
        changed = (("ann", "Ann"), ("eve", "Eve"), ("cleo", "Clementine"), ("dan", "Daniel"))
        expected += Counter(f"{self.email(name)} is now {new}" for name, new in changed)
        if told != expected:
            found.append(f"people heard {told - expected} too often, {expected - told} not")
        doubled = Counter(each["email"] for each in self.crm()) - Counter({each["email"] for each in self.crm()})
        return found + [f"the CRM has {doubled} twice"] * bool(doubled)


async def test_killed_while_copies_are_kept(
    fleet: Fleet, sandbox: Sandbox, mainstay_databases: Databases, tmp_path: Path
) -> None:
    async def tell(telling: Telling) -> tuple[list[str], list[str]]:
        books = await Books.open(telling.dsn)
        story = Story(fleet, sandbox, telling, tmp_path / str(telling.number), books)
        try:
            await story.victim.ready()
            await story.leads_come()
            await story.a_mirror_is_declared()
            await story.some_change()
            await story.somebody_edits_the_sheet()
            await story.people_change_the_crm()
            problems = await story.problems()
        except AssertionError as error:
            problems = [f"{error}\n{story.worker.log}"]
        finally:
            await story.victim.kill()
            await story.worker.kill()
            await books.close()
        return problems, [line for line in story.victim.passed if not line.startswith(READY)]

    await kill_at_each(tell, mainstay_databases, passes=PASSES, kind=KINDS, most=2, struck=0.8)
