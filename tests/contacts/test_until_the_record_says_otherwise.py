"""A value set by hand stands until the system of record says something later: told by webhooks, with slow pushes."""

from __future__ import annotations

from typing import Any

import orjson

from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack
from tests.mirrors.crm import BEFORE, Twofold

SOURCE = '\n    [sources.crm]\n    kind = "json"\n    connection = "ghl"\n'


async def test_what_is_set_by_hand_stands_until_its_system_says_something_later(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    both = await Twofold.make(make_stack, sandbox, BEFORE + SOURCE)
    stack, workspace_id = both.stack, both.workspace_id

    async def stands() -> Any:
        return await both.value("SELECT last_name FROM contacts")

    async def form(last_name: str) -> None:
        await stack.submit("website", email="ann@example.com", first_name="Ann", last_name=last_name)

    async def by_hand(last_name: str) -> None:
        contact_id = await both.value("SELECT id FROM contacts")
        await stack.app.contacts.edit(workspace_id, contact_id, {"last_name": last_name}, by="dana")

    async def there(last_name: str) -> None:
        await stack.deliver("crm", orjson.dumps({"email": "ann@example.com", "last_name": last_name}))

    await form("Birch")
    await by_hand("Birch-Oak")
    await stack.settle()
    await form("Birch")
    assert await stands() == "Birch-Oak"

    # Somebody corrects it in the CRM: that stands, and no form changes it.
    await there("Birchwood")
    await form("Birch")
    assert await stands() == "Birchwood"
    assert await both.value("SELECT origins -> 'last_name' ->> 1 FROM contacts") == "crm"

    # While our change cannot reach it the CRM goes on saying what it knows: that is nothing new.
    fault = sandbox.set_fault("gohighlevel", "status", status=503)
    await by_hand("Oak")
    await there("Birchwood")
    assert await stands() == "Oak"
    await there("Elm")
    assert await stands() == "Elm"
    await by_hand("Oak")
    sandbox.clear("gohighlevel", fault)
    await stack.advance("2h")
    assert both.ghl()["ann@example.com"]["lastName"] == "Oak"

    # It has it by now: who sets it back there means it.
    await there("Birchwood")
    assert await stands() == "Birchwood"
    # What was set by hand is a word among others still: a person may always say another, and take it back.
    await by_hand("Oak")
    change_id = await both.value("SELECT id FROM changes WHERE kind = 'manual' ORDER BY id DESC LIMIT 1")
    await stack.app.contacts.take_back(workspace_id, change_id, by="dana")
    assert await stands() == "Birchwood"
