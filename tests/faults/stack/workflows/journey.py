"""Every kind of step there is: no key (chat, e-mail, note), state-based (tag), a wait that ends by itself."""

from mainstay import Contact, Context, workflow


@workflow("journey.v1", on="contact.created", critical=True)
async def journey(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.email}")
    await ctx.crm.add_tag(contact, "speed-to-lead")
    await ctx.email.send(contact, "Your request", "Hi {first_name}, when suits you for a call?")
    reply = await ctx.wait_for("message.received", contact=contact, timeout="0.3s")
    if reply is None:
        await ctx.crm.add_note(contact, f"No answer from {contact.email}")
