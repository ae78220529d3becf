"""A form's lead is in HubSpot and in a sheet; a human edits the sheet, which is found, told, reverted or taken over."""

from __future__ import annotations

from typing import Any

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.faults.fleet import until
from tests.journeys.visiting import read, visiting

BOOK = "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
STACK = f"""
    [connections]
    crm   = {{ connector = "hubspot", token = "${{TOKEN}}" }}
    slack = {{ connector = "slack", token = "${{TOKEN}}" }}
    [connections.sheet]
    connector = "google_sheets"
    spreadsheet_id = "{BOOK}"
    access_token = "${{TOKEN}}"
    create = "tables"
    [records.contact]
    system_of_record = "crm"
    mirrors = ["sheet"]
    [mirrors.sheet]
    table = "Leads"
    columns = {{ "E-mail" = "email", "Name" = "first_name", "Phone" = "phone" }}
    [sources.website]
    kind = "form"
    [alerts]
    other = ["slack:#alerts"]
    digest = "0s"
"""


def cells(sandbox: Sandbox) -> list[list[str]]:
    found: list[list[str]] = sandbox.state("google_sheets")["spreadsheets"].get(BOOK, {}).get("Leads", [])
    return [row[1:] for row in found]


async def write(stack: StackUnderTest, sandbox: Sandbox, rows: list[list[str]]) -> None:
    """Let the beat write what is due until the sheet has these rows."""

    async def is_written() -> bool:
        async with acquire(stack.app.pool) as connection:
            await connection.execute("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
        await stack.app.watch_once()
        await stack.settle()
        return cells(sandbox)[1:] == rows

    await until(is_written, f"the sheet has {rows}")


async def drifted(stack: StackUnderTest) -> list[Any]:
    await stack.app.copies.compare(next(iter(stack.app.workspaces)), "sheet")
    await stack.settle()
    async with acquire(stack.app.pool) as connection:
        return await connection.fetch("SELECT * FROM drifts WHERE state = 'open'")


def edit(sandbox: Sandbox, number: int, column: int, text: str) -> None:
    """Let a person type into the sheet."""
    rows = sandbox.state("google_sheets")["spreadsheets"][BOOK]["Leads"]
    rows[number][column] = text
    sandbox.seed("google_sheets", "sheets", [{"spreadsheet": BOOK, "title": "Leads", "rows": rows}])


async def test_a_sheet_that_somebody_edits(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK)
    workspace_id = next(iter(stack.app.workspaces))
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", phone="(312) 555-0147")
    await stack.submit("website", email="omar@example.com", first_name="=Omar")
    sarah, omar = ["sarah@example.com", "Sarah", "+13125550147"], ["omar@example.com", "=Omar", ""]
    await write(stack, sandbox, [sarah, omar])
    assert cells(sandbox)[0] == ["E-mail", "Name", "Phone"]
    assert await drifted(stack) == []

    edit(sandbox, 1, 3, "555-0199")
    (drift,) = await drifted(stack)
    assert drift["fields"] == {"Phone": {"ours": "+13125550147", "theirs": "555-0199"}}
    assert any("sheet is no longer what Mainstay wrote" in str(each) for each in sandbox.messages("slack"))
    await stack.app.copies.revert(workspace_id, "sheet", by="dana")
    await write(stack, sandbox, [sarah, omar])

    edit(sandbox, 2, 2, "Omar")
    (drift,) = await drifted(stack)
    await stack.app.copies.take_over(workspace_id, drift["id"], by="dana")
    await stack.settle()
    await write(stack, sandbox, [sarah, ["omar@example.com", "Omar", ""]])
    assert {each["properties"]["firstname"] for each in sandbox.state("hubspot")["contacts"]} == {"Sarah", "Omar"}
    assert await drifted(stack) == []


async def test_an_operator_decides_on_the_page(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK)
    async with visiting(stack) as browser:

        async def press(path: str) -> None:
            assert (await browser.post(f"/w/acme/mirrors/{path}")).status == 303
            await stack.settle()

        async def page(name: str = "mirrors") -> str:
            await stack.app.watch_once()
            return await read(browser, f"/w/acme/{name}".rstrip("/"))

        lead = {"email": "sarah@example.com", "first_name": "Sarah", "phone": "(312) 555-0147"}
        answer = await browser.ask("POST", "/in/acme/website", data=lead)
        assert answer.status == 202
        await stack.settle()
        ours, theirs = ["sarah@example.com", "Sarah", "+13125550147"], ["sarah@example.com", "Sarah", "(312) 555-0199"]
        await write(stack, sandbox, [ours])
        await press("sheet/compare")
        assert "Not what Mainstay wrote" not in await page()

        # Somebody types into the sheet: it is found, told once, and shown with both sides.
        edit(sandbox, 1, 3, theirs[2])
        for _ in range(2):
            await press("sheet/compare")
        (found,) = await drifted(stack)
        assert "Mainstay wrote There it says Phone +13125550147 (312) 555-0199 Revert Take over Leave" in await page()
        assert [each.title for each in stack.alerts] == ["sheet is no longer what Mainstay wrote"]
        assert sum("sheet is no longer" in message["text"] for message in sandbox.messages("slack")) == 1
        assert "sheet is no longer what Mainstay wrote" in await page("")

        await press(f"drift/{found['id']}/revert")
        await write(stack, sandbox, [ours])
        assert "sheet is no longer what Mainstay wrote" not in await page(""), "it is over once it is decided"
        assert "Not what Mainstay wrote" not in await page()

        # They were right after all: undone, it is in the sheet again; taken over, it is in the CRM as well.
        await press(f"drift/{found['id']}/undo")
        assert cells(sandbox)[1:] == [theirs]
        assert "There it says Phone +13125550147 (312) 555-0199" in await page()
        await press(f"drift/{found['id']}/take-over")
        await write(stack, sandbox, [[*ours[:2], "+13125550199"]])
        (record,) = sandbox.state("hubspot")["contacts"]
        assert record["properties"]["phone"] == "+13125550199"
        await press("sheet/compare")
        assert "Not what Mainstay wrote" not in await page()
        contact_id = found["record_id"]
        assert "(312) 555-0199" in await page(f"contacts/{contact_id}")
    assert {state for _, _, state in await stack.runs()} == {"done"}


async def test_a_sheet_that_is_away_gets_all_of_it_later(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK)
    fault = sandbox.set_fault("google_sheets", "status", status=503)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")
    await until(lambda: beat(stack), "a run writes the mirror")
    sandbox.clear("google_sheets", fault)
    await stack.submit("website", email="omar@example.com", first_name="Omar")
    await stack.advance("2h")
    await write(stack, sandbox, [["sarah@example.com", "Sarah", ""], ["omar@example.com", "Omar", ""]])


async def beat(stack: StackUnderTest) -> bool:
    await stack.app.watch_once()
    await stack.settle()
    return bool(await stack.runs("mirror.v1"))
