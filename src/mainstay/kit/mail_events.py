"""What a mail vendor reports of a mail that was sent: bounced, complained of, opened. One shape, whoever reports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mainstay.kit.source import SourceSettings
from mainstay.model import Event, Submission

Outcome = Literal["bounced", "dropped", "complained", "unsubscribed", "delivered", "opened", "clicked"]
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
        self, outcome: Outcome, address: str, *, key: str, time: datetime | None, data: Mapping[str, Any]
    ) -> Event:
        """Return ``message.bounced`` and the like of whoever has the address; its data has ``channel`` and ``address``.

        A complaint and an unsubscription are opt-outs.
        """
        address = address.strip()
        if outcome not in self.events:
            return Event("unsupported", key=key, reason=f"{outcome}: not among this source's events")
        if "@" not in address:
            return Event("unsupported", key=key, reason=f"{outcome}: not of an address")
        domain = address.rpartition("@")[2].casefold()
        if {address.casefold(), domain} & {each.casefold() for each in self.ignore}:
            return Event("unsupported", key=key, reason=f"{outcome}: an address of your own")
        submission = Submission(email=address, do_not_contact=outcome in _OPT_OUTS)
        known = {"channel": "email", "address": address, **data}
        return Event(f"message.{outcome}", key=key, time=time, submission=submission, data=known)
