"""How a mirror in a CRM is read for a comparison: what changed there in one go, then who is odd or unseen, one by one.

A list of what changed may lag behind, so it can only show that a record is as it was pushed; whoever it does not show
so is read by id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire
from mainstay.errors import MalformedError
from mainstay.identity import Person, normalise
from mainstay.mirrors.drifts import Found

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.kit import CRM, PullingCRM, Submission
    from mainstay.mirrors.rules import Mirror

PAGE = 50
_AT_ONCE = 4
LISTED, BY_ID = "listed", "by id"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a comparison goes on: in the list of what changed, or among the contacts that it has not seen yet."""

    part: str
    after: str = ""

    @classmethod
    def read(cls, written: str) -> Cursor:
        """Read what :meth:`write` gave."""
        part, _, after = written.partition(":")
        return cls(part, after)

    def write(self) -> str:
        """Return it as text."""
        return f"{self.part}:{self.after}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of what changed: rows by contact, records that a contact has beside its own, and where it goes on."""

    rows: Mapping[UUID, Mapping[str, str]]
    double: Sequence[Found]
    next: Cursor


async def list_changed(
    pool: Pool, workspace_id: UUID, mirror: Mirror, crm: PullingCRM, region: str, after: str
) -> Listed:
    """Read a page of the list."""
    pulled = await crm.pull_contacts(after)
    people = [person for each in pulled.contacts if (person := _person(each, mirror, region)) is not None]
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT asked.external_id, known.record_id, beside.contact_id, beside.own_id
            FROM unnest($3::text[], $4::text[], $5::text[]) AS asked (external_id, email, phone)
            LEFT JOIN LATERAL (
                SELECT record_id FROM crosswalk
                WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2
                  AND external_id = asked.external_id LIMIT 1
            ) AS known ON true
            LEFT JOIN LATERAL (
                -- One after the other: joined, a planner without statistics reads the whole crosswalk for each.
                SELECT own.* FROM (
                    SELECT contact_id FROM identifiers
                    WHERE known.record_id IS NULL AND workspace_id = $1 AND standing = 'owner'
                      AND kind = CASE WHEN asked.email <> '' THEN 'email' ELSE 'phone' END
                      AND value = CASE WHEN asked.email <> '' THEN asked.email ELSE asked.phone END
                    LIMIT 1
                ) AS named CROSS JOIN LATERAL (
                    -- That it has an id is asked outside: of a new workspace a planner would take the index of ids.
                    SELECT record_id AS contact_id, external_id AS own_id FROM (
                        SELECT record_id, external_id FROM crosswalk
                        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = named.contact_id
                          AND connection = $2 OFFSET 0
                    ) AS copies WHERE external_id IS NOT NULL
                ) AS own
            ) AS beside ON NOT EXISTS (
                SELECT FROM crosswalk_beside WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2
                AND external_id = asked.external_id)
            """,
            workspace_id,
            mirror.connection,
            [each.external_id for each in people],
            [each.email if each.identifies("email") else "" for each in people],
            [each.phone if each.identifies("phone") else "" for each in people],
        )
    said = {each.external_id: each for each in people}
    found = {row["record_id"]: said[row["external_id"]] for row in rows if row["record_id"]}
    double = [
        Found("double", row["external_id"], row["contact_id"]) for row in rows if row["contact_id"] and row["own_id"]
    ]
    onward = Cursor(LISTED, pulled.cursor) if pulled.has_more else Cursor(BY_ID)
    return Listed({each: mirror.row_of(each, person) for each, person in found.items()}, double, onward)


async def unseen(
    connection: Connection, workspace_id: UUID, mirror: Mirror, comparison: int, after: str
) -> Mapping[UUID, str]:
    """Return the next contacts that a comparison has not seen yet, with their ids there; empty where one is unknown."""
    rows = await connection.fetch(
        """
        SELECT m.record_id, c.external_id FROM mirrored AS m
        LEFT JOIN LATERAL (SELECT external_id FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact'
                           AND record_id = m.record_id AND connection = $5 LIMIT 1) AS c ON true
        WHERE m.workspace_id = $1 AND m.mirror = $2 AND m.record_id > $4 AND m.seen_in < $3
        ORDER BY m.record_id LIMIT $6
        """,
        workspace_id,
        mirror.name,
        comparison,
        UUID(after) if after else UUID(int=0),
        mirror.connection,
        PAGE,
    )
    return {row["record_id"]: row["external_id"] or "" for row in rows}


async def read_each(mirror: Mirror, crm: CRM, region: str, ids: Mapping[UUID, str]) -> dict[UUID, Mapping[str, str]]:
    """Read records by their ids; those that are gone are not among the rows."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(external_id: str) -> Submission | None:
        async with slots:
            return await crm.fetch_contact(external_id)

    known = {record_id: external_id for record_id, external_id in ids.items() if external_id}
    read = await asyncio.gather(*map(one, known.values()))
    return {
        record_id: mirror.row_of(record_id, _person(said, mirror, region) or Person())
        for record_id, said in zip(known, read, strict=True)
        if said is not None
    }


def _person(said: Submission, mirror: Mirror, region: str) -> Person | None:
    """Return what a record says in canonical form; None of one that names nobody."""
    try:
        return normalise(replace(said, connection=mirror.connection), region)
    except MalformedError:
        return None
