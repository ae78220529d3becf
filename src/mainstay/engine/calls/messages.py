"""``ctx.chat``, ``ctx.email``, ``ctx.sms``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from mainstay.engine.calls.role_call import RoleCall, sent
from mainstay.errors import PermanentError
from mainstay.kit.roles import EmailMessage, Sent
from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class ChatCalls:
    """``ctx.chat``."""

    _call: RoleCall

    async def post(self, channel: str, text: str) -> Sent:
        """Post to a channel, for example ``"#leads"``."""
        return sent(await self._call("chat", "post", channel, text))


@dataclass(frozen=True, slots=True)
class EmailCalls:
    """``ctx.email``."""

    _call: RoleCall

    async def send(self, to: Contact | str, subject: str, text: str, *, html: str = "") -> Sent:
        """Send one e-mail to a contact or an address. ``{first_name}`` and the like are filled in for a contact."""
        contact = None
        if isinstance(to, Contact):
            contact = to
            if not to.email:
                message = f"{to.name} has no e-mail address"
                raise PermanentError(message)
            subject, text = fill(subject, to), fill(text, to)
            html = fill(html, to, escape=escape)
            to = to.email
        mail = EmailMessage(to=to, subject=subject, text=text, html=html)
        return sent(await self._call("email", "send", mail, contact=contact))


@dataclass(frozen=True, slots=True)
class SMSCalls:
    """``ctx.sms``."""

    _call: RoleCall

    async def send(self, to: Contact | str, text: str) -> Sent:
        """Text a contact or a number (``+13125550147``). ``{first_name}`` and the like are filled in for a contact."""
        contact = None
        if isinstance(to, Contact):
            contact = to
            if not to.phone:
                message = f"{to.name} has no phone number"
                raise PermanentError(message)
            text = fill(text, to)
            to = to.phone
        return sent(await self._call("sms", "send", to, text, contact=contact))


_PLACEHOLDER = re.compile(r"\{(first_name|last_name|name|email|phone|company)\}")


def fill(text: str, contact: Contact, *, escape: Callable[[str], str] = str) -> str:
    """Fill ``{first_name}`` and the like; an unknown first name becomes "there", other unknowns become empty.

    Each value goes through ``escape`` first: what a stranger typed into a form must not become mark-up.
    """
    return _PLACEHOLDER.sub(
        lambda match: escape(str(getattr(contact, match[1]))) or ("there" if match[1] == "first_name" else ""), text
    )
