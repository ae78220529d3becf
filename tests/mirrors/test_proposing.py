"""A mirror that proposes: what somebody wrote into it waits for a review, is taken over or reverted, and undone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import PermanentError
from mainstay.insight import verdict
from mainstay.mirrors import KEY, TakenOver
from tests.conftest import MakeStack
from tests.mirrors.copies import Copy

NAMES = ["ann", "bob", "cat"]


@pytest.fixture
async def copy(make_stack: MakeStack) -> Copy:
    made = await Copy.make(make_stack, drift="propose")
    await made.submit(*NAMES)
    await made.write()
    return made


async def fetch(copy: Copy, query: str, *values: Any) -> list[Any]:
    async with acquire(copy.stack.app.pool) as connection:
        return list(await connection.fetch(query, *values))


async def company_of(copy: Copy, name: str) -> str:
    (row,) = await fetch(copy, "SELECT company FROM contacts WHERE email = $1", f"{name}@example.com")
    found: str = row["company"]
    return found


async def take_all(copy: Copy, *, is_dry: bool = False) -> list[TakenOver]:
    return await copy.stack.app.copies.take_over_all(copy.workspace_id, "sheet", by="dana", is_dry=is_dry)


async def judged(copy: Copy) -> tuple[str, int, int]:
    async with acquire(copy.stack.app.pool) as connection:
        found = await verdict(connection, copy.workspace_id, copy.stack.clock.now)
    return found.state, len(found.broken), found.reviews.number


async def test_a_proposal_is_a_review_and_no_incident(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    assert await copy.count("drifts WHERE is_proposed") == 1
    assert await copy.count("incidents") == 0
    assert await judged(copy) == ("fine", 0, 1)


async def test_what_cannot_be_proposed_is_raised(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    copy.table.of("bob@example.com")["Tags"] = "vip"
    await copy.compare()
    assert await copy.count("drifts WHERE is_proposed") == 1
    assert await copy.count("incidents WHERE state = 'open'") == 1
    raised = [row["id"] for row in await fetch(copy, "SELECT id FROM drifts WHERE NOT is_proposed")]
    await copy.stack.app.copies.revert(copy.workspace_id, "sheet", raised, by="dana")
    await copy.stack.app.watch_once()
    assert await copy.count("incidents WHERE state = 'open'") == 0


async def test_another_policy_counts_from_the_next_comparison(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    copy.mirror = type(copy.mirror)("sheet", "slack", drift="raise")
    await copy.compare()
    assert await copy.count("drifts WHERE is_proposed") == 0
    assert await copy.count("incidents WHERE state = 'open'") == 1


async def test_a_dry_run_says_what_is_done_and_does_nothing(copy: Copy) -> None:
    copy.table.of("ann@example.com").update({"Company": "Acme", "Phone": "(312) 555-0147", "Tags": "vip"})
    copy.table.of("bob@example.com")["E-mail"] = "no address"
    copy.table.of("cat@example.com")["Source"] = "a friend"
    await copy.compare()
    before = await fetch(copy, "SELECT id, version, origins FROM contacts ORDER BY id")
    foretold = await take_all(copy, is_dry=True)
    assert await fetch(copy, "SELECT id, version, origins FROM contacts ORDER BY id") == before
    assert await copy.count("changes WHERE kind = 'manual'") == await copy.count("to_compare WHERE false") == 0
    assert await copy.count("drifts WHERE state = 'open'") == 3

    done = await take_all(copy)
    assert done == foretold[:1] + done[1:]
    assert [each.refusal for each in foretold] == [each.refusal for each in done]
    # Of cat's only the source differs, on which a mirror has no say: that is no proposal.
    ann, bob, cat = sorted(done, key=lambda each: NAMES.index(_name_of(copy, each)))
    assert ann.fields == {"company": ("", "Acme"), "phone": ("", "+13125550147")}
    assert ann.reverted == ("Tags",)
    assert "is not an e-mail address" in bob.refusal
    assert cat.refusal == "a mirror does not decide on Source"


def _name_of(copy: Copy, each: TakenOver) -> str:
    row = next(row for row in copy.table.rows if row[KEY] == str(each.record_id))
    return row["First name"].lower()


async def test_what_is_taken_over_is_undone(copy: Copy) -> None:
    await copy.stack.submit("website", email="ann@example.com", company="Birch")
    await copy.write()
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    ((taken),) = await take_all(copy)
    await copy.write()
    assert (await company_of(copy, "ann"), copy.table.of("ann@example.com")["Company"]) == ("Acme", "Acme")

    await copy.stack.app.copies.undo(copy.workspace_id, "sheet", [taken.drift_id], by="dana")
    await copy.write()
    assert (await company_of(copy, "ann"), copy.table.of("ann@example.com")["Company"]) == ("Birch", "Birch")
    await copy.compare()
    assert await copy.drifts() == []
    # It was not set by hand: what the website says later stands.
    await copy.stack.submit("website", email="ann@example.com", company="Cedar")
    assert await company_of(copy, "ann") == "Cedar"


async def test_what_was_set_by_hand_since_survives_the_undoing(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    (taken,) = await take_all(copy)
    contact = UUID(copy.key_of("ann"))
    await copy.stack.app.contacts.edit(copy.workspace_id, contact, {"company": "By hand"}, by="eve")
    await copy.stack.app.copies.undo(copy.workspace_id, "sheet", [taken.drift_id], by="dana")
    assert await company_of(copy, "ann") == "By hand"
    with pytest.raises(PermanentError, match="can be undone|taken back already"):
        await copy.stack.app.contacts.take_back(
            copy.workspace_id,
            (await fetch(copy, "SELECT id FROM changes WHERE undone_at IS NOT NULL"))[0]["id"],
            by="dana",
        )


async def test_a_contact_that_moved_on_is_not_written_over(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    await copy.stack.submit("website", email="ann@example.com", company="Newer")
    (told,) = await take_all(copy)
    assert told.refusal == "the contact was changed since it was compared; compare the copy again"
    assert await company_of(copy, "ann") == "Newer"


async def test_a_deleted_contact_takes_nothing_over(copy: Copy) -> None:
    copy.table.of("ann@example.com")["Company"] = "Acme"
    await copy.compare()
    await copy.stack.app.contacts.delete(copy.workspace_id, UUID(copy.key_of("ann")))
    (told,) = await take_all(copy)
    assert told.refusal
    assert await copy.count("contacts WHERE company = 'Acme'") == 0
