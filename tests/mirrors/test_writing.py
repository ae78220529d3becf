from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import PermanentError, TransientError
from mainstay.mirrors import Mirror, store
from tests.conftest import MakeStack
from tests.faults.fleet import until
from tests.mirrors.copies import Copy


@pytest.fixture
async def copy(make_stack: MakeStack) -> Copy:
    return await Copy.make(make_stack)


async def test_what_is_there_is_loaded_then_what_changes(copy: Copy) -> None:
    await copy.submit("ann", "bob")
    await copy.write()
    assert copy.table.column("First name") == ["Ann", "Bob"]
    await copy.stack.submit("website", email="ann@example.com", name="Ann Li", company="Acme")
    await copy.submit("cat")
    await copy.write()
    assert copy.table.column("Company") == ["Acme", "", ""]
    assert copy.table.column("First name") == ["Ann", "Bob", "Cat"]
    assert await copy.count("stale_in_mirror") == 0


async def test_what_stays_the_same_is_not_written(copy: Copy) -> None:
    await copy.submit("ann")
    await copy.write()
    writes = copy.table.writes
    await copy.stack.submit("website", email="ann@example.com", name="Ann Li", message="a further field")
    await copy.write()
    assert copy.table.writes == writes
    assert await copy.count("stale_in_mirror") == 0


async def test_the_first_load_goes_page_by_page(copy: Copy) -> None:
    names = [f"lead{number}" for number in range(7)]
    await copy.submit(*names)
    async with acquire(copy.stack.app.pool) as connection:
        await connection.execute("DELETE FROM stale_in_mirror")  # as if they were older than the mirror
    copy.table.batch = 3
    await copy.write()
    assert copy.table.column("E-mail") == [f"{name}@example.com" for name in names]
    assert copy.table.writes == 3


async def test_a_merged_and_a_deleted_contact_go(copy: Copy) -> None:
    await copy.submit("ann", "bob", "cat")
    await copy.write()
    contacts = copy.stack.app.contacts
    await contacts.merge(copy.workspace_id, _id(copy, "ann"), _id(copy, "bob"), by="test")
    await contacts.delete(copy.workspace_id, _id(copy, "cat"))
    await copy.write()
    assert len(copy.table.rows) == 1


async def test_a_change_during_a_write_is_written_after_it(copy: Copy) -> None:
    await copy.submit("ann")

    async def change() -> None:
        await copy.stack.submit("website", email="ann@example.com", name="Ann Li", company="Acme")

    copy.table.between = change
    await copy.write()
    await copy.write()
    assert copy.table.column("Company") == ["Acme"]


@pytest.mark.parametrize("error", [TransientError("no answer", unsure=True), PermanentError("no such sheet")])
async def test_a_write_of_which_no_answer_came_is_done_once_more_and_leaves_the_same(
    copy: Copy, error: Exception
) -> None:
    await copy.submit("ann", "bob")
    copy.table.fails = error
    await copy.write()
    if isinstance(error, PermanentError):
        await copy.stack.retry("mirror.v1")
    else:
        await copy.stack.advance("10m")
    assert copy.table.column("E-mail") == ["ann@example.com", "bob@example.com"]
    assert [state for _, _, state in await copy.stack.runs("mirror.v1")] == ["done"]
    assert await copy.count("stale_in_mirror") == 0


async def test_a_first_load_waits_for_whoever_could_not_see_the_mirror(copy: Copy) -> None:
    """A write that begins while the mirror is being declared notes nothing, so it has to be over."""
    await copy.submit("ann")
    pool, workspace_id, mirror = copy.stack.app.pool, copy.workspace_id, Mirror("late", "slack")
    async with acquire(pool) as declaring, acquire(pool) as writing, acquire(pool) as asking:
        declaration = declaring.transaction()
        await declaration.start()
        await store.declare(declaring, workspace_id, [mirror])
        write = writing.transaction()
        await write.start()
        await writing.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        await writing.execute("UPDATE contacts SET company = 'Acme'")
        await declaration.commit()
        await store.begin(declaring, workspace_id)
        assert await store.due(asking, workspace_id, [mirror]) == []
        await write.commit()
        assert await copy.count("stale_in_mirror WHERE mirror = 'late'") == 0

        async def is_due() -> bool:
            # Other tests on this server have transactions, too.
            return await store.due(asking, workspace_id, [mirror]) == ["late"]

        await until(is_due, "the first load may begin")


async def test_another_layout_is_written_anew(copy: Copy, make_stack: MakeStack) -> None:
    await copy.submit("ann")
    await copy.write()
    copy.mirror = type(copy.mirror)("sheet", "slack", columns={"Mail": "email", "Roof": "custom.roof"})
    await copy.stack.submit("website", email="ann@example.com", roof="tile")
    app: Any = copy.stack.app
    await app.copies.declare(copy.workspace_id)
    await copy.write()
    assert copy.table.rows[0]["Mail"] == "ann@example.com"
    assert copy.table.rows[0]["Roof"] == "tile"


@pytest.mark.parametrize(
    "keys", [{"table": "People"}, {"connection": "mail"}, {"columns": {"Given name": "first_name", "Mail": "email"}}]
)
async def test_a_copy_that_is_elsewhere_or_named_otherwise_is_filled_anew(
    make_stack: MakeStack, keys: dict[str, Any]
) -> None:
    copy = await Copy.make(make_stack, columns={"First name": "first_name", "E-mail": "email"})
    await copy.submit("ann", "bob")
    await copy.write()
    copy.table.rows.clear()
    old = copy.mirror
    copy.mirror = Mirror(**{"name": "sheet", "connection": old.connection, "columns": old.columns} | keys)
    await copy.stack.app.copies.declare(copy.workspace_id)
    await copy.fill()
    assert copy.table.column(next(iter(copy.mirror.columns))) == ["Ann", "Bob"]


async def test_who_went_while_the_stack_had_no_mirror_goes_when_it_has_it_again(copy: Copy) -> None:
    await copy.submit("ann", "bob", "cat", "dan")
    await copy.write()
    gone = [_id(copy, name) for name in ("bob", "dan")]
    mirrors, app = copy.mirror, copy.stack.app
    copy.declared = {}
    await app.copies.declare(copy.workspace_id)
    for contact_id in gone:
        await app.contacts.delete(copy.workspace_id, contact_id)
    copy.declared = {"sheet": mirrors}
    await app.copies.declare(copy.workspace_id)
    copy.table.batch = 1
    await copy.fill()
    assert copy.table.column("First name") == ["Ann", "Cat"]


def _id(copy: Copy, name: str) -> Any:
    return UUID(copy.key_of(name))
