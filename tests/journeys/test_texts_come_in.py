"""A person texts: the message is an event of the contact with that number, STOP is an opt-out, START lifts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.db import acquire
from mainstay.kit.signature import hmac_base64
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

STACK = """
    [connections.sms]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TOKEN}"
    from = "22395"
    [sources.website]
    kind = "form"
    [sources.texts]
    kind = "twilio"
    auth_token = "${TWILIO_AUTH_TOKEN}"
"""
TOKEN = "sample-twilio_auth_token"  # as the test environment gives it
CODE = """
    @workflow("ask.v1", on="contact.created")
    async def ask(ctx: Context, contact: Contact) -> None:
        await ctx.sms.send(contact, "Hi {first_name}, when suits you?")
        reply = await ctx.wait_for("message.received", contact=contact, timeout="1h")
        await ctx.sms.send(contact, f"Noted: {reply['text']}" if reply else "Another time then.")
"""
Text = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def stack(make_stack: MakeStack) -> StackUnderTest:
    return await make_stack(STACK, CODE)


@pytest.fixture
async def text(stack: StackUnderTest) -> AsyncIterator[Text]:
    """Sends a message as Twilio hands it on; returns the answer's status, content type and body."""
    async with taking_in(stack) as (session, base):
        url = f"{base}/in/acme/texts"

        async def texting(body: str, sid: str = "SM1", token: str = TOKEN) -> tuple[int, str, str]:
            fields = {"MessageSid": sid, "From": "+13125550147", "To": "+13125550100", "Body": body, "NumMedia": "0"}
            signed = url + "".join(name + value for name, value in sorted(fields.items()))
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": hmac_base64(token, signed.encode(), "sha1"),
            }
            async with session.post(url, data=urlencode(fields), headers=headers) as answer:
                told = answer.status, answer.content_type, await answer.text()
            await stack.settle()
            return told

        yield texting


async def contacts(stack: StackUnderTest) -> list[Any]:
    async with acquire(stack.app.pool) as connection:
        return list(await connection.fetch("SELECT phone, do_not_contact FROM contacts"))


async def test_a_reply_wakes_who_waits_for_it(stack: StackUnderTest, text: Text, sandbox: Sandbox) -> None:
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    assert await text("Tomorrow at 9 👍") == (200, "text/xml", "<Response/>")
    assert await text("Tomorrow at 9 👍") == (200, "text/xml", "<Response/>")

    assert [message["body"] for message in sandbox.messages("twilio")] == [
        "Hi Zoë, when suits you?",
        "Noted: Tomorrow at 9 👍",
    ]
    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert len(await contacts(stack)) == 1


async def test_stop_is_an_opt_out_until_start(stack: StackUnderTest, text: Text) -> None:
    await stack.submit("website", phone="(312) 555-0147", first_name="Zoë")
    wishes = []
    for number, body in enumerate(("Hello", "STOP", "yes", "START")):
        await text(body, f"SM{number}")
        ((_, is_out),) = await contacts(stack)
        wishes.append(is_out)
    assert wishes == [False, True, True, False]


async def test_whoever_texts_first_is_a_new_contact(stack: StackUnderTest, text: Text) -> None:
    await text("Do you mend boilers?")
    ((phone, is_out),) = await contacts(stack)
    assert (phone, is_out) == ("+13125550147", False)


async def test_a_forged_message_changes_nothing(stack: StackUnderTest, text: Text) -> None:
    status, _, body = await text("STOP", token="wrong")
    assert status == 401
    assert "X-Twilio-Signature does not fit" in body
    assert await contacts(stack) == []
