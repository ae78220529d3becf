"""An opt-out stands whatever comes, by whichever way, in whichever order; and it reaches every copy."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from mainstay.db import transact
from mainstay.identity import DEFAULT_POLICY, Person
from mainstay.identity.bulk import Line, Origin, prepare, write_chunk
from mainstay.mirrors import KEY, Mirror
from mainstay.model import Submission, new_id
from tests.conftest import MakeStack
from tests.faults.fleet import until
from tests.mirrors.copies import MemoryTable
from tests.pulls.crm import STACK, Reconciled

ANN, BOB = "ann@example.com", "bob@example.com"
PHONE = "+13125550147"


@dataclass
class Ways:
    """Every way by which anything is said of a contact."""

    made: Reconciled
    table: MemoryTable

    @property
    def app(self) -> Any:
        return self.made.stack.app

    @property
    def workspace_id(self) -> UUID:
        found: UUID = self.made.workspace_id
        return found

    async def form(self) -> None:
        await self.made.stack.submit("website", email=ANN, first_name="Ann", do_not_contact="no")

    async def older_form(self) -> None:
        said = {"email": ANN, "company": "Old", "submitted_at": "2020-01-01T00:00:00Z"}
        await self.made.stack.deliver("website", orjson.dumps(said))

    async def webhook(self) -> None:
        said = {"email": ANN, "company": "Hub", "do_not_contact": False}
        await self.made.stack.deliver("hub", orjson.dumps(said))

    async def api(self) -> None:
        said = Submission(email=ANN, phone=PHONE, first_name="Ann")
        await self.app.contacts.write(self.workspace_id, said, kind="form")

    async def older_consent(self) -> None:
        long_ago = datetime.now(UTC) - timedelta(days=900)
        await self.app.contacts.write(
            self.workspace_id, Submission(email=ANN, consent="ticked", occurred_at=long_ago), kind="crm"
        )

    async def imported(self) -> None:
        origin = Origin(new_id(), self.workspace_id, "list.csv", "list", datetime.now(UTC), DEFAULT_POLICY)
        chunk = prepare(
            origin, [Line(2, 0, Person(email=ANN, company="List")), Line(3, 1, Person(email="x@example.com"))]
        )
        await transact(self.app.pool, lambda connection: write_chunk(connection, origin, chunk))

    async def pull(self) -> None:
        there = next((key for key, each in self.made.crm.records.items() if each.email == ANN), "")
        if there:
            self.made.crm.edit(there, company=str(random.random()), do_not_contact=False)
        else:
            self.made.crm.put("77", Submission(email=ANN, company="There"))
        await self.made.pull()

    async def by_hand(self) -> None:
        contact = await self.made.contact(ANN)
        await self.app.contacts.edit(self.workspace_id, contact["id"], {"company": "By hand"}, by="dana")

    async def taken_back(self) -> None:
        rows = await self.made.rows(
            "SELECT id FROM changes WHERE kind = 'manual' AND undone_at IS NULL AND person ? 'company' LIMIT 1"
        )
        for row in rows:
            await self.app.contacts.take_back(self.workspace_id, row["id"], by="dana")

    async def merge(self) -> None:
        other = (await self.made.stack.submit("website", email=BOB, first_name="Ann")).contact
        contact = await self.made.contact(ANN)
        if other.id != contact["id"]:
            await self.app.contacts.merge(self.workspace_id, contact["id"], other.id, by="dana", keep=other.id)

    async def unmerge(self) -> None:
        rows = await self.made.rows("SELECT id FROM merges WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1")
        for row in rows:
            await self.app.contacts.unmerge(self.workspace_id, row["id"], by="dana")

    async def proposal(self) -> None:
        await self.written()
        for row in self.table.rows:
            if row.get("E-mail") == ANN:
                row.update({"Do not contact": "", "Company": "In the sheet"})
        await self.app.copies.compare(self.workspace_id, "sheet")
        await self.made.stack.settle()
        await self.app.copies.take_over_all(self.workspace_id, "sheet", by="dana")

    async def deleted(self) -> None:
        contact = await self.made.contact(ANN)
        await self.app.contacts.delete(self.workspace_id, contact["id"])
        await self.made.stack.settle()
        await self.form()

    async def written(self) -> None:
        """Let everything reach the copies."""

        async def is_filled() -> bool:
            await self.app.watch_once()
            await self.made.stack.settle()
            # A first load waits for older transactions, of other tests on this server too.
            return bool(await self.made.rows("SELECT FROM mirrors WHERE loaded_at IS NOT NULL"))

        await until(is_filled, "all is in the copy")
        for _ in range(3):
            await self.made.run("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
            await self.app.watch_once()
            await self.made.stack.settle()

    @property
    def all(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.form, self.older_form, self.webhook, self.api, self.older_consent, self.imported, self.pull,
            self.by_hand, self.taken_back, self.merge, self.unmerge, self.proposal, self.deleted,
        ]  # fmt: skip


@pytest.fixture
async def ways(make_stack: MakeStack) -> Ways:
    made = await Reconciled.make(make_stack, STACK)
    found = Ways(made, MemoryTable())
    app: Any = made.stack.app
    mirror = Mirror("sheet", "slack", drift="propose")
    app.table = lambda _workspace, _connection, _http: found.table
    app.mirrors = lambda _workspace: {"sheet": mirror}
    await app.copies.declare(made.workspace_id)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_turns_it_back(ways: Ways, seed: int) -> None:
    rng = random.Random(seed)
    contact = (await ways.made.stack.submit("website", email=ANN, first_name="Ann")).contact
    await ways.app.contacts.edit(ways.workspace_id, contact.id, {}, by="dana", do_not_contact=True)
    await ways.made.stack.settle()
    order = rng.sample(ways.all, len(ways.all))
    for way in order:
        await way()
        await ways.made.stack.settle()
        (found,) = await ways.made.rows(
            "SELECT do_not_contact FROM contacts WHERE email = $1 AND merged_into IS NULL AND deleted_at IS NULL", ANN
        ) or await ways.made.rows(
            """
            SELECT do_not_contact FROM contacts JOIN identifiers ON identifiers.contact_id = contacts.id
            WHERE value = $1 AND merged_into IS NULL AND deleted_at IS NULL
            """,
            ANN,
        )
        assert found["do_not_contact"], [each.__name__ for each in order[: order.index(way) + 1]]

    await ways.form()
    await ways.written()
    rows = await ways.made.rows(
        "SELECT id FROM contacts WHERE do_not_contact AND merged_into IS NULL AND email = $1", ANN
    )
    in_the_copy = {row[KEY]: row["Do not contact"] for row in ways.table.rows}
    assert [in_the_copy[str(row["id"])] for row in rows] == ["yes"] * len(rows) != []
    assert any(each.do_not_contact for each in ways.made.crm.records.values() if each.email == ANN)


async def test_a_later_consent_lifts_it_everywhere(ways: Ways) -> None:
    contact = (await ways.made.stack.submit("website", email=ANN)).contact
    await ways.app.contacts.edit(ways.workspace_id, contact.id, {}, by="dana", do_not_contact=True)
    await ways.written()
    assert ways.table.column("Do not contact") == ["yes"]
    await ways.app.contacts.edit(ways.workspace_id, contact.id, {}, by="dana", consent="by phone, 2 March")
    await ways.written()
    assert ways.table.column("Do not contact") == [""]
    assert not (await ways.made.contact(ANN))["do_not_contact"]


async def test_a_deletion_reaches_the_copy(ways: Ways) -> None:
    contact = (await ways.made.stack.submit("website", email=ANN)).contact
    await ways.written()
    assert ways.table.column(KEY) == [str(contact.id)]
    await ways.app.contacts.delete(ways.workspace_id, contact.id)
    await ways.written()
    assert ways.table.rows == []
