"""A CRM in memory in place of a vendor's, and a stack whose system of record it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.db import acquire
from mainstay.kit import Pulled, Pushed, Submission
from mainstay.kit.pulling import Cursor
from mainstay.model import Contact
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    hub   = { connector = "hubspot", token = "${TOKEN}" }
    slack = { connector = "slack", token = "${TOKEN}" }
    [records.contact]
    system_of_record = "hub"
    [sources.website]
    kind = "form"
    [sources.hub]
    kind = "form"
    connection = "hub"
    [alerts]
    other = ["slack:#alerts"]
"""
WORKFLOWS = """
    @workflow("greet.v1", on="contact.created")
    async def greet(ctx: Context, contact: Contact) -> None:
        pass


    @workflow("follow.v1", on="contact.updated")
    async def follow(ctx: Context, contact: Contact) -> None:
        pass
"""
LAG = timedelta(minutes=10)


def now() -> datetime:
    """The time, to the millisecond, as cursors keep it."""
    found = datetime.now(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


@dataclass
class MemoryCRM:
    """Records as a vendor would keep them. ``automation`` is what it does of its own to what is written there."""

    records: dict[str, Submission] = field(default_factory=dict)
    created: dict[str, datetime] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    page: int = 2
    pushes: int = 0
    pulls: int = 0
    automation: Callable[[Submission], Submission] | None = None
    between: Callable[[], Awaitable[None]] | None = None

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        self.pushes += 1
        standing = external_id or next((k for k, r in self.records.items() if r.email == contact.email), "")
        record_id = standing or str(len(self.created) + 1)
        said = Submission(
            **{
                name: getattr(contact, name) or getattr(self.records.get(record_id), name, "")
                for name in ("email", "phone", "first_name", "last_name", "company")
            },
            do_not_contact=contact.do_not_contact,
        )
        self.put(record_id, self.automation(said) if self.automation else said)
        return Pushed(record_id, created=not standing)

    async def pull_contacts(self, cursor: str) -> Pulled:
        self.pulls += 1
        start = Cursor.read(cursor)
        found = sorted(
            ((each.occurred_at, key) for key, each in self.records.items() if each.occurred_at is not None),
        )
        found = [(at, key) for at, key in found if (at, key) > (start.since, start.after)]
        given, has_more = found[: self.page], len(found) > self.page
        end = Cursor(*given[-1]) if has_more else Cursor(now() - LAG)
        contacts = tuple(self.records[key] for _, key in given)
        removed, self.removed = tuple(self.removed), []
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        return Pulled(contacts, removed, end.write(), has_more, {key: self.created[key] for _, key in given})

    def put(
        self, record_id: str, said: Submission, *, at: datetime | None = None, created: datetime | None = None
    ) -> None:
        """Make or change a record there, as people do."""
        self.created.setdefault(record_id, created or at or now())
        self.records[record_id] = replace(said, external_id=record_id, occurred_at=at or now())

    def edit(self, record_id: str, *, at: datetime | None = None, **values: Any) -> None:
        """Change some fields of a record there."""
        self.put(record_id, replace(self.records[record_id], **values), at=at)


@dataclass
class Reconciled:
    """A stack that pulls from a CRM in memory."""

    stack: StackUnderTest
    crm: MemoryCRM

    @classmethod
    async def make(cls, make_stack: MakeStack, toml: str = STACK, workflows: str = WORKFLOWS) -> Reconciled:
        made = cls(await make_stack(toml, workflows), MemoryCRM())
        app: Any = made.stack.app
        app.crm = app.pulling_crm = lambda _workspace, _connection, _http: made.crm
        await made.shift()
        return made

    @property
    def workspace_id(self) -> Any:
        return next(iter(self.stack.app.workspaces))

    async def shift(self, by: str = "1 hour") -> None:
        """Let it be so long since pulls began, and since the last one."""
        await self.run(
            "UPDATE pulls SET began_at = began_at - $1::text::interval, pulled_at = pulled_at - $1::text::interval", by
        )

    async def pull(self) -> None:
        """Let the beat begin what is due, and drive it."""
        await self.run("UPDATE pulls SET pulled_at = pulled_at - interval '1 hour'")
        await self.stack.app.watch_once()
        await self.stack.settle()

    async def run(self, query: str, *values: Any) -> None:
        async with acquire(self.stack.app.pool) as connection:
            await connection.execute(query, *values)

    async def rows(self, query: str, *values: Any) -> list[Any]:
        async with acquire(self.stack.app.pool) as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def contact(self, email: str) -> Any:
        (found,) = await self.rows("SELECT * FROM contacts WHERE email = $1 AND merged_into IS NULL", email)
        return found

    async def state(self) -> tuple[int, ...]:
        """What a pull that brings nothing leaves alone."""
        (found,) = await self.rows(
            """
            SELECT (SELECT count(*) FROM changes) AS changes, (SELECT count(*) FROM events) AS events,
                   (SELECT count(*) FROM contacts) AS contacts, (SELECT sum(version) FROM contacts) AS versions,
                   (SELECT count(*) FROM runs WHERE workflow <> 'reconcile.v1') AS runs
            """
        )
        return *found.values(), self.crm.pushes

    async def count(self, label: str) -> int:
        (found,) = await self.rows(
            "SELECT coalesce(sum(count), 0)::bigint AS n FROM tallies WHERE name = 'pull hub' AND label = $1", label
        )
        return int(found["n"])
