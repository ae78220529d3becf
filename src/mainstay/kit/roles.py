"""What workflows ask for: one Protocol per role. A connector's class for a role has these methods and no others.

Every method is one durable step: it runs within one attempt, may make several HTTP calls, raises a VendorError
subclass when it fails, and returns a small frozen value. It must bear being called again with the same arguments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Protocol

from mainstay.errors import PermanentError

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.model import Contact, Submission

_BARE_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\x00-\x1f\x7f]+@[^\s@,;:<>()\"\x00-\x1f\x7f]+")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
MAX_SMS_CHARS = 1600
"""What the networks join of one text message."""
_LINE_BREAK = re.compile(r"[\r\n\x00\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Pushed:
    """Outcome of writing a record to a system: its id there, and whether it was new there."""

    external_id: str
    created: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Outcome of a message: the vendor's id of it, empty where it gives none."""

    id: str = ""


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


class CRM(Protocol):
    """Where contacts live. ``external_id`` is the contact's id in that system."""

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        """Write the newest state of ``contact``.

        With an empty ``external_id``, find it there by e-mail, then phone, and update it, else create it: never
        double it. Fields that are empty here are left alone there; tags there are never removed.
        """
        ...

    async def fetch_contact(self, external_id: str) -> Submission | None:
        """Read one contact; None when it does not exist (any more)."""
        ...

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag, keeping the others."""
        ...

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note to the contact's timeline."""
        ...


class MergingCRM(CRM, Protocol):
    """A CRM that can merge two of its contacts; its connector names ``crm.merge_contacts`` in ``idempotency``."""

    async def merge_contacts(self, survivor_id: str, merged_id: str) -> str:
        """Merge one contact into another and return the id that stands. Called again, it finds it done."""
        ...


class Chat(Protocol):
    """Team chat."""

    async def post(self, channel: str, text: str) -> Sent:
        """Post ``text`` to ``channel`` (with its leading ``#``)."""
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


class RecordStore(Protocol):
    """Mainstay's own store, for the ``builtin`` connector: the record is already there, by our own id.

    Whoever makes one binds it to one workspace; an id of another workspace is unknown to it, and a method that meets
    an unknown id raises PermanentError.
    """

    async def add_tag(self, contact_id: UUID, tag: str) -> None:
        """Add one tag to our own contact, keeping the others."""
        ...

    async def add_note(self, contact_id: UUID, text: str, *, key: str = "") -> None:
        """Add a note to our own contact's timeline; of a repeated non-empty ``key`` only the first is kept."""
        ...
