"""Copies of records that are no contacts, which also show the contacts that the records are about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Connection, acquire
from mainstay.errors import MirrorRefusedError
from mainstay.mirrors import KEY, store
from mainstay.model import RecordState, RecordType
from mainstay.records import Heard, Ownership, Word, keep
from tests.conftest import MakeStack
from tests.mirrors.copies import Copy

BOOKS = Ownership("books")
COLUMNS = {"Number": "number", "Status": "status", "Job": "custom.job", "Who": "contact.name", "Mail": "contact.email"}


@pytest.fixture
async def copy(make_stack: MakeStack) -> Copy:
    return await Copy.make(make_stack, record="invoice", columns=COLUMNS)


async def say(
    copy: Copy,
    external_id: str,
    *,
    kind: RecordType = "invoice",
    about: UUID | None = None,
    gone: bool = False,
    ownership: Ownership = BOOKS,
    custom: dict[str, str] | None = None,
    **fields: str,
) -> Heard:
    state = RecordState(kind, external_id, fields, custom or {}, is_gone=gone)
    word = Word(copy.workspace_id, "books", state, ownership, "books", about)
    async with acquire(copy.stack.app.pool) as connection, connection.transaction():
        return (await keep(connection, [word]))[0]


async def contact(copy: Copy, name: str) -> UUID:
    await copy.submit(name)
    async with acquire(copy.stack.app.pool) as connection:
        found: UUID = await connection.fetchval("SELECT id FROM contacts WHERE email = $1", f"{name}@example.com")
    return found


def rows(copy: Copy) -> list[tuple[str, ...]]:
    return sorted(tuple(row.get(title, "") for title in COLUMNS) for row in copy.table.rows)


async def test_records_of_one_type_are_written_with_whom_they_are_about(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1", status="open", custom={"job": "roof"})
    await say(copy, "2", number="A-2", status="draft")
    await say(copy, "1", kind="task", title="Call Ann")
    await copy.write()
    assert rows(copy) == [("A-1", "open", "roof", "Ann Li", "ann@example.com"), ("A-2", "draft", "", "", "")]
    await say(copy, "1", status="paid")
    await copy.write()
    assert [row[1] for row in rows(copy)] == ["paid", "draft"]
    assert await copy.count("stale_in_mirror") == 0


async def test_what_was_there_before_is_loaded_page_by_page(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    for number in range(7):
        await say(copy, str(number), about=ann, number=f"A-{number}")
    async with acquire(copy.stack.app.pool) as connection:
        await connection.execute("DELETE FROM stale_in_mirror")
    copy.table.batch = 3
    await copy.write()
    assert [row[0] for row in rows(copy)] == [f"A-{number}" for number in range(7)]
    assert {row[3] for row in rows(copy)} == {"Ann Li"}


async def test_one_that_is_deleted_there_goes_and_comes_back(copy: Copy) -> None:
    await say(copy, "1", number="A-1")
    await copy.write()
    await say(copy, "1", gone=True)
    await copy.write()
    assert rows(copy) == []
    await say(copy, "1", number="A-1")
    await copy.write()
    assert [row[0] for row in rows(copy)] == ["A-1"]


async def test_rows_follow_their_contact(copy: Copy) -> None:
    ann, bob = await contact(copy, "ann"), await contact(copy, "bob")
    await say(copy, "1", about=bob, number="A-1")
    await copy.write()
    contacts = copy.stack.app.contacts
    await contacts.edit(copy.workspace_id, bob, {"first_name": "Robert"}, by="test")
    await copy.write()
    assert rows(copy) == [("A-1", "", "", "Robert Li", "bob@example.com")]

    await contacts.merge(copy.workspace_id, ann, bob, by="test")
    async with acquire(copy.stack.app.pool) as connection:
        [merged] = await connection.fetch("SELECT * FROM contacts WHERE id = $1 AND merged_into IS NULL", ann)
    await copy.write()
    assert rows(copy) == [("A-1", "", "", f"{merged['first_name']} Li", merged["email"])]
    await contacts.edit(copy.workspace_id, ann, {"first_name": "Anna"}, by="test")
    await copy.write()
    assert rows(copy) == [("A-1", "", "", "Anna Li", merged["email"])]
    assert await copy.count("contacts_stale_in_mirror") == 0


async def test_deleting_a_contact_empties_its_rows_and_their_drift(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1")
    await copy.fill()
    copy.table.rows[0]["Mail"] = "private@example.com"
    await copy.compare()
    await copy.stack.app.contacts.delete(copy.workspace_id, ann)
    await copy.write()
    assert copy.table.rows == []
    assert [fields for _, _, fields in await copy.drifts()] == [{}]
    await copy.compare()
    assert await copy.drifts() == []


async def test_a_contact_that_changes_while_its_rows_are_written_is_written_after_it(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1")

    async def rename() -> None:
        await copy.stack.app.contacts.edit(copy.workspace_id, ann, {"first_name": "Anna"}, by="test")

    copy.table.between = rename
    await copy.write()
    await copy.write()
    assert [row[3] for row in rows(copy)] == ["Anna Li"]


async def test_a_note_is_not_taken_from_whoever_is_writing_the_contact(copy: Copy) -> None:
    """Taken before the contact's change is committed, it would be gone, and the change never written."""
    ann = await contact(copy, "ann")
    invoice = (await say(copy, "1", about=ann, number="A-1")).record_id
    await copy.fill()
    await _touch(copy, ann)
    pool = copy.stack.app.pool
    async with acquire(pool) as writing, acquire(pool) as spreading:
        write = writing.transaction()
        await write.start()
        await _rename(writing, ann)
        assert not await store.spread(spreading, copy.workspace_id, "sheet")
        assert await copy.count("stale_in_mirror") == 0
        assert await copy.count("contacts_stale_in_mirror") == 1
        await write.commit()
        await store.spread(spreading, copy.workspace_id, "sheet")
        assert await spreading.fetchval("SELECT record_id FROM stale_in_mirror") == invoice
    await copy.write()
    assert [row[3] for row in rows(copy)] == ["Renamed Li"]


