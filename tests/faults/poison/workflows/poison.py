"""A post and a mail; one contact's run ends the process that drives it, until it is told that this is mended."""

import os
import signal
from pathlib import Path

from mainstay import Contact, Context, workflow

MENDED = Path(__file__).parents[1] / "mended"


@workflow("welcome.v1", on="contact.created", critical=True)
async def welcome(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", contact.email)
    if contact.email.startswith("poison") and not MENDED.exists():
        os.kill(os.getpid(), signal.SIGKILL)
    await ctx.email.send(contact, "Hello", "Hi")
