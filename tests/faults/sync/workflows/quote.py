"""A sender that waits for a price, and a chat that hears of it in its own time."""

from mainstay import Contact, Context, workflow


async def price() -> int:
    return 4000


@workflow("quote.v1", on="contact.submitted", mode="sync", answer_within="20s")
async def quote(ctx: Context, contact: Contact) -> dict[str, object]:
    quoted = await ctx.step("price", price)
    await ctx.crm.add_tag(contact, "quoted")
    await ctx.crm.add_note(contact, f"Quoted {quoted}")
    return {"price": quoted, "for": contact.email}


@workflow("tell.v1", on="contact.submitted")
async def tell(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.email}")
