"""What a write reads is what stands once it has its locks, and the contacts are held from then on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from mainstay.db import Connection, acquire, transact
from mainstay.identity import ContactWrite, Person, Resolution, erase, merge, resolve, unmerge
from mainstay.records import Adopted, link
from tests.identity.store.conftest import Book

EMAIL = Person(email="kim@example.com", first_name="Kim")
Verb = Callable[[Connection], Awaitable[Any]]
_WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


async def write(connection: Connection, book: Book, person: Person, contact_id: UUID | None = None) -> Resolution:
    (done,) = await resolve(connection, [ContactWrite(book.workspace, person, "form", contact_id=contact_id)])
    assert isinstance(done, Resolution)
    return done


@asynccontextmanager
async def held_up(book: Book, first: Verb, second: Verb) -> AsyncIterator[asyncio.Task[Any]]:
    """Carry out the first; begin the second, which has to wait for it; then commit the first."""
    async with acquire(book.pool) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await first(connection)
        waiting = asyncio.create_task(transact(book.pool, second))
        async with acquire(book.pool) as other:
            while not await other.fetchval(_WAITS):
                assert not waiting.done()
        await transaction.commit()
    yield waiting


async def test_a_key_that_is_given_while_its_lock_is_waited_for_is_seen(book: Book) -> None:
    async with held_up(
        book, lambda at: write(at, book, EMAIL), lambda at: write(at, book, Person(email=EMAIL.email, company="Acme"))
    ) as late:
        done = await late
    assert (done.rule, done.is_new, done.contact.first_name) == ("email", False, "Kim")
    assert await book.standing() == 1


async def test_an_id_that_is_told_while_its_lock_is_waited_for_is_seen(book: Book) -> None:
    known = Person(connection="ghl", external_id="a", first_name="Kim")

    async def tell(at: Connection) -> None:
        done = await write(at, book, known)
        adopted = Adopted(book.workspace, done.home_id, "ghl", "a", version=done.contact.version)
        await link(at, [(adopted, done.contact.id)])

    async with held_up(book, tell, lambda at: write(at, book, known)) as late:
        assert (await late).rule == "external id"


async def test_values_that_are_written_while_the_contact_is_waited_for_are_seen(book: Book) -> None:
    kim = await book.id("kim@example.com", "+13125550143", "Kim Lee")
    async with held_up(
        book,
        lambda at: write(at, book, Person(email="kim@example.com", tags=("one",))),
        lambda at: write(at, book, Person(phone="+13125550143", first_name="Kim", tags=("two",))),
    ) as late:
        await late
    assert (await book.get(kim)).tags == ("one", "two")


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_contact_that_is_merged_while_it_is_waited_for_is_the_survivor(book: Book, by_id: bool) -> None:
    one, two = await book.id("kim@example.com", name="Kim Lee"), await book.id("lee@example.com", name="Kim Lee")
    person = Person(tags=("late",)) if by_id else Person(email="lee@example.com", tags=("late",))
    async with held_up(
        book,
        lambda at: merge(at, book.workspace, one, two, by="Ann"),
        lambda at: write(at, book, person, two if by_id else None),
    ) as late:
        assert (await late).contact.id == one
    assert (await book.get(one)).tags == ("late",)


async def test_a_contact_that_is_parted_while_it_is_waited_for_is_itself_again(book: Book) -> None:
    one, two = await book.id("kim@example.com", name="Kim Lee"), await book.id("lee@example.com", name="Kim Lee")
    merge_id = await book.merge(one, two)
    async with held_up(
        book,
        lambda at: unmerge(at, book.workspace, merge_id, by="Ann"),
        lambda at: write(at, book, Person(tags=("late",)), two),
    ) as late:
        assert (await late).contact.id == two
    assert [(await book.get(each)).tags for each in (one, two)] == [(), ("late",)]


async def test_what_named_nobody_that_comes_again_is_told_of_its_contact(book: Book) -> None:
    def again(at: Connection) -> Awaitable[list[Any]]:
        return resolve(at, [ContactWrite(book.workspace, Person(first_name="Kim", last_name="Lee"), "form", key="k")])

    async with held_up(book, again, again) as late:
        (done,) = await late
    assert (done.rule, done.is_new) == ("same write", False)
    assert await book.standing() == 1


async def test_a_contact_that_is_deleted_while_it_is_waited_for_is_gone(book: Book) -> None:
    kim = await book.id("kim@example.com", name="Kim Lee")
    async with held_up(book, lambda at: erase(at, book.workspace, kim), lambda at: write(at, book, EMAIL)) as late:
        done = await late
    assert (done.rule, done.contact.id == kim) == ("new", False)


async def test_outside_of_a_beginning_nothing_may_be_written(book: Book) -> None:
    kim = await book.id("kim@example.com", name="Kim Lee")
    async with acquire(book.pool) as connection:
        async with connection.transaction():
            await write(connection, book, EMAIL)
        with pytest.raises(asyncpg.RaiseError, match="identity alone"):
            await connection.execute("UPDATE contacts SET company = 'Acme' WHERE id = $1", kim)
