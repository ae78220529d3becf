"""Runs about one contact, one after the other: what they post shows whether two overlapped."""

from mainstay import Contact, Context, workflow


@workflow("visit.v1", on="contact.submitted")
async def visit(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"{ctx.run_id} begins about {contact.email}")
    await ctx.chat.post("#leads", f"{ctx.run_id} ends about {contact.email}")
