from __future__ import annotations

from datetime import timedelta
from html import escape
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay import Contact, WorkflowError
from mainstay.engine.awaiting import duration
from mainstay.engine.calls.messages import fill
from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        ("1h 30m", timedelta(minutes=90)),
        ("1.5d", timedelta(hours=36)),
        ("2h15m", timedelta(minutes=135)),
        (90, timedelta(seconds=90)),
        (timedelta(days=2), timedelta(days=2)),
    ],
)
def test_a_duration_as_people_write_it(written: str | float | timedelta, meant: timedelta) -> None:
    assert duration(written) == meant


@pytest.mark.parametrize("written", ["", "10", "ten minutes", "10 m!", "m10", "-5m", "1w"])
def test_what_is_no_duration_says_how_to_write_one(written: str) -> None:
    with pytest.raises(WorkflowError, match='write for example "30s"'):
        duration(written)


@given(st.text())
def test_no_text_is_read_as_a_duration_by_accident(written: str) -> None:
    try:
        found = duration(written)
    except WorkflowError:
        return
    assert found >= timedelta()


def contact(**fields: str) -> Contact:
    return Contact(UUID(int=1), UUID(int=2), **fields)  # type: ignore[arg-type]


def test_placeholders_are_filled_and_what_is_unknown_does_not_show() -> None:
    text = "Hi {first_name} {last_name}, {company}{unknown}"
    assert fill(text, contact(first_name="Sarah", last_name="Johnson")) == "Hi Sarah Johnson, {unknown}"
    assert fill(text, contact()) == "Hi there , {unknown}"


def test_a_value_is_never_filled_again_nor_read_as_mark_up() -> None:
    tricky = contact(first_name="{email}", email="sarah@example.com", company="<b>A&B</b>")
    assert fill("{first_name}", tricky) == "{email}"
    assert fill("<p>{company}</p>", tricky, escape=escape) == "<p>&lt;b&gt;A&amp;B&lt;/b&gt;</p>"


STACK = """
    [connections]
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
"""


async def test_a_lead_cannot_write_into_the_mark_up_of_a_mail(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.email.send(contact, "Hi {first_name}", "Hi {first_name}", html="<p>Hi {first_name}</p>")
    """,
    )
    await stack.submit("website", email="sarah@example.com", first_name="<b>Sarah")

    (mail,) = sandbox.messages("postmark")
    assert (mail["Subject"], mail["TextBody"]) == ("Hi <b>Sarah", "Hi <b>Sarah")
    assert mail["HtmlBody"] == "<p>Hi &lt;b&gt;Sarah</p>"


TEXTS = """
    [connections.sms]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TOKEN}"
    from = "+13125550100"
    [sources.website]
    kind = "form"
"""
TEXTING = """
    @workflow("text.v1", on="contact.created")
    async def text(ctx: Context, contact: Contact) -> None:
        await ctx.sms.send(contact, "Hi {first_name}, when suits you?")
        await ctx.sms.send("+13125550199", "{first_name}")
"""


async def test_a_contact_is_texted_by_name_and_a_number_as_it_is_written(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(TEXTS, TEXTING)
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")

    assert [(message["to"], message["body"]) for message in sandbox.messages("twilio")] == [
        ("+13125550147", "Hi Zoë, when suits you?"),
        ("+13125550199", "{first_name}"),
    ]


async def test_a_contact_without_a_phone_cannot_be_texted(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(TEXTS, TEXTING)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")

    async with stack.app.pool.acquire() as connection:
        error = await connection.fetchval("SELECT error FROM runs WHERE workflow = 'text.v1'")
    assert error == "Sarah has no phone number"
    assert sandbox.request_count("twilio") == 0


async def test_a_role_that_no_connection_has_names_the_line_to_write(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "hello")
    """,
    )
    await stack.submit("website", email="sarah@example.com")

    async with stack.app.pool.acquire() as connection:
        error = await connection.fetchval("SELECT error FROM runs WHERE workflow = 'welcome.v1'")
    assert error == 'no connection has the role chat: add  chat = "NAME"  to [roles] in stack.toml'


async def test_a_step_of_ones_own_runs_once(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(
        STACK,
        """
    calls = []

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        async def look_up() -> list[int]:
            calls.append(1)
            return calls
        found = await ctx.step("look up", look_up)
        await ctx.sleep("1h")
        again = await ctx.step("look up again", look_up)
        await ctx.email.send("ops@acme.example", f"{found} {again} {ctx.open_now()}", str(ctx.run_id))
    """,
    )
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("2h")

    (mail,) = sandbox.messages("postmark")
    assert mail["Subject"] == "[1] [1, 1] True"
    assert UUID(mail["TextBody"]) in {run_id for run_id, _, _ in await stack.runs("welcome.v1")}
