from __future__ import annotations

import pytest

from mainstay.errors import TransientError
from mainstay.mirrors import KEY
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
    assert await copy.revert() == 2
    assert sorted(copy.table.rows, key=str) == sorted(before, key=str)
    await copy.compare()
    assert await copy.drifts() == []


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
