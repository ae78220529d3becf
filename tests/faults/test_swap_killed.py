"""GoHighLevel is swapped for HubSpot, and back, while leads come in and workers die: each is in both exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainstay.app import App
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Books, Fleet, Process, until
from tests.faults.sender import open_here, submit_to

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"

[connections]
ghl = {{ connector = "gohighlevel", token = "${{TOKEN}}", location_id = "ve9EPM428h8vShlRW1KT", base_url = "{ghl}" }}
hubspot = {{ connector = "hubspot", token = "${{TOKEN}}", base_url = "{hubspot}", rate = "off" }}  # the new one
slack = {{ connector = "slack", token = "${{TOKEN}}", base_url = "{slack}" }}

[roles]
crm = "ghl"  # what workflows get

[records.contact]
system_of_record = "ghl"

[mirrors]  # how often copies are fed

[sources.website]
kind = "form"

[alerts]
digest = "0s"
critical = ["slack:#alerts"]
"""
WORKFLOW = """
from mainstay import Contact, Context, workflow

@workflow("welcome.v1", on="contact.created")
async def welcome(ctx: Context, contact: Contact) -> None:
    await ctx.crm.add_tag(contact, "welcomed")
    await ctx.sleep("2s")
    await ctx.crm.add_note(contact, f"Called {contact.email}")
"""
CREATE = "answer: POST /hubspot/crm/v3/objects/contacts"
LOAD = f"{CREATE}/batch/upsert"
SWAP = ("swap", "contact", "--from", "ghl", "--to", "hubspot")


