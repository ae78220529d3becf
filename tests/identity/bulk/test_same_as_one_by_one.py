"""A file brought in as a whole leaves the same tables as its lines written one by one, in order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mainstay.db import Connection, Pool, acquire, open_pool
from mainstay.identity import ContactWrite, Dropped, Person, Policy, Resolution, erase, merge, resolve, unmerge
from mainstay.identity.bulk import Line, Origin, prepare, write_chunk, write_of
from mainstay.model import new_id
from mainstay.records import follow_merge, forget
from mainstay.records.crosswalk import Adopted, link

EMAILS = ("sarah@example.com", "s.johnson@example.com", "bob@example.com", "ann@example.com")
WEAK_EMAILS = ("info@example.com", "test@test.com")
PHONES = ("+13125550141", "+13125550142", "+13125550143")
NAMES = (
    ("Sarah", "Johnson"),
    ("S", "Johnson"),
    ("S.", ""),
    ("Bob", "Johnson"),
    ("Robert", "Johnson"),
    ("Ann", "Müller"),
    ("", "Johnson"),
    ("", ""),
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
BEGAN = datetime(2024, 5, 1, tzinfo=UTC)
TIMES = tuple((BEGAN + timedelta(days=days)).isoformat() for days in (0, 0, 1, 2, 90_000))
POLICIES = (
    Policy(),
    Policy(bridges="suggest", max_emails=2, max_phones=1),
    Policy(order=("phone", "email"), shared_phones="same", blocked=frozenset({EMAILS[2], PHONES[2]}), max_emails=2),
    Policy(order=("email",)),
)


@st.composite
def people(draw: st.DrawFn) -> Person:
    first, last = draw(st.sampled_from(NAMES))
    email = draw(st.sampled_from(("", *EMAILS, *WEAK_EMAILS)))
    phone = draw(st.sampled_from(("", *PHONES)))
    external = draw(st.sampled_from(("", "", "", "7", "8")))
    if not (email or phone or external or first or last):
        email = EMAILS[0]
    return Person(
        email=email,
        phone=phone,
        alias_key="sarah" if email == EMAILS[1] else "",
        first_name=first,
        last_name=last,
        company=draw(st.sampled_from(("", "Acme", 'A"c\\me\t{x}'))),
        source=draw(st.sampled_from(("import", "list", ""))),
        tags=draw(st.sampled_from(((), ("VIP",), ("vip", 'o"d\\d, {}'), ("gold", "VIP")))),
        custom=draw(st.sampled_from((None, {"plan": "gold"}, {"plan": "", "city": "Köln\\\n"}))),
        weak=("email",) if email in WEAK_EMAILS else (),
        flags=() if email or phone or external else ("no identifier",),
        do_not_contact=draw(st.sampled_from((False,) * 6 + (True,))),
        consent=draw(st.sampled_from(("",) * 6 + ("signed",))),
        occurred_at=draw(st.sampled_from(TIMES)),
        connection="crm" if external else "",
        external_id=external,
        raw=draw(st.sampled_from((None, {"phone": "(312) 555\t0141\\"}))),
        notes=draw(st.sampled_from(((), ("e-mail: \\ odd",)))),
    )


@dataclass(frozen=True)
class Before:
    """What a workspace holds before the import, in the order in which it came about."""

    writes: Sequence[tuple[Person, str]]
    linked: int
    merged: tuple[int, int] | None
    parted: bool
    erased: int | None


@st.composite
def histories(draw: st.DrawFn) -> Before:
    writes = draw(st.lists(st.tuples(people(), st.sampled_from(("form", "crm", "import"))), max_size=5))
    few = st.integers(0, 4)
    return Before(
        writes,
        draw(st.integers(0, 2)),
        draw(st.none() | st.tuples(few, few)),
        draw(st.booleans()),
        draw(st.none() | few),
    )


# Shrinking takes minutes, each example being some transactions: the failing one is told as it is.
@settings(
    max_examples=40,
    phases=(Phase.generate,),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=histories(),
    lines=st.lists(people(), min_size=1, max_size=14),
    size=st.integers(1, 14),
    policy=st.sampled_from(POLICIES),
)
def test_the_same_tables(dsn: str, before: Before, lines: Sequence[Person], size: int, policy: Policy) -> None:
    async def both() -> tuple[Any, Any]:
        pool = await open_pool(dsn, size=1)
        try:
            return (
                await brought_in(pool, before, lines, policy, None),
                await brought_in(pool, before, lines, policy, size),
            )
        finally:
            await pool.close()

    one_by_one, as_a_whole = asyncio.run(both())
    for table, rows in one_by_one.items():
        for ours, theirs in zip(as_a_whole[table], rows, strict=False):
            assert ours == theirs, table
        assert len(as_a_whole[table]) == len(rows), table


@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_was_said_first_stands_across_merges(dsn: str, size: int) -> None:
    said = (
        Person(email="ann@example.com", phone="+13125550141", first_name="Ann"),
        Person(email="ann@work.example.com", phone="+13125550142", first_name="Ann"),
        Person(email="ann@example.com", phone="+13125550142", first_name="Ann", company="said first"),
        Person(email="ann@home.example.com", phone="+13125550143", first_name="Ann", company="said later"),
        Person(email="ann@example.com", phone="+13125550143", first_name="Ann"),
    )
    lines = [replace(line, occurred_at="2024-05-01T00:00:00+00:00") for line in said]

    async def both() -> tuple[Any, Any]:
        pool = await open_pool(dsn, size=1)
        before = Before((), 0, None, parted=False, erased=None)
        try:
            return (
                await brought_in(pool, before, lines, POLICIES[0], None),
                await brought_in(pool, before, lines, POLICIES[0], size),
            )
        finally:
            await pool.close()

    one_by_one, as_a_whole = asyncio.run(both())
    assert as_a_whole == one_by_one
    assert [row["company"] for row in one_by_one["contacts"]][:1] == ["said first"]


async def brought_in(
    pool: Pool, before: Before, people: Sequence[Person], policy: Policy, size: int | None
) -> Mapping[str, Any]:
    """Bring lines into a workspace of its own, in chunks or one by one; returns its tables but for what is chance."""
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'W')", workspace_id, str(workspace_id)
        )
        await begin(connection, workspace_id, before)
        await asyncio.sleep(0.002)  # ids of an import are of the millisecond in which it began
        origin = Origin(new_id(), workspace_id, "list.csv", "digest", datetime.now(UTC), policy)
        lines = [Line(number + 2, number, person) for number, person in enumerate(people)]
        if size is None:
            for line in lines:
                async with connection.transaction():
                    write = write_of(origin, line.person, line.number)
                    await follow(connection, [(write, (await resolve(connection, [write]))[0])])
        else:
            for start in range(0, len(lines), size):
                async with connection.transaction():
                    chunk = prepare(origin, lines[start : start + size])
                    await follow(connection, (await write_chunk(connection, origin, chunk)).resolved)
        return await tables(connection, workspace_id)


async def follow(connection: Connection, resolved: Sequence[tuple[ContactWrite, Resolution | Dropped]]) -> None:
    """Do what the caller of either has to do: keep the ids of other systems."""
    for write, resolution in resolved:
        if isinstance(resolution, Resolution):
            for merged in resolution.merged:
                await follow_merge(connection, write.workspace_id, merged.survivor_id, merged.merged_id)
            if write.person.external_id:
                adopted = Adopted(write.workspace_id, resolution.home_id, "crm", write.person.external_id)
                await link(connection, [(adopted, resolution.contact.id)])


async def begin(connection: Connection, workspace_id: UUID, before: Before) -> None:
    ids: list[UUID] = []
    for person, kind in before.writes:
        async with connection.transaction():
            write = ContactWrite(workspace_id, replace(person, external_id="", connection=""), "website", kind=kind)
            (resolution,) = await resolve(connection, [write])
            await follow(connection, [(write, resolution)])
            if not isinstance(resolution, Dropped):
                ids.append(resolution.contact.id)
    contacts = sorted(set(ids))
    for number, contact_id in enumerate(contacts[: before.linked]):
        await link(connection, [(Adopted(workspace_id, contact_id, "crm", str(7 + number)), contact_id)])
    if before.merged and max(before.merged) < len(contacts) and before.merged[0] != before.merged[1]:
        pair = [contacts[place] for place in before.merged]
        alive = await connection.fetchval("SELECT count(DISTINCT surviving(id)) FROM unnest($1::uuid[]) AS id", pair)
        if alive == 2:
            async with connection.transaction():
                merged = await merge(connection, workspace_id, pair[0], pair[1], by="ann")
            if before.parted:
                async with connection.transaction():
                    await unmerge(connection, workspace_id, merged.merge_id, by="ann")
    if before.erased is not None and before.erased < len(contacts):
        async with connection.transaction():
            erased = await erase(connection, workspace_id, contacts[before.erased])
            await forget(connection, workspace_id, erased.group)


async def tables(connection: Connection, workspace_id: UUID) -> Mapping[str, Any]:
    """Return all that identity keeps, each id as the place it has among the others."""
    found = {
        table: [
            dict(row)
            for row in await connection.fetch(
                f"SELECT * FROM {table} WHERE workspace_id = $1 ORDER BY {order}",  # noqa: S608 - names of this file
                workspace_id,
            )
        ]
        for table, order in (
            ("contacts", "id"),
            ("identifiers", "kind, value, home_id"),
            ("changes", "contact_id, id"),
            ("merges", "id"),
            ("suggestions", "one_id, other_id"),
        )
    }
    names: dict[str, str] = {str(workspace_id): "workspace"}
    names |= {str(row["id"]): f"contact {place}" for place, row in enumerate(found["contacts"])}
    names |= {str(row["id"]): f"merge {place}" for place, row in enumerate(found["merges"])}
    told: dict[UUID, int] = {}
    for row in found["changes"]:
        place = told[row["home_id"]] = told.get(row["home_id"], 0) + 1
        said = f"line {row['line']}" if row["line"] else f"{place} of {names[str(row['home_id'])]}"
        names[str(row["id"])] = f"change {said}"
    by_chance = {"id", "at", "import_id", "decided_at", "opened_at"}
    return {
        table: [
            {name: _named(value, names) for name, value in row.items() if name not in by_chance | _times(table, row)}
            for row in rows
        ]
        for table, rows in found.items()
    }


def _times(table: str, row: Mapping[str, Any]) -> set[str]:
    if table == "identifiers":
        return {"created_at"}
    if table == "changes" and row["line"] is None:
        return {"occurred_at"}
    return {"deleted_at"} if table == "contacts" else set()


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, datetime):
        # What was said ahead of our clock counts as said when it was received.
        return value if value.year < 2025 and value < BEGAN + timedelta(days=100) else "received"
    if isinstance(value, UUID):
        return names.get(str(value), "?")
    if isinstance(value, Mapping):
        return {key: _named(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, str):
        return "received" if _is_now(value) else _ID.sub(lambda found: names.get(found[0], "?"), value)
    return value


def _is_now(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and text[:4].isdigit() and text not in TIMES[:4]
    except ValueError:
        return False
