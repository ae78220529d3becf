from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from mainstay.app import App, Bundle
from mainstay.db import acquire
from mainstay.errors import PermanentError, WorkflowError
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
    [alerts]
    critical = ["slack:#alerts"]
"""
FAILING = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        raise PermanentError("no")
"""


def workspace(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def test_a_workspace_is_the_same_at_every_start(make_stack: MakeStack) -> None:
    one, two = await make_stack(STACK), await make_stack(STACK.replace("website", "other"))
    assert workspace(one) == workspace(two)
    assert two.app.workspaces[workspace(two)].sources.keys() == {"other"}


async def test_one_app_serves_several_workspaces(make_stack: MakeStack, dsn: str) -> None:
    stack = (await make_stack(STACK)).app
    (ours,) = stack.workspaces.values()
    bell = replace(ours.stack, slug="bell", name="Bell Roofing")
    app = await App.open(dsn, [Bundle(ours.stack, ()), Bundle(bell, ())])
    assert app.by_slug.keys() == {"acme", "bell"}
    assert app.by_slug["acme"].id == ours.id != app.by_slug["bell"].id
    await app.close()


async def test_what_is_no_longer_declared_says_how_to_go_on(make_stack: MakeStack) -> None:
    app = (await make_stack(STACK)).app
    (workspace_id,) = app.workspaces
    for call, says in (
        (lambda: app.source(workspace_id, "gone"), 'the source "gone" is no longer in stack.toml; restore it'),
        (lambda: app.open_http(workspace_id, "gone", ""), 'the connection "gone" is no longer in stack.toml'),
        (
            lambda: app.crm(workspace_id, "slack", app.open_http(workspace_id, "", "")),
            'no connection "slack" for the role crm',
        ),
        (lambda: app.role(workspace_id, "email"), 'add  email = "NAME"  to \\[roles\\]'),
        (lambda: app.workspace(UUID(int=1)), "not among the stacks this process was started with"),
    ):
        with pytest.raises(WorkflowError, match=says):
            call()


async def test_addresses_of_records_and_incidents(make_stack: MakeStack) -> None:
    app = (await make_stack(STACK)).app
    (workspace_id,) = app.workspaces
    assert "abc" in app.record_url(workspace_id, "ghl", "abc")
    assert app.record_url(workspace_id, "slack", "abc") == ""
    assert app.record_url(workspace_id, "gone", "abc") == ""
    assert app.page_url(workspace_id, f"incidents/{UUID(int=3)}") == f"/w/acme/incidents/{UUID(int=3)}"


async def test_hours_that_are_not_declared_are_always_open(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    assert stack.app.hours(workspace(stack)) is None  # always open


class TestVerbs:
    async def test_a_failed_run_is_handled_once_and_its_incident_closes(self, make_stack: MakeStack) -> None:
        stack = await make_stack(STACK, FAILING)
        await stack.submit("website", email="sarah@example.com")
        ((run_id, _, _),) = await stack.runs("welcome.v1")
        assert not await stack.app.mark_handled(UUID(int=1), run_id)

        assert await stack.app.mark_handled(workspace(stack), run_id)

        async with acquire(stack.app.pool) as connection:
            assert await connection.fetchval("SELECT state FROM incidents") == "resolved"

    async def test_an_incident_is_closed_by_hand_with_its_runs(self, make_stack: MakeStack) -> None:
        stack = await make_stack(STACK, FAILING)
        await stack.submit("website", email="sarah@example.com")
        async with acquire(stack.app.pool) as connection:
            incident = await connection.fetchval("SELECT id FROM incidents")

        assert await stack.app.alerter.resolve(workspace(stack), incident)
        assert not await stack.app.alerter.resolve(workspace(stack), incident)
        async with acquire(stack.app.pool) as connection:
            assert await connection.fetchval("SELECT handled_at FROM runs WHERE workflow = 'welcome.v1'") is not None

    async def test_an_alert_names_the_cause_the_mend_and_the_page(
        self, make_stack: MakeStack, sandbox: Sandbox
    ) -> None:
        stack = await make_stack(STACK, FAILING)
        await stack.submit("website", email="sarah@example.com")
        assert sandbox.messages("slack") == [], "what is not critical is gathered first"
        await stack.advance("5m")
        (message,) = sandbox.messages("slack")
        title, cause, mend, affected, link = message["text"].splitlines()
        assert affected == "1 lead is affected."
        assert (title, cause) == ("welcome.v1 fails", "no")
        assert "retry the runs" in mend
        assert link.startswith("/w/acme/incidents/")
        labels = [each["text"]["text"] for each in message["blocks"][1]["elements"]]
        assert labels == ["Open incident", "Open run", "Acknowledge"]


async def test_the_own_store_knows_only_its_workspace(make_stack: MakeStack) -> None:
    stack = await make_stack("[sources.website]\nkind = 'form'")
    crm = stack.app.role(workspace(stack), "crm").make(stack.app.open_http(workspace(stack), "", "key"))
    with pytest.raises(PermanentError, match="there is no contact"):
        await crm.add_tag(str(UUID(int=1)), "vip")


async def test_a_look_that_fails_keeps_no_alert_back(make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    app = (await make_stack(STACK, FAILING)).app
    told: list[str] = []

    async def fails() -> None:
        message = "a bad row"
        raise ValueError(message)

    async def tells() -> None:
        told.append("told")

    monkeypatch.setattr(app.silence, "look", fails)
    monkeypatch.setattr(app.alerter, "look", tells)
    with pytest.raises(ExceptionGroup, match="not everything") as caught:
        await app.watch_once()
    assert (told, caught.value.subgroup(ValueError) is not None, app.watched_at) == (["told"], True, None)

    monkeypatch.undo()
    await app.watch_once()
    assert app.watched_at is not None
