"""Answer a new lead, then once more if it stays silent."""

from mainstay import Contact, Context, workflow


@workflow("speed_to_lead.v1", on="contact.created", critical=True)
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.name}, {contact.source}")
    await ctx.crm.add_tag(contact, "speed-to-lead")
    await ctx.email.send(contact, "Your request", "Hi {first_name}, when suits you for a call?")
    reply = await ctx.wait_for("message.received", contact=contact, timeout="10m")
    if reply is None:
        await ctx.crm.add_note(contact, "No answer within ten minutes")
