"""Writes that share a transaction leave the same tables, and have the same answers, as each by itself, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mainstay.consequences import Cause, Consequences, Routing, Written
from mainstay.db import Connection, Pool, acquire, open_pool
from mainstay.identity import (
    ContactWrite,
    Dropped,
    Person,
    Policy,
    Resolution,
    erase,
    merge,
    resolve,
    unmerge,
)
from mainstay.model import new_id
from mainstay.records import follow_merge, follow_unmerge, forget
from mainstay.records.crosswalk import Adopted, adopt
from tests.identity.sameness import POLICIES, people, tables


@dataclass(frozen=True)
class Saying:
    """A write. ``about``: the place, among the contacts so far, of the one that it names by our own id.

    ``begins``: it does not share the transaction of the write before it. ``elsewhere``: in another workspace.
    """

    person: Person
    kind: str
    key: str = ""
    about: int | None = None
    begins: bool = False
    elsewhere: bool = False


@dataclass(frozen=True)
class Chapter:
    """Writes, and what is done thereafter: ``merge``, ``part``, ``erase`` or ``push``, to contacts by their places."""

    sayings: Sequence[Saying]
    then: str
    one: int
    other: int


@st.composite
def sayings(draw: st.DrawFn) -> Saying:
    person = draw(people())
    if person.external_id:
        system = draw(st.sampled_from(("crm", "crm", "billing", "")))
        person = replace(person, connection=system, external_id=draw(st.sampled_from(("7", "8", "9", "ours"))))
    about = draw(st.sampled_from((None,) * 6 + (0, 1, 2)))
    kind = draw(st.sampled_from(("form", "form", "crm", "import", "manual")))
    if kind == "manual":
        person = replace(person, cleared=draw(st.sampled_from(((), ("company",), ("last_name", "custom.plan")))))
    return Saying(
        person,
        kind,
        draw(st.sampled_from(("",) * 6 + ("a", "b"))),
        about,
        draw(st.sampled_from((False, False, False, True))),
        draw(st.sampled_from((False,) * 9 + (True,))),
    )


chapters = st.builds(
    Chapter,
    st.lists(sayings(), max_size=9),
    st.sampled_from(("", "merge", "part", "erase", "push")),
    st.integers(0, 3),
    st.integers(0, 3),
)


# Shrinking takes minutes, each example being some transactions: the failing one is told as it is.
@settings(
    max_examples=40,
    phases=(Phase.generate,),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(chapters, min_size=1, max_size=4), policy=st.sampled_from(POLICIES))
def test_the_same_tables(dsn: str, story: Sequence[Chapter], policy: Policy) -> None:
    compare(dsn, story, policy)


ANN = Person(first_name="Ann", occurred_at="2024-05-01T00:00:00+00:00")


def test_two_records_of_one_system_stay_two(dsn: str) -> None:
    found = compare(
        dsn,
        told(
            replace(ANN, email="ann@example.com", connection="crm", external_id="7"),
            replace(ANN, phone="+13125550141", connection="crm", external_id="8"),
            replace(ANN, email="ann@example.com", phone="+13125550141"),
        ),
    )
    assert found["merges"] == []
    assert len(found["suggestions"]) == 1


def test_an_id_that_was_told_before_a_merge_stays_the_contacts_own(dsn: str) -> None:
    pushed = Chapter(
        told(replace(ANN, email="ann@example.com"), replace(ANN, phone="+13125550141"))[0].sayings, "push", 1, 1
    )
    found = compare(
        dsn,
        [
            pushed,
            *told(
                replace(ANN, email="ann@example.com", connection="crm", external_id="7"),
                replace(ANN, email="ann@example.com", phone="+13125550141"),
            ),
        ],
    )
    assert len(found["merges"]) == 1
    assert [row["external_id"] for row in found["crosswalk"]] == ["7", "ours"]


def test_the_same_write_again_tells_no_id(dsn: str) -> None:
    said = replace(ANN, connection="crm", external_id="7")
    again = [Saying(ANN, "form", key="a"), Saying(said, "form", key="a"), Saying(said, "form")]
    found = compare(dsn, [Chapter(again, "", 0, 0)])
    assert len(found["contacts"]) == 2
    assert found["crosswalk"][0]["record_id"] == "contact 1"


def test_an_id_of_no_system_names_nobody(dsn: str) -> None:
    found = compare(dsn, told(replace(ANN, external_id="7"), replace(ANN, external_id="7")))
    assert len(found["contacts"]) == 2


def told(*said: Person) -> list[Chapter]:
    return [Chapter([Saying(person, "form") for person in said], "", 0, 0)]


def compare(dsn: str, story: Sequence[Chapter], policy: Policy = POLICIES[0]) -> Mapping[str, Any]:
    """Tell a story in its transactions, and each write in its own; returns the tables, which have to be the same."""

    async def both() -> tuple[Any, Any]:
        pool = await open_pool(dsn, size=1)
        try:
            return await happened(pool, story, policy, alone=True), await happened(pool, story, policy, alone=False)
        finally:
            await pool.close()

    alone, together = asyncio.run(both())
    for name, rows in alone.items():
        for ours, theirs in zip(together[name], rows, strict=False):
            assert ours == theirs, name
        assert len(together[name]) == len(rows), name
    return alone  # type: ignore[no-any-return]


async def happened(pool: Pool, story: Sequence[Chapter], policy: Policy, *, alone: bool) -> Mapping[str, Any]:
    workspaces = [new_id(), new_id()]
    answers: list[Sequence[Any]] = []
    async with acquire(pool) as connection:
        for workspace_id in workspaces:
            await connection.execute(
                "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'W')", workspace_id, str(workspace_id)
            )
        for chapter in story:
            known = [
                row["id"]
                for row in await connection.fetch(
                    "SELECT id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY id", workspaces[0]
                )
            ]
            for batch in batches(chapter.sayings, alone=alone):
                writes = [write_of(saying, workspaces, known, policy) for saying in batch]
                async with connection.transaction():
                    resolutions = await resolve(connection, writes)
                    await follow(connection, writes, resolutions, policy)
                answers += map(answer, resolutions)
            await act(connection, workspaces[0], chapter)
        here, there = [await tables(connection, each, answers) for each in workspaces]
    for row in (*here["changes"], *there["changes"]):
        row["content"] = row["content"] is not None  # of a contact's id
    return {**here, **{f"{name} elsewhere": rows for name, rows in there.items() if name != "answers"}}


def batches(sayings: Sequence[Saying], *, alone: bool) -> Iterator[Sequence[Saying]]:
    batch: list[Saying] = []
    for saying in sayings:
        if batch and (alone or saying.begins):
            yield batch
            batch = []
        batch.append(saying)
    if batch:
        yield batch


def write_of(saying: Saying, workspaces: Sequence[UUID], known: Sequence[UUID], policy: Policy) -> ContactWrite:
    about = saying.about is not None and saying.about < len(known) and not saying.elsewhere
    return ContactWrite(
        workspaces[saying.elsewhere],
        saying.person,
        "website",
        kind=saying.kind,
        key=saying.key,
        policy=policy,
        contact_id=known[saying.about or 0] if about else None,
    )


async def follow(
    connection: Connection,
    writes: Sequence[ContactWrite],
    resolutions: Sequence[Resolution | Dropped],
    policy: Policy,
) -> None:
    """Let what follows from writes follow, as their callers do."""
    written = [
        Written(Cause(write.workspace_id, Routing("", {}, "US", policy), write.source), write.person, resolution)
        for write, resolution in zip(writes, resolutions, strict=True)
        if isinstance(resolution, Resolution)
    ]
    await Consequences().of(connection, written)


def answer(resolution: Resolution | Dropped) -> Sequence[Any]:
    if isinstance(resolution, Dropped):
        return ["dropped"]
    contact = resolution.contact.to_json()
    times = {"created_at", "updated_at"}
    return [
        {name: value for name, value in contact.items() if name not in times},
        resolution.home_id,
        resolution.rule,
        resolution.is_new,
        list(resolution.changed),
        resolution.note,
        [[each.survivor_id, each.merged_id, list(each.changed)] for each in resolution.merged],
        len(resolution.suggestion_ids),
        list(resolution.flags),
    ]


async def act(connection: Connection, workspace_id: UUID, chapter: Chapter) -> None:
    rows = await connection.fetch(
        "SELECT id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL AND merged_into IS NULL ORDER BY id",
        workspace_id,
    )
    standing = [row["id"] for row in rows]
    if chapter.then == "part":
        merge_id = await connection.fetchval(
            "SELECT id FROM merges WHERE workspace_id = $1 AND undone_at IS NULL AND NOT EXISTS "
            "(SELECT FROM contacts WHERE id = survivor_id AND deleted_at IS NOT NULL) ORDER BY id DESC LIMIT 1",
            workspace_id,
        )
        if merge_id is not None:
            async with connection.transaction():
                parted = await unmerge(connection, workspace_id, merge_id, by="ann")
                await follow_unmerge(connection, workspace_id, parted.contact.id, parted.restored.id)
    if max(chapter.one, chapter.other) >= len(standing):
        return
    one, other = standing[chapter.one], standing[chapter.other]
    async with connection.transaction():
        if chapter.then == "merge" and one != other:
            merged = await merge(connection, workspace_id, one, other, by="ann", keep=other)
            await follow_merge(connection, workspace_id, merged.survivor_id, merged.merged_id)
        elif chapter.then == "erase":
            await forget(connection, workspace_id, (await erase(connection, workspace_id, one)).group)
        elif chapter.then == "push":
            known = await connection.fetchval(
                "SELECT count(*) FROM record_ids WHERE workspace_id = $1 AND connection = 'crm' "
                "AND (record_id = $2 OR external_id = 'ours')",
                workspace_id,
                one,
            )
            if not known:
                await adopt(connection, Adopted(workspace_id, one, "crm", "ours", is_ours=True))
