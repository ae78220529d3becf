"""Approvals over HTTP and on the page: asked, answered once, told who was first."""

from __future__ import annotations

from typing import Any

from mainstay.model import new_id
from tests.conftest import MakeStack
from tests.web.api.conftest import Client

QUOTE = """
    @workflow("quote.v1", on="contact.created")
    async def quote(ctx, contact):
        answer = await ctx.approval("Send the quote of $4,000?", timeout="2d")
        return [answer.approved, answer.by, answer.note]
"""


async def test_a_program_answers_for_a_person(api: Client, make_stack: MakeStack) -> None:
    stack: Any = await make_stack(STACK, QUOTE)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")

    (asked,) = (await api.ask("GET", "/api/v1/approvals")).json["approvals"]
    assert (asked["question"], asked["state"], asked["workflow"]) == ("Send the quote of $4,000?", "open", "quote.v1")
    address = f"/api/v1/approvals/{asked['id']}"
    taken = await api.ask("POST", f"{address}/approve", json={"note": "go ahead", "by": "Dana"})
    assert (taken.status, taken.json["state"], taken.json["decided_by"]) == (200, "approved", "Dana")
    await stack.settle()

    late = await api.ask("POST", f"{address}/decline")
    assert (late.status, late.problem) == (409, "conflict")
    assert late.json["detail"] == "Dana has approved it already"
    assert (await api.ask("GET", "/api/v1/approvals")).json["approvals"] == []
    (decided,) = (await api.ask("GET", "/api/v1/approvals?state=decided")).json["approvals"]
    assert decided["note"] == "go ahead"


async def test_what_was_never_asked_is_not_found(api: Client) -> None:
    assert (await api.ask("POST", f"/api/v1/approvals/{new_id()}/approve")).status == 404
    assert (await api.ask("POST", f"/api/v1/approvals/{new_id()}/approve", json={"nte": "x"})).status == 422
