"""A lead becomes a row of a spreadsheet; its repeat, and a lost answer, change nothing; a formula stays a text."""

from __future__ import annotations

from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack

BOOK = "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
STACK = f"""
    [connections.sheet]
    connector = "google_sheets"
    spreadsheet_id = "{BOOK}"
    access_token = "${{TOKEN}}"
    create = "tables"
    [sources.website]
    kind = "form"
"""
CODE = """
    @workflow("log.v1", on="contact.created")
    async def log(ctx: Context, contact: Contact) -> None:
        row = {"email": contact.email, "name": contact.first_name, "phone": contact.phone}
        await ctx.table.upsert("Leads", "email", [row])
"""


async def test_a_lead_is_one_row_whatever_happens_on_the_way(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, CODE)
    await stack.submit("website", email="omar@example.com", first_name="Omar")
    sandbox.set_fault("google_sheets", "drop_after", path="*:batchUpdate", contains="appendCells", count=1)
    sandbox.set_fault("google_sheets", "status", status=429, count=1, skip=4)

    await stack.submit("website", email="sarah@example.com", first_name="=1+1", phone="(312) 555-0147")
    await stack.advance("10m")

    assert sandbox.state("google_sheets")["spreadsheets"][BOOK]["Leads"] == [
        ["email", "name", "phone"],
        ["omar@example.com", "Omar", ""],
        ["sarah@example.com", "=1+1", "+13125550147"],
    ]
    assert [state for _id, _workflow, state in await stack.runs("log.v1")] == ["done", "done"]
