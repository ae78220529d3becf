"""Other owners of fields: what was decided by the former ones is decided again, in the background."""

from __future__ import annotations

from typing import Any

from mainstay.db import acquire
from mainstay.identity import check_book
from mainstay.model import Submission
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    hub = { connector = "hubspot", token = "${TOKEN}" }
    books = { connector = "stripe", api_key = "${TOKEN}" }
    [records.contact]
    system_of_record = "mainstay"
    reconcile = "off"
    %s
    [sources.website]
    kind = "form"
"""
BOOKS = 'owners = { company = "books", "custom.vat" = "books" }'
HUB = 'owners = { company = "hub" }'


async def say(stack: StackUnderTest, *, connection: str = "", email: str = "ann@example.com", **said: Any) -> Any:
    (workspace_id,) = stack.app.workspaces
    submission = Submission(email=email, connection=connection, external_id="1" if connection else "", **said)
    return await stack.app.contacts.write(workspace_id, submission, kind="crm" if connection else "form")


async def company(stack: StackUnderTest, email: str = "ann@example.com") -> str:
    async with acquire(stack.app.pool) as connection:
        found: str = await connection.fetchval("SELECT company FROM contacts WHERE email = $1", email)
    return found


async def count(stack: StackUnderTest, what: str) -> int:
    async with acquire(stack.app.pool) as connection:
        found: int = await connection.fetchval(f"SELECT count(*) FROM {what}")  # noqa: S608 a test's own words
    return found


async def is_whole(stack: StackUnderTest) -> bool:
    (workspace_id,) = stack.app.workspaces
    async with acquire(stack.app.pool) as connection:
        return not [
            found async for each in check_book(connection, workspace_id, sample=None) for found in each.findings
        ]


async def work(stack: StackUnderTest) -> None:
    await stack.app.watch_once()
    await stack.settle()


async def test_contacts_follow_the_owners_of_now(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK % "")
    await say(stack, connection="books", company="By the books")
    await say(stack, connection="hub", company="By the hub")
    await say(stack, company="By a form")
    await say(stack, email="bob@example.com", first_name="Bob")
    assert await company(stack) == "By a form"

    for owners, stands in ((BOOKS, "By the books"), (HUB, "By the hub"), ("", "By a form"), (BOOKS, "By the books")):
        stack = await make_stack(STACK % owners)
        await work(stack)
        assert await company(stack) == stands
        assert await is_whole(stack)
        assert await count(stack, "workspaces WHERE owners = told_by AND told_to IS NULL") == 1
    assert await count(stack, "changes WHERE rule = 'owners'") == 4
    assert await count(stack, "changes WHERE rule = 'owners' AND note = 'another owner of company, vat'") == 3
    # Nothing was said of bob in such a field.
    assert await count(stack, "contacts WHERE version = 1") == 1


async def test_where_nothing_changes_nothing_is_told(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK % BOOKS)
    await work(stack)
    assert await count(stack, "runs WHERE workflow = 'tell-anew.v1'") == 0
    await say(stack, connection="books", company="Acme")
    await say(stack, company="Other")
    assert await company(stack) == "Acme"
    stack = await make_stack(STACK % BOOKS)
    await work(stack)
    assert await count(stack, "runs WHERE workflow = 'tell-anew.v1'") == 0


async def test_the_same_value_of_another_owner_is_no_news(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK % "")
    await say(stack, connection="books", company="Acme")
    stack = await make_stack(STACK % BOOKS)
    await work(stack)
    assert await count(stack, "contacts WHERE version = 1") == 1
    # It weighs what its owner's word weighs.
    await say(stack, company="Other")
    assert await company(stack) == "Acme"


async def test_owners_that_were_replaced_tell_nothing(make_stack: MakeStack) -> None:
    old = await make_stack(STACK % "")
    await say(old, connection="books", company="By the books")
    await say(old, company="By a form")
    new = await make_stack(STACK % BOOKS)
    # A process with the stack of before is still up, as while a new one is rolled out.
    await old.app.watch_once()
    assert await count(new, "runs WHERE workflow = 'tell-anew.v1'") == 0
    await work(new)
    assert await company(new) == "By the books"


async def test_a_book_of_several_portions(make_stack: MakeStack, monkeypatch: Any) -> None:
    monkeypatch.setattr("mainstay.retelling._AT_ONCE", 2)
    monkeypatch.setattr("mainstay.retelling._PORTIONS", 1)
    monkeypatch.setattr("mainstay.retelling.MOST_STEPS", 2)
    stack = await make_stack(STACK % "")
    for number in range(9):
        email = f"a{number}@example.com"
        await say(stack, email=email, company="Acme", first_name="Ann")
    for number in range(9):
        (workspace_id,) = stack.app.workspaces
        told = Submission(email=f"a{number}@example.com", connection="books", external_id=f"b{number}", company="Books")
        await stack.app.contacts.write(workspace_id, told, kind="import")
        await say(stack, email=f"a{number}@example.com", company="Later")
    stack = await make_stack(STACK % BOOKS)
    for _ in range(4):
        await work(stack)
    assert await count(stack, "contacts WHERE company = 'Books'") == 9
    assert await count(stack, "runs WHERE workflow = 'tell-anew.v1' AND state = 'done'") == 3
    assert await is_whole(stack)
