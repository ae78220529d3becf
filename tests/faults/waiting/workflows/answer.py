"""A wait without an end: an event that is missed would be missed for ever."""

from mainstay import Contact, Context, workflow


@workflow("answer.v1", on="contact.created")
async def answer(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.email}")
    event = await ctx.wait_for("message.received", contact=contact)
    await ctx.chat.post("#leads", f"heard {event['text'] if event else 'nothing'}")
