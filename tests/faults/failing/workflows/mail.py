"""A tag and a note in our own store, then a mail that the vendor refuses for good."""

from mainstay import Contact, Context, workflow


@workflow("mail.v1", on="contact.created", critical=True)
async def mail(ctx: Context, contact: Contact) -> None:
    await ctx.crm.add_tag(contact, "new")
    await ctx.crm.add_note(contact, "came in")
    await ctx.email.send(contact, "Your request", "Hi {first_name}, when suits you for a call?")
