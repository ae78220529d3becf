from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire, open_pool
from mainstay.errors import PermanentError
from mainstay.identity import ContactWrite, Person, Resolution, annotate, load_contact, resolve
from mainstay.model import new_id
from mainstay.records import Adopted, link

SARAH = Person(email="sarah@example.com", phone="+13125550147", first_name="Sarah", last_name="Johnson")


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


async def write(pool: Pool, workspace: UUID, *people: Person) -> list[Resolution]:
    async with acquire(pool) as connection, connection.transaction():
        done = await resolve(connection, [ContactWrite(workspace, person, "website") for person in people])
    return [each for each in done if isinstance(each, Resolution)]


async def count(pool: Pool, table: str) -> int:
    async with acquire(pool) as connection:
        found: int = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of this file
    return found


async def test_fifty_writes_of_one_person_at_once_make_one_contact(pool: Pool, dsn: str, workspace: UUID) -> None:
    other = await open_pool(dsn, size=5)
    variants = [
        SARAH,
        Person(email="sarah@example.com"),
        Person(phone="+13125550147", first_name="S"),
        Person(phone="+13125550147", email="sj@example.com", first_name="Sarah"),
        Person(email="sarah@example.com", phone="+13125550148"),
    ]
    rng = random.Random(7)
    batches = [[rng.choice(variants) for _ in range(rng.randint(1, 3))] for _ in range(50)]
    batches[0] = [SARAH]  # else a lone e-mail and a lone phone may begin two contacts, and rightly so
    await write(pool, workspace, SARAH)

    await asyncio.gather(
        *(write(pool if number % 2 else other, workspace, *people) for number, people in enumerate(batches))
    )
    await other.close()

    assert await count(pool, "contacts") == 1
    async with acquire(pool) as connection:
        owned = await connection.fetch("SELECT kind, value FROM identifiers ORDER BY 1, 2")
        versions = await connection.fetch("SELECT version FROM changes WHERE after <> '{}' ORDER BY version")
        contact = await connection.fetchrow("SELECT * FROM contacts")
    assert [tuple(row) for row in owned] == [
        ("email", "sarah@example.com"),
        ("email", "sj@example.com"),
        ("phone", "+13125550147"),
        ("phone", "+13125550148"),
    ]
    assert contact is not None
    assert [row["version"] for row in versions] == list(range(1, contact["version"] + 1))


async def test_first_writes_at_once_make_one_contact_too(pool: Pool, workspace: UUID) -> None:
    resolutions = await asyncio.gather(*(write(pool, workspace, SARAH) for _ in range(20)))
    assert sum(resolution.is_new for (resolution,) in resolutions) == 1
    assert await count(pool, "contacts") == 1


async def test_crossing_batches_do_not_deadlock(pool: Pool, workspace: UUID) -> None:
    people = [Person(email=f"p{number}@example.com", phone=f"+1312555{number:04}") for number in range(8)]
    await write(pool, workspace, *people)
    by_email = [Person(email=person.email, company=f"c{number}") for number, person in enumerate(people)]
    by_phone = [Person(phone=person.phone, last_name=f"l{number}") for number, person in enumerate(people)]

    rounds = [by_email, by_phone[::-1], by_email[::-1], by_phone] * 5
    await asyncio.gather(*(write(pool, workspace, *batch) for batch in rounds))

    assert await count(pool, "contacts") == len(people)


async def test_within_one_batch_the_second_write_sees_the_first(pool: Pool, workspace: UUID) -> None:
    first, second, third = await write(
        pool, workspace, SARAH, Person(email="sarah@example.com", company="Birch"), Person(phone="+13125550147")
    )
    assert first.is_new
    assert (second.is_new, second.changed, second.contact.version) == (False, ("company",), 2)
    assert (third.is_new, third.changed, third.rule) == (False, (), "phone")
    assert len({each.contact.id for each in (first, second, third)}) == 1


async def test_a_phone_under_another_name_is_shared_and_the_change_says_so(pool: Pool, workspace: UUID) -> None:
    (sarah,) = await write(pool, workspace, SARAH)
    (bob,) = await write(pool, workspace, Person(email="bob@example.com", phone=SARAH.phone, first_name="Bob"))

    assert bob.is_new
    assert bob.note == "the phone number is shared with a contact of another name: +13125550147"
    assert (bob.contact.phone, bob.flags, sarah.flags) == (SARAH.phone, ("shared phone",), ())
    async with acquire(pool) as connection:
        owners = await connection.fetch("SELECT contact_id, standing FROM identifiers WHERE value = $1", SARAH.phone)
        note = await connection.fetchval("SELECT note FROM changes WHERE contact_id = $1", bob.contact.id)
    assert {tuple(row) for row in owners} == {(sarah.contact.id, "shared"), (bob.contact.id, "shared")}
    assert note == bob.note


async def test_workspaces_do_not_see_each_other(pool: Pool, workspace: UUID) -> None:
    other = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bell', 'Bell')", other)
    (ours,) = await write(pool, workspace, SARAH)
    (theirs,) = await write(pool, other, SARAH)

    assert theirs.is_new
    async with acquire(pool) as connection, connection.transaction():
        assert await load_contact(connection, other, ours.contact.id) is None
        with pytest.raises(PermanentError, match="there is no contact"):
            await annotate(connection, other, ours.contact.id, Person(tags=("x",)), source="workflow")


async def test_an_id_of_another_system_names_its_contact(pool: Pool, workspace: UUID) -> None:
    (sarah,) = await write(pool, workspace, SARAH)
    async with acquire(pool) as connection:
        await link(connection, [(Adopted(workspace, sarah.contact.id, "ghl", "a1"), sarah.contact.id)])

    (again,) = await write(pool, workspace, Person(connection="ghl", external_id="a1", email="new@example.com"))
    (other,) = await write(pool, workspace, Person(connection="hubspot", external_id="a1"))

    assert (again.contact.id, again.rule) == (sarah.contact.id, "external id")
    assert again.contact.email == "new@example.com"
    assert (other.is_new, other.contact.version) == (True, 1)


async def test_an_unchanged_write_is_told_and_changes_nothing(pool: Pool, workspace: UUID) -> None:
    await write(pool, workspace, SARAH)
    (again,) = await write(pool, workspace, SARAH)
    assert (again.changed, again.contact.version) == ((), 1)
    async with acquire(pool) as connection:
        rows = await connection.fetch("SELECT rule, after <> '{}' AS has_changed FROM changes ORDER BY id")
    assert [tuple(row) for row in rows] == [("new", True), ("email", False)]


async def test_a_note_with_a_key_is_kept_once(pool: Pool, workspace: UUID) -> None:
    (sarah,) = await write(pool, workspace, SARAH)
    async with acquire(pool) as connection, connection.transaction():
        for key in ("run-1", "run-1", "run-2"):
            await annotate(
                connection, workspace, sarah.contact.id, Person(notes=("called",)), source="workflow", key=key
            )
        tagged = await annotate(connection, workspace, sarah.contact.id, Person(tags=("vip",)), source="workflow")
        again = await annotate(connection, workspace, sarah.contact.id, Person(tags=("VIP",)), source="workflow")
        notes = await connection.fetchval("SELECT count(*) FROM changes WHERE note = 'called'")
    assert notes == 2
    assert (tagged.tags, tagged.version, again.version) == (("vip",), 2, 2)
