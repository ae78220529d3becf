"""Roles that carry a message to somebody: chat, e-mail, text messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Protocol

from mainstay.errors import PermanentError
from mainstay.kit.roles.outcomes import Sent

_BARE_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\x00-\x1f\x7f]+@[^\s@,;:<>()\"\x00-\x1f\x7f]+")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
MAX_SMS_CHARS = 1600
"""What the networks join of one text message."""
_LINE_BREAK = re.compile(r"[\r\n\x00\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """One e-mail. ``to`` is a bare address; ``html`` and ``reply_to`` are optional."""

    to: str
    subject: str
    text: str
    html: str = ""
    reply_to: str = ""

    def require_sendable(self) -> None:
        """Refuse what would slip a second recipient or a header of its own into the mail.

        Raises:
            PermanentError: an address that is not one bare address, or a line break in the subject.
        """
        for name, address in (("to", self.to), ("reply_to", self.reply_to)):
            if (address or name == "to") and not _BARE_ADDRESS.fullmatch(address):
                message = f"the e-mail's {name} must be one bare address such as dana@acme.example"
                raise PermanentError(message)
        if _LINE_BREAK.search(self.subject):
            raise PermanentError("the e-mail's subject holds a line break; give it one line")


def sender_domain(sender: str) -> str:
    """Return the domain of a sender, ``dana@acme.example`` or ``Acme <dana@acme.example>``.

    Raises:
        ValueError: it is neither; worded for a connection's settings.
    """
    address = parseaddr(sender)[1]
    if _LINE_BREAK.search(sender) or not _BARE_ADDRESS.fullmatch(address) or not sender.rstrip(" >").endswith(address):
        message = f"{sender!r} is no sender; write hello@acme.example or Acme <hello@acme.example>, commas in quotes"
        raise ValueError(message)
    return address.rpartition("@")[2]


def require_textable(to: str, text: str) -> None:
    """Refuse a text message that no vendor can send.

    Raises:
        PermanentError: ``to`` is no number as ``+13125550147``; the text is blank or over ``MAX_SMS_CHARS``.
    """
    if not _NUMBER.fullmatch(to):
        raise PermanentError("the number to text must be written with its country, such as +13125550147")
    if not text.strip():
        raise PermanentError("the text message is empty")
    if len(text) > MAX_SMS_CHARS:
        message = f"the text message has {len(text)} characters; {MAX_SMS_CHARS} are the most"
        raise PermanentError(message)


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a post, which opens an address."""

    text: str
    url: str


class Chat(Protocol):
    """Team chat."""

    async def post(self, channel: str, text: str, buttons: Sequence[Button] = ()) -> Sent:
        """Post ``text`` to ``channel`` (with its leading ``#``), with ``buttons`` below it."""
        ...


class Email(Protocol):
    """Outgoing mail, one message at a time."""

    async def send(self, message: EmailMessage) -> Sent:
        """Send one message."""
        ...


class SMS(Protocol):
    """Outgoing text messages, one at a time."""

    async def send(self, to: str, text: str) -> Sent:
        """Send ``text`` to the number ``to``, which is in E.164 form."""
        ...
