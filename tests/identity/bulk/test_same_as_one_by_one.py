"""A file brought in as a whole leaves the same tables as its lines written one by one, in order."""

from __future__ import annotations

import asyncio
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
from mainstay.model import first_id_at, new_id
from mainstay.records import follow_merge, forget
from mainstay.records.crosswalk import Adopted, link
from tests.identity.sameness import POLICIES, people, tables

KINDS = ("form", "crm", "import")


@dataclass(frozen=True)
class Before:
    """What a workspace holds before the import, in the order in which it came about."""

    writes: Sequence[tuple[Person, str]]
    linked: int
    merged: tuple[int, int] | None
    parted: bool
    erased: int | None


NOTHING = Before((), 0, None, parted=False, erased=None)


@dataclass(frozen=True)
class Live:
    """What others write while a file comes in: after which of its lines, what, and as which kind of source."""

    after: int
    person: Person
    kind: str


@st.composite
def histories(draw: st.DrawFn) -> Before:
    writes = draw(st.lists(st.tuples(people(), st.sampled_from(KINDS)), max_size=5))
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
    live=st.lists(st.builds(Live, st.integers(0, 13), people(), st.sampled_from(KINDS)), max_size=4),
    is_late=st.booleans(),
)
def test_the_same_tables(
    dsn: str,
    before: Before,
    lines: Sequence[Person],
    size: int,
    policy: Policy,
    live: Sequence[Live],
    is_late: bool,
) -> None:
    # Between two chunks at the latest.
    live = [replace(each, after=min(each.after // size * size, len(lines))) for each in live]
    compare(dsn, File(before, lines, policy, live, is_late), size)


SAID = "2024-05-01T00:00:00+00:00"
ANN = Person(first_name="Ann", occurred_at=SAID)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_was_said_first_stands_across_merges(dsn: str, size: int) -> None:
    lines = (
        replace(ANN, email="ann@example.com", phone="+13125550141"),
        replace(ANN, email="ann@work.example.com", phone="+13125550142"),
        replace(ANN, email="ann@example.com", phone="+13125550142", company="said first"),
        replace(ANN, email="ann@home.example.com", phone="+13125550143", company="said later"),
        replace(ANN, email="ann@example.com", phone="+13125550143"),
    )
    one_by_one = compare(dsn, File(NOTHING, lines), size)
    assert [row["company"] for row in one_by_one["contacts"]][:1] == ["said first"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_two_records_of_one_system_stay_two(dsn: str, size: int) -> None:
    lines = (
        replace(ANN, email="ann@example.com", connection="crm", external_id="7"),
        replace(ANN, phone="+13125550141", connection="crm", external_id="8"),
        replace(ANN, email="ann@example.com", phone="+13125550141"),
    )
    one_by_one = compare(dsn, File(NOTHING, lines), size)
    assert one_by_one["merges"] == []
    assert len(one_by_one["suggestions"]) == 1


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_others_say_meanwhile_is_in_between(dsn: str, size: int) -> None:
    """A contact that others wrote to during the import, and one that they did not, become one."""
    lines = (
        replace(ANN, email="ann@example.com"),
        replace(ANN, email="bob@example.com"),
        *(replace(ANN, first_name="Zoë", email=f"{number}@example.com") for number in range(4)),
        replace(ANN, email="ann@example.com", company="said first", source="said first"),
        replace(ANN, phone="+13125550141", company="said later", source="said later"),
        replace(ANN, email="ann@example.com", phone="+13125550141"),
    )
    live = [Live(6, replace(ANN, email="ann@example.com", occurred_at=""), "form")]
    one_by_one = compare(dsn, File(NOTHING, lines, live=live), size)
    assert one_by_one["contacts"][0]["company"] == "said first"
    assert one_by_one["contacts"][0]["source"] == "said first"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_contact_that_others_made_meanwhile_is_the_older(dsn: str, size: int) -> None:
    lines = (
        *(replace(ANN, first_name="Zoë", email=f"{number}@example.com") for number in range(6)),
        replace(ANN, email="ann@example.com", company="of the file", occurred_at=""),
        replace(ANN, email="ann@example.com", phone="+13125550141"),
    )
    live = [Live(6, replace(ANN, phone="+13125550141", company="of others", occurred_at=""), "form")]
    one_by_one = compare(dsn, File(NOTHING, lines, live=live), size)
    assert len(one_by_one["merges"]) == 1
    assert one_by_one["contacts"][6]["company"] == "of the file"


async def test_lines_come_after_what_a_clock_ahead_of_ours_wrote(pool: Pool) -> None:
    workspace_id, ahead = new_id(), first_id_at(datetime.now(UTC) + timedelta(hours=1))
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        await write_one(connection, ContactWrite(workspace_id, replace(ANN, email="ann@example.com"), "website"))
        async with connection.transaction():
            await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
            await connection.execute("UPDATE changes SET id = $1", ahead)
        origin = Origin(new_id(), workspace_id, "list.csv", "digest", datetime.now(UTC), POLICIES[0])
        undated = [replace(ANN, email=f"{name}@example.com", occurred_at="") for name in ("bob", "ann", "zoe", "ann")]
        for number, person in enumerate(undated):
            async with connection.transaction():
                await write_chunk(connection, origin, prepare(origin, [Line(number + 2, number, person)]))
        rows = await connection.fetch("SELECT id, line, occurred_at FROM changes ORDER BY id")
    assert [row["line"] for row in rows] == [None, 2, 3, 4, 5]
    assert rows[0]["id"] == ahead
    said = [row["occurred_at"] for row in rows[1:]]
    assert said == sorted(said)
    assert said[-1] < datetime.now(UTC)


@dataclass(frozen=True)
class File:
    """An import. ``is_late``: what the workspace held ``before`` came about after the import had begun."""

    before: Before
    people: Sequence[Person]
    policy: Policy = POLICIES[0]
    live: Sequence[Live] = ()
    is_late: bool = False


def compare(dsn: str, file: File, size: int) -> Mapping[str, Any]:
    """Bring a file in line by line, and in chunks; returns the tables, which have to be the same."""

    async def both() -> tuple[Any, Any]:
        pool = await open_pool(dsn, size=1)
        try:
            return await brought_in(pool, file, None), await brought_in(pool, file, size)
        finally:
            await pool.close()

    one_by_one, as_a_whole = asyncio.run(both())
    for table, rows in one_by_one.items():
        for ours, theirs in zip(as_a_whole[table], rows, strict=False):
            assert ours == theirs, table
        assert len(as_a_whole[table]) == len(rows), table
    return one_by_one  # type: ignore[no-any-return]


async def brought_in(pool: Pool, file: File, size: int | None) -> Mapping[str, Any]:
    """Bring lines into a workspace of its own, in chunks or one by one; returns its tables but for what is chance."""
    workspace_id = new_id()
    lines = [Line(number + 2, number, person) for number, person in enumerate(file.people)]
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'W')", workspace_id, str(workspace_id)
        )
        if not file.is_late:
            await begin(connection, workspace_id, file.before)
        origin = Origin(new_id(), workspace_id, "list.csv", "digest", datetime.now(UTC), file.policy)
        step = size or 1
        # Made ready ahead, as by the readers of an import.
        chunks = {start: prepare(origin, lines[start : start + step]) for start in range(0, len(lines), step)}
        if file.is_late:
            await begin(connection, workspace_id, file.before)
        for start in range(len(lines) + 1):
            for each in (each for each in file.live if each.after == start):
                await write_one(connection, ContactWrite(workspace_id, each.person, "website", kind=each.kind))
            if start < len(lines) and size is None:
                await write_one(connection, write_of(origin, lines[start].person, lines[start].number))
            elif start in chunks:
                async with connection.transaction():
                    await follow(connection, (await write_chunk(connection, origin, chunks[start])).resolved)
        found = await tables(connection, workspace_id)
    # A list of millions is not compared with the book line by line.
    return {table: rows for table, rows in found.items() if table != "to_compare"}


async def write_one(connection: Connection, write: ContactWrite) -> Resolution | Dropped:
    async with connection.transaction():
        (resolution,) = await resolve(connection, [write])
        await follow(connection, [(write, resolution)])
    return resolution


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
        anonymous = replace(person, external_id="", connection="")
        resolution = await write_one(connection, ContactWrite(workspace_id, anonymous, "website", kind=kind))
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
