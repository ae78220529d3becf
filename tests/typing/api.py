"""A user's file, as mypy --strict sees it: never run, but checked with everything else.

Each ``type: ignore`` stands for a mistake that the types must find: mypy refuses one that is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

from mainstay import (
    ConfigError,
    Contact,
    Context,
    MainstayError,
    NeedsHumanError,
    PermanentError,
    Sent,
    TransientError,
    VendorError,
    WorkflowError,
    workflow,
)
from mainstay.testing import Lead, StackUnderTest


@workflow("speed_to_lead.v1", on="contact.created", critical=True)
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    assert_type(await ctx.chat.post("#leads", contact.name), Sent)
    assert_type(await ctx.email.send(contact, "Subject", "Text", html="<p>Text</p>"), Sent)
    await ctx.email.send("ops@acme.example", "Subject", "Text")
    assert_type(await ctx.sms.send(contact, "Text"), Sent)
    await ctx.sms.send("+13125550147", "Text")
    await ctx.crm.add_tag(contact, "new")
    await ctx.crm.add_note(contact, "called")
    await ctx.sleep("10m")
    await ctx.sleep(30)
    await ctx.sleep(timedelta(hours=1))
    reply = await ctx.wait_for("message.received", contact=contact, timeout="10m")
    assert_type(reply, Mapping[str, Any] | None)
    assert_type(ctx.open_now(), bool)
    assert_type(ctx.run_id, UUID)
    try:
        await ctx.crm.add_tag(contact, "late")
    except (NeedsHumanError, PermanentError, TransientError) as error:
        assert_type(error.status, int | None)
    await ctx.crm.add_tag("sarah@example.com", "new")  # type: ignore[arg-type]
    await ctx.email.send(contact, subject="Subject")  # type: ignore[call-arg]
    contact.email = "other@example.com"  # type: ignore[misc]


@workflow("sync.v1", on="contact.created")  # type: ignore[type-var]
def not_async(ctx: Context, contact: Contact) -> None: ...


@workflow("positional.v1", "contact.created")  # type: ignore[call-arg]
async def event_must_be_named(ctx: Context, contact: Contact) -> None: ...


async def a_users_test(stack: StackUnderTest) -> None:
    lead = await stack.submit("website", email="sarah@example.com")
    assert_type(lead, Lead)
    assert_type(lead.contact, Contact)
    await stack.advance("11m")
    assert_type(await stack.runs("speed_to_lead.v1"), list[tuple[UUID, str, str]])


def errors_have_one_root(error: MainstayError) -> str:
    if isinstance(error, ConfigError):
        return str(error.problems[0])
    return str(error) if isinstance(error, VendorError | WorkflowError) else ""
