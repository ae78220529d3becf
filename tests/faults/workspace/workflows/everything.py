"""Of everything that a run can do, a little: calls of each kind, waits, turns, children, ticks, a failure for good."""

from mainstay import Contact, Context, Schedule, Tick, workflow


@workflow("journey.v1", on="contact.created", critical=True)
async def journey(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#acme-leads", f"New lead: {contact.email}")
    await ctx.crm.add_tag(contact, "speed-to-lead")
    await ctx.email.send(contact, "Your request", "Hi {first_name}, when suits you for a call?")
    reply = await ctx.wait_for("message.received", contact=contact, timeout="0.5s")
    if reply is None:
        await ctx.crm.add_note(contact, f"No answer from {contact.email}")


@workflow("visit.v1", on="contact.submitted")
async def visit(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#acme-visits", f"{ctx.run_id} begins about {contact.email}")
    await ctx.sleep("0.2s")
    await ctx.chat.post("#acme-visits", f"{ctx.run_id} ends about {contact.email}")


@workflow("doomed.v1", on="contact.created", overlap="allow")
async def doomed(ctx: Context, contact: Contact) -> None:
    if contact.company == "Trouble":
        await ctx.email.send(contact, "Hello", "Hi")
        message = "this company is trouble"
        raise ValueError(message)


@workflow("child.v1")
async def child(ctx: Context, number: int) -> int:
    async def twice() -> int:
        return number * 2

    return int(await ctx.step("twice", twice))


@workflow("parent.v1", on="contact.created", overlap="allow")
async def parent(ctx: Context, contact: Contact) -> int:
    return sum(await ctx.run_all(child, list(range(6)), at_most=2)) if contact.company == "Many" else 0


@workflow("tick.v1", schedule=Schedule("*/2 * * * * *", catch_up="all"), overlap="allow")
async def tick(_ctx: Context, tick: Tick) -> str:
    return tick.at.isoformat()
