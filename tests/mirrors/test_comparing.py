from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import MirrorRefusedError, PermanentError, TransientError
from mainstay.mirrors import KEY, drifts
from tests.conftest import MakeStack
from tests.mirrors.copies import Copy

NAMES = ["ann", "bob", "cat", "dan", "eve"]


@pytest.fixture
async def copy(make_stack: MakeStack) -> Copy:
    made = await Copy.make(make_stack)
    await made.submit(*NAMES)
    await made.write()
    return made


async def test_a_copy_as_it_was_written_has_no_drift(copy: Copy) -> None:
    await copy.compare()
    assert await copy.drifts() == []
    assert await copy.count("mirrors WHERE compared_at IS NOT NULL") == 1


async def test_an_empty_copy_is_not_read(make_stack: MakeStack) -> None:
    copy = await Copy.make(make_stack)
    await copy.write()
    copy.table.fails = TransientError("there is no table yet")
    await copy.compare()
    assert await copy.count("mirrors WHERE compared_at IS NOT NULL") == 1
    assert copy.table.fails is not None


async def test_a_copy_that_is_being_filled_is_not_compared(make_stack: MakeStack) -> None:
    copy = await Copy.make(make_stack)
    with pytest.raises(MirrorRefusedError, match="is being filled"):
        await copy.compare()


async def test_each_kind_is_found_and_told(copy: Copy) -> None:
    keys = {name: copy.key_of(name) for name in NAMES}
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    copy.table.rows = [row for row in copy.table.rows if row["E-mail"] != "bob@example.com"]
    copy.table.rows += [
        dict(copy.table.of("cat@example.com")),
        {KEY: "nobody's", "E-mail": "x"},
        {KEY: "", "E-mail": "y"},
    ]
    await copy.compare()
    assert set(map(str, await copy.drifts())) == {
        str(("changed", keys["ann"], {"Phone": {"ours": "", "theirs": "+13125550147"}})),
        str(("missing", keys["bob"], {})),
        str(("double", keys["cat"], {})),
        str(("unknown", "nobody's", {})),
    }
    assert await copy.count("incidents WHERE state = 'open' AND title LIKE 'sheet is no longer%'") == 1


async def test_what_drifted_is_reverted(copy: Copy) -> None:
    before = [dict(row) for row in copy.table.rows]
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    copy.table.rows.pop(1)
    await copy.compare()
    await copy.stack.app.watch_once()
    assert await copy.count("incidents WHERE state = 'open'") == 1
    assert await copy.revert() == 2
    assert await copy.count("incidents WHERE state = 'open'") == 0
    assert sorted(copy.table.rows, key=str) == sorted(before, key=str)
    await copy.compare()
    assert await copy.drifts() == []


async def test_an_emptied_copy_is_worked_off_in_portions(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drifts, "_AT_ONCE", 2)
    before, copy.table.rows = copy.table.rows, []
    await copy.compare()
    assert [kind for kind, _, _ in await copy.drifts()] == ["missing"] * len(NAMES)
    assert await copy.count("incidents WHERE state = 'open' AND title LIKE 'sheet is no longer%'") == 1
    copy.table.rows = [dict(row) for row in before]
    await copy.compare()
    assert (await copy.drifts(), len(await copy.drifts("gone"))) == ([], len(NAMES))
    copy.table.rows = []
    await copy.compare()
    assert await copy.revert() == len(NAMES)
    assert sorted(copy.table.rows, key=str) == sorted(before, key=str)


async def test_a_row_that_is_double_on_one_page_and_over_two(copy: Copy) -> None:
    ann, bob = copy.table.of("ann@example.com"), copy.table.of("bob@example.com")
    copy.table.page = 4
    copy.table.rows = [ann, dict(ann), bob, *copy.table.rows[2:], dict(bob)]
    await copy.compare()
    assert {(kind, key) for kind, key, _ in await copy.drifts()} == {("double", ann[KEY]), ("double", bob[KEY])}


async def test_what_came_right_by_itself_is_gone(copy: Copy) -> None:
    row = copy.table.of("ann@example.com")
    row["Phone"] = "+13125550147"
    await copy.compare()
    row["Phone"] = ""
    await copy.compare()
    assert (await copy.drifts(), len(await copy.drifts("gone"))) == ([], 1)


async def test_the_stack_may_say_to_revert(make_stack: MakeStack) -> None:
    copy = await Copy.make(make_stack, drift="revert")
    await copy.submit("ann")
    await copy.write()
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    await copy.compare()
    await copy.write()
    assert copy.table.column("Phone") == [""]
    assert await copy.count("incidents") == 0


async def test_what_is_written_meanwhile_is_no_drift(copy: Copy) -> None:
    async def write() -> None:
        await copy.stack.submit("website", email="ann@example.com", name="Ann Li", company="Acme")
        await copy.submit("fay")
        await copy.write()

    copy.table.between = write
    await copy.compare()
    assert await copy.drifts() == []