async def test_contacts_are_noted_only_where_rows_show_them(make_stack: MakeStack) -> None:
    copy = await Copy.make(make_stack, record="invoice", columns={"Number": "number"})
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1")
    await copy.write()
    await _touch(copy, ann)
    assert await copy.count("contacts_stale_in_mirror") == 0
    assert await copy.count("stale_in_mirror") == 0


async def test_many_contacts_without_records_do_not_hide_one_that_has_some(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_AT_ONCE", 1)
    people = sorted([await contact(copy, name) for name in ("ann", "bob", "cat", "dan")])
    await say(copy, "1", about=people[-1], number="A-1")
    await copy.fill()
    for each in people:
        await _touch(copy, each)
    copy.table.rows.clear()
    async with acquire(copy.stack.app.pool) as connection:
        await connection.execute("DELETE FROM mirrored")
    await copy.write()
    assert [row[0] for row in rows(copy)] == ["A-1"]
    assert await copy.count("contacts_stale_in_mirror") == 0


async def test_a_mirror_may_become_one_of_another_type(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1")
    await copy.write()
    await _touch(copy, ann)
    copy.mirror = type(copy.mirror)("sheet", "slack", columns={"E-mail": "email"})
    await copy.stack.app.copies.declare(copy.workspace_id)
    await copy.fill()
    assert [row[KEY] for row in copy.table.rows] == [str(ann)]
    assert await copy.count("contacts_stale_in_mirror") == 0


async def test_drift_of_a_record_is_found_and_reverted(copy: Copy) -> None:
    ann = await contact(copy, "ann")
    await say(copy, "1", about=ann, number="A-1", status="open")
    await say(copy, "2", number="A-2")
    await say(copy, "3", number="A-3")
    await copy.fill()
    await copy.compare()
    assert await copy.drifts() == []
    first, second, third = (row[KEY] for row in copy.table.rows)
    copy.table.rows[0] |= {"Status": "paid", "Mail": "other@example.com"}
    del copy.table.rows[1]
    copy.table.rows.append({KEY: str(ann), "Number": "A-9"})
    await copy.compare()
    assert sorted(await copy.drifts()) == sorted(
        [
            (
                "changed",
                first,
                {
                    "Status": {"ours": "open", "theirs": "paid"},
                    "Mail": {"ours": "ann@example.com", "theirs": "other@example.com"},
                },
            ),
            ("missing", second, {}),
            ("unknown", str(ann), {}),
        ]
    )
    await copy.revert()
    assert [row[0] for row in rows(copy)] == ["A-1", "A-2", "A-3"]
    assert third in copy.table.column(KEY)
    await copy.compare()
    assert await copy.drifts() == []


async def _edited(copy: Copy, monkeypatch: pytest.MonkeyPatch, ownership: Ownership, **cells: str) -> UUID:
    """Let somebody write into the row of an invoice; returns the difference's id."""
    routing = copy.stack.app.routing(copy.workspace_id)
    monkeypatch.setattr(copy.stack.app, "routing", lambda _: replace(routing, records={"invoice": ownership}))
    await say(copy, "1", about=await contact(copy, "ann"), ownership=ownership, number="A-1", status="open")
    await copy.fill()
    copy.table.rows[0] |= {title.replace("_", " "): text for title, text in cells.items()}
    await copy.compare()
    async with acquire(copy.stack.app.pool) as connection:
        found: UUID = await connection.fetchval("SELECT id FROM drifts WHERE state = 'open'")
    return found


async def test_our_own_record_takes_over_what_its_copy_says(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    drift = await _edited(copy, monkeypatch, Ownership(), Status="paid", Job="roof", Who="Somebody")
    taken = await copy.stack.app.copies.take_over(copy.workspace_id, drift, by="dana")
    assert taken == {"status": "paid", "custom.job": "roof"}
    await copy.write()
    assert rows(copy) == [("A-1", "paid", "roof", "Ann Li", "ann@example.com")]
    assert await copy.count("records") == 1
    async with acquire(copy.stack.app.pool) as connection:
        [change] = await connection.fetch("SELECT * FROM record_changes ORDER BY id DESC LIMIT 1")
    assert (change["connection"], change["source"]) == ("", "by hand: dana")
    assert change["before"] == {"status": "open", "custom.job": ""}
    await copy.compare()
    assert await copy.drifts() == []


@pytest.mark.parametrize(
    ("ownership", "cells", "message"),
    [
        (BOOKS, {"Status": "paid"}, 'of invoice records another system is right: "books" about status'),
        (
            Ownership(owners={"status": "stripe"}),
            {"Status": "paid"},
            'of invoice records another system is right: "stripe" about status',
        ),
        (Ownership(), {"Status": "settled"}, "invoice.status is one of draft, open, paid, void, uncollectible"),
        (Ownership(), {"Mail": "other@example.com"}, "a mirror does not decide on Mail"),
    ],
)
async def test_what_is_not_ours_to_say_is_refused_with_who_is_right(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, ownership: Ownership, cells: dict[str, str], message: str
) -> None:
    drift = await _edited(copy, monkeypatch, ownership, **cells)
    with pytest.raises(MirrorRefusedError, match=message):
        await copy.stack.app.copies.take_over(copy.workspace_id, drift, by="dana")
    assert len(await copy.drifts()) == 1
    async with acquire(copy.stack.app.pool) as connection:
        assert await connection.fetchval("SELECT values ->> 'status' FROM records") == "open"


async def test_one_that_is_gone_meanwhile_takes_nothing_over(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    drift = await _edited(copy, monkeypatch, Ownership(), Status="paid")
    await say(copy, "1", ownership=Ownership(), gone=True)
    with pytest.raises(MirrorRefusedError, match="no such invoice any more"):
        await copy.stack.app.copies.take_over(copy.workspace_id, drift, by="dana")


async def _touch(copy: Copy, contact_id: UUID) -> None:
    async with acquire(copy.stack.app.pool) as connection, connection.transaction():
        await _rename(connection, contact_id, "Touched")


async def _rename(connection: Connection | Any, contact_id: UUID, name: str = "Renamed") -> None:
    await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
    await connection.execute("UPDATE contacts SET first_name = $2 WHERE id = $1", contact_id, name)
