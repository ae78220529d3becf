"""What a mail vendor reports of a mail that was sent: bounced, complained of, opened. One shape, whoever reports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mainstay.kit.recording import message_record
from mainstay.kit.source import SourceSettings
from mainstay.model import Event, Submission

Outcome = Literal["bounced", "dropped", "complained", "unsubscribed", "delivered", "opened", "clicked"]
_LOOKED_AT = frozenset({"opened", "clicked"})
"""What says nothing of how a mail was delivered, and comes many times."""
_OPT_OUTS = frozenset({"complained", "unsubscribed"})


class MailEventsSettings(SourceSettings):
    """What a source of such reports takes, besides its proof."""

    events: tuple[Outcome, ...] = Field(
        ("bounced", "dropped", "complained", "unsubscribed"),
        description="The reports that become events; an opened mail says little, as programs open mails too.",
    )
    ignore: tuple[str, ...] = Field(
        (), description="Addresses and domains of your own: what is reported of them makes no contact."
    )

    def event(
        self,
        outcome: Outcome,
        address: str,
        *,
        key: str,
        time: datetime | None,
        data: Mapping[str, Any],
        message: str = "",
    ) -> Event:
        """Return ``message.bounced`` and the like of whoever has the address; its data has ``channel`` and ``address``.

        A complaint and an unsubscription are opt-outs. ``message`` is by what the vendor tells this mail to this person
        from others, where that is not ``message`` of the data.
        """
        address = address.strip()
        record = None
        if outcome not in _LOOKED_AT:
            said = {"recipient": address, "status": outcome, "subject": str(data.get("subject", ""))}
            why = {name: str(data[name]) for name in ("kind", "reason") if data.get(name)}
            record = message_record("email", message or str(data.get("message", "")), said, custom=why, at=time)
        if outcome not in self.events:
            reason = f"{outcome}: not among this source's events"
            return Event("unsupported", key=key, reason=reason, record=record)
        if "@" not in address:
            return Event("unsupported", key=key, reason=f"{outcome}: not of an address")
        domain = address.rpartition("@")[2].casefold()
        if {address.casefold(), domain} & {each.casefold() for each in self.ignore}:
            return Event("unsupported", key=key, reason=f"{outcome}: an address of your own")
        submission = Submission(email=address, do_not_contact=outcome in _OPT_OUTS)
        known = {"channel": "email", "address": address, **data}
        return Event(f"message.{outcome}", key=key, time=time, submission=submission, data=known, record=record)
