"""A book of contacts to write to, which must be whole after every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.consequences import Routing
from mainstay.contacts import Contacts, Outcome
from mainstay.db import GroupCommit, Pool, acquire
from mainstay.identity import Policy, check_book, load_contact
from mainstay.model import Contact, Submission, new_id

NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


class Book:
    """The verbs of a workspace, with short words for what tests ask."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.workspace = new_id()
        self.policy = Policy(blocked=frozenset({"info@example.com"}))
        self.verbs = Contacts(pool, GroupCommit(pool), self)

    @property
    def workspaces(self) -> list[UUID]:
        return [self.workspace]

    def routing(self, workspace_id: UUID) -> Routing:
        return Routing("", {}, "US", self.policy)

    async def say(
        self, email: str = "", phone: str = "", name: str = "", *, at: float | None = None, key: str = "",
        kind: str = "form", workspace: UUID | None = None, **values: Any
    ) -> Outcome:  # fmt: skip
        """Write; ``at`` is in minutes after NOON, None for now."""
        submission = Submission(
            email=email, phone=phone, name=name, occurred_at=NOON + timedelta(minutes=at) if at is not None else None
        )
        submission = replace(submission, **values)
        return await self.verbs.write(workspace or self.workspace, submission, source=kind, kind=kind, key=key)

    async def id(self, *args: Any, **values: Any) -> UUID:
        outcome = await self.say(*args, **values)
        assert outcome.contact_id is not None
        return outcome.contact_id

    async def get(self, contact_id: UUID) -> Contact:
        async with acquire(self.pool) as connection:
            contact = await load_contact(connection, self.workspace, contact_id)
        assert contact is not None
        return contact

    async def merge(self, one: UUID, other: UUID, *, keep: UUID | None = None) -> UUID:
        return (await self.verbs.merge(self.workspace, one, other, by="Ann", keep=keep)).merge_id

    async def unmerge(self, merge_id: UUID) -> tuple[Contact, Contact]:
        parted = await self.verbs.unmerge(self.workspace, merge_id, by="Ann")
        return parted.contact, parted.restored

    async def delete(self, contact_id: UUID) -> None:
        await self.verbs.delete(self.workspace, contact_id)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with acquire(self.pool) as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]

    async def standing(self) -> int:
        ((count,),) = await self.rows(
            "SELECT count(*) FROM contacts WHERE merged_into IS NULL AND deleted_at IS NULL AND workspace_id = $1",
            self.workspace,
        )
        return int(count)

    async def picture(self) -> Sequence[tuple[Any, ...]]:
        """All that is known of who is who, but for versions and what tells of merges."""
        tables = {
            "contacts": "id, email, phone, first_name, last_name, company, source, tags, custom, flags, "
            "do_not_contact, opted_out_at, consented_at, merged_into, origins, created_at, updated_at",
            "identifiers": "kind, value, home_id, contact_id, standing",
            "record_ids": "connection, external_id, record_id, home_id",
        }
        found: list[tuple[Any, ...]] = []
        for table, columns in tables.items():
            found += await self.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3")  # noqa: S608 - names of this file
        return found

    async def findings(self) -> list[str]:
        async with acquire(self.pool) as connection:
            checked = [each async for each in check_book(connection, self.workspace, sample=None)]
        return [f"{finding.invariant}: {finding.where}" for each in checked for finding in each.findings]


@pytest.fixture
async def book(pool: Pool) -> AsyncIterator[Book]:
    opened = Book(pool)
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", opened.workspace
        )
    yield opened
    assert await opened.findings() == []