async def test_a_page_that_is_read_again_is_not_double(copy: Copy) -> None:
    copy.table.fails = TransientError("no answer")
    await copy.compare()
    await copy.stack.advance("10m")
    assert await copy.drifts() == []
    assert await copy.count("mirrors WHERE compared_at IS NOT NULL") == 1


async def only_drift(copy: Copy) -> UUID:
    async with acquire(copy.stack.app.pool) as connection:
        (row,) = await connection.fetch("SELECT id FROM drifts")
    found: UUID = row["id"]
    return found


async def test_what_somebody_wrote_is_taken_over_by_the_contact(copy: Copy) -> None:
    copy.table.of("ann@example.com").update({"Phone": "(312) 555-0147", "Source": "a friend"})
    await copy.compare()
    mirrors, drift = copy.stack.app.copies, await only_drift(copy)
    assert await mirrors.take_over(copy.workspace_id, drift, by="dana") == {"phone": "(312) 555-0147"}
    with pytest.raises(MirrorRefusedError, match="waits for a decision"):
        await mirrors.take_over(copy.workspace_id, drift, by="dana")
    await copy.write()
    assert copy.table.of("ann@example.com")["Phone"] == "+13125550147"
    assert copy.table.of("ann@example.com")["Source"] == "website"
    await copy.compare()
    assert await copy.drifts() == []
    assert await copy.count("contacts WHERE phone = '+13125550147'") == 1


@pytest.mark.parametrize(("title", "value"), [("Do not contact", ""), ("Tags", "vip"), ("E-mail", "no address")])
async def test_what_a_mirror_may_not_say_is_refused(copy: Copy, title: str, value: str) -> None:
    await copy.stack.app.contacts.edit(copy.workspace_id, UUID(copy.key_of("ann")), {}, by="dana", do_not_contact=True)
    await copy.write()
    copy.table.of("ann@example.com")[title] = value
    await copy.compare()
    with pytest.raises((MirrorRefusedError, PermanentError)):
        await copy.stack.app.copies.take_over(copy.workspace_id, await only_drift(copy), by="dana")
    assert await copy.count("contacts WHERE do_not_contact") == 1
    assert len(await copy.drifts()) == 1


async def test_a_revert_is_undone(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    await copy.compare()
    drift = await only_drift(copy)
    await copy.revert()
    assert copy.table.of("ann@example.com")["Phone"] == ""
    await copy.stack.app.copies.undo(copy.workspace_id, "sheet", [drift], by="dana")
    await copy.stack.settle()
    assert copy.table.of("ann@example.com")["Phone"] == "+13125550147"
    assert [kind for kind, _, _ in await copy.drifts()] == ["changed"]


async def test_what_is_left_is_told_of_again_only_when_it_changes(copy: Copy) -> None:
    row = copy.table.of("ann@example.com")
    row["Phone"] = "+13125550147"
    await copy.compare()
    assert await copy.stack.app.copies.leave(copy.workspace_id, [await only_drift(copy)], by="dana") == 1
    await copy.compare()
    assert await copy.drifts() == []
    row["Phone"] = "+13125550148"
    await copy.compare()
    assert len(await copy.drifts()) == 1


async def test_a_deleted_contact_leaves_nothing_in_its_drifts(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    await copy.compare()
    await copy.stack.app.contacts.delete(copy.workspace_id, UUID(copy.key_of("ann")))
    assert await copy.count("drifts WHERE fields <> '{}'") == 0
    await copy.write()
    assert "ann@example.com" not in copy.table.column("E-mail")


async def undo_only(copy: Copy) -> None:
    drift = await only_drift(copy)
    await copy.stack.app.copies.undo(copy.workspace_id, "sheet", [drift], by="dana")
    await copy.stack.settle()


async def test_the_revert_of_a_row_that_was_gone_is_undone(copy: Copy) -> None:
    gone = copy.key_of("bob")
    copy.table.rows = [row for row in copy.table.rows if row[KEY] != gone]
    await copy.compare()
    await copy.revert()
    assert gone in copy.table.column(KEY)
    await undo_only(copy)
    assert gone not in copy.table.column(KEY)
    assert await copy.drifts() == [("missing", gone, {})]


async def test_what_was_left_is_open_again(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    await copy.compare()
    await copy.stack.app.copies.leave(copy.workspace_id, [await only_drift(copy)], by="dana")
    await undo_only(copy)
    assert [kind for kind, _, _ in await copy.drifts()] == ["changed"]


async def test_what_is_open_cannot_be_undone(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Phone"] = "+13125550147"
    await copy.compare()
    with pytest.raises(MirrorRefusedError, match="nothing of it that can be undone"):
        await undo_only(copy)