class Company:
    """One stack under leads: its folder, its workers, and whoever submits."""

    def __init__(self, fleet: Fleet, sandbox: Sandbox, dsn: str, folder: Path, books: Books) -> None:
        self.fleet, self.sandbox, self.dsn, self.folder, self.books = fleet, sandbox, dsn, folder, books
        self.emails: list[str] = []
        self.workers: list[Process] = []
        self._doors: list[App] = []

    def found(self) -> None:
        (self.folder / "workflows").mkdir(parents=True)
        urls = {name: self.sandbox.url(vendor) for name, vendor in VENDORS.items()}
        (self.folder / "stack.toml").write_text(STACK.format(**urls))
        (self.folder / "workflows" / "workflow.py").write_text(WORKFLOW)

    async def start(self, number: int = 2, **orders: Any) -> list[Process]:
        started = [self.fleet.start(self.dsn, stack=self.folder, **orders) for _ in range(number)]
        await asyncio.gather(*(each.ready() for each in started))
        self.workers += started
        return started

    async def open_door(self) -> None:
        """Serve intake by the stack as it is now, beside the doors that know it as it was."""
        self._doors.append(await open_here(self.dsn, self.sandbox, stack=self.folder))

    async def close(self) -> None:
        for door in self._doors:
            await door.close()
        self._doors = []

    async def submit(self, number: int) -> None:
        """Let leads come in by all doors in turn, and some of them twice."""
        for _ in range(number):
            place = len(self.emails)
            door = self._doors[place % len(self._doors)]
            self.emails.append(f"lead{place}@example.com")
            for email in {self.emails[place], self.emails[place // 2]}:
                await submit_to(door, email=email, name=f"Lead{place} Li")

    @asynccontextmanager
    async def traffic(self) -> AsyncIterator[None]:
        """Let leads come in all the while."""
        over = asyncio.Event()

        async def come() -> None:
            while not over.is_set():
                await self.submit(1)
                await asyncio.sleep(1.0)

        coming = asyncio.create_task(come())
        try:
            yield
        finally:
            over.set()
            await coming

    async def mainstay(self, *arguments: str, code: int = 0) -> Any:
        """Run a command as a person would; returns what it says as JSON."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mainstay", *arguments, "--json"),
            cwd=self.folder,
            env={**os.environ, "DATABASE_URL": self.dsn, "TOKEN": "sample-token"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out.decode()}\n{err.decode()}"
        return json.loads(out).get("swap") if out else {}

    async def restart(self, number: signal.Signals) -> None:
        """Let one worker after the other go, and one of the stack as it is now come in its place."""
        leaving, self.workers = self.workers, []
        for each in leaving:
            await self.start(1)
            if each.code is None:
                each.send(number)
            await each.ended()

    async def is_loaded(self, mirror: str) -> None:
        """Wait until all that was there is in a mirror; what comes in meanwhile is on its way."""

        async def is_so() -> bool:
            return bool(await self.books.value("SELECT loaded_at FROM mirrors WHERE name = $1", mirror))

        await until(is_so, f"{mirror} is filled", pause=0.2)

    async def is_written(self, mirror: str) -> None:
        """Wait until all is in a mirror, or in what was one, when no more comes in."""

        async def is_so() -> bool:
            await self.books.value("UPDATE mirrors SET written_at = now() - interval '1 hour' RETURNING 1")
            return not await self.books.value("SELECT count(*) FROM stale_in_mirror WHERE mirror = $1", mirror)

        await self.is_loaded(mirror)
        await until(is_so, f"all is in {mirror}", pause=0.2)

    def there(self) -> tuple[Counter[str], Counter[str]]:
        """Count each e-mail in GoHighLevel, and in HubSpot."""
        ghl = Counter(each["email"] for each in self.sandbox.state("gohighlevel")["contacts"])
        hubspot = Counter(each["properties"]["email"] for each in self.sandbox.state("hubspot")["contacts"])
        return ghl, hubspot


VENDORS = {"ghl": "gohighlevel", "hubspot": "hubspot", "slack": "slack"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_swap_under_traffic(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path, number: signal.Signals
) -> None:
    sandbox.configure("hubspot", properties=["mainstay_tags"])
    sandbox.seed("hubspot", "contacts", [{"properties": {"email": "lead1@example.com", "company": "Theirs"}}])
    acme = Company(fleet, sandbox, dsn, tmp_path / "acme", books)
    acme.found()
    await acme.open_door()
    await acme.start()
    await acme.submit(12)

    told = await acme.mainstay(*SWAP, "--yes")
    assert (told["phase"], told["changed"], told["contacts"] >= 1) == ("check", True, True)
    text = (acme.folder / "stack.toml").read_text()
    assert "# the new one" in text
    assert "# how often copies are fed" in text
    async with acme.traffic():
        # In the midst of the first load a worker dies between HubSpot's answer and our noting it.
        victim = fleet.start(dsn, stack=acme.folder, strike=LOAD)
        await victim.killed()
        await acme.open_door()
        await acme.restart(number)
        await acme.is_loaded("hubspot")
        refused = await acme.mainstay(*SWAP, "--yes", code=1)
        assert refused["phase"] == "compare"

        async def is_compared() -> bool:
            return bool((await acme.mainstay("swap", "status"))["phase"] == "ready")

        await until(is_compared, "it is compared", pause=2.0)
        told = await acme.mainstay(*SWAP, "--yes")
        assert (told["changed"], told["obstacles"]) == (True, [])
        await acme.open_door()
        victim = fleet.start(dsn, stack=acme.folder, strike=CREATE, nth=2)
        await victim.killed()
        await acme.restart(number)
    await books.all_done(deliveries=len(acme.emails))
    await acme.is_written("hubspot")
    await acme.is_written("ghl")
    await books.all_done(deliveries=len(acme.emails))
    once = Counter(set(acme.emails))
    assert acme.there() == (once, once)

    await _back(acme, number)
    once = Counter(set(acme.emails))
    assert acme.there() == (once, once)
    assert not await books.rows("SELECT workflow, state, error FROM runs WHERE state <> 'done'")
    assert not await books.rows("SELECT kind, key, fields FROM drifts WHERE state = 'open'")
    # Each lead was welcomed once, wherever that stands.
    notes = [each["body"] for each in sandbox.state("gohighlevel")["notes"]]
    notes += [each["properties"]["hs_note_body"] for each in sandbox.state("hubspot")["notes"]]
    assert Counter(notes) == Counter(f"Called {email}" for email in once)
    assert await books.value("SELECT state FROM swaps") == "running"


async def _back(acme: Company, number: signal.Signals) -> None:
    """Take the swap back, when the old system is alike, while leads come in."""
    assert (await acme.mainstay("swap", "status"))["phase"] == "over"

    await acme.mainstay("mirrors", "compare", "ghl")
    await acme.books.all_done(deliveries=len(acme.emails))
    told = await acme.mainstay("swap", "status")
    assert told["obstacles"] == [], await acme.books.rows("SELECT kind, key, fields FROM drifts WHERE state = 'open'")
    async with acme.traffic():
        await acme.mainstay("swap", "back", "--yes")
        await acme.open_door()
        await acme.restart(number)
    await acme.books.all_done(deliveries=len(acme.emails))
    await acme.is_written("hubspot")
    await acme.is_written("ghl")
    await acme.books.all_done(deliveries=len(acme.emails))
    await acme.close()
    for worker in acme.workers:
        await worker.kill()
