"""Sends the demo's leads over HTTP, as their vendors would: signed, at a pace, again when told to come later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mainstay.cli.demo.leads import Lead
from mainstay.kit.http import Session, open_session
from mainstay.sandbox import senders
from mainstay.sandbox.senders import SignedRequest

_TRIES = 20


@dataclass(slots=True)
class Tally:
    """What the senders saw. ``milliseconds`` holds the time to each acknowledgement."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    milliseconds: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the acknowledgement time that ``share`` of them did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def sign(lead: Lead, secrets: Mapping[str, str]) -> SignedRequest:
    """Build a lead's request in its source's real shape."""
    now, key = datetime.now(UTC), lead.key
    match lead.source:
        case "website":
            return senders.form(lead.person, secrets["WEBSITE_SECRET"], key=key)
        case "partner":
            return senders.json_webhook(lead.person, secrets["PARTNER_SECRET"], key=key, at=now)
        case "typeform":
            return senders.typeform(lead.person, secrets["TYPEFORM_SECRET"], key=key, at=now)
        case "facebook":
            return senders.facebook(lead.person, secrets["META_SECRET"], key=key, at=now)
        case "calendly":
            return senders.calendly(lead.person, secrets["CALENDLY_SECRET"], key=key, at=now)
        case "jotform":
            return senders.jotform(lead.person, secrets["JOTFORM_SECRET"], key=key, at=now)
        case _:
            raise ValueError(lead.source)


async def send_leads(
    base_url: str,
    leads: Sequence[Lead],
    secrets: Mapping[str, str],
    *,
    per_second: float,
    on_sent: Callable[[int], None],
) -> Tally:
    """Send every lead at a steady pace; ``on_sent`` hears how many have been acknowledged."""
    tally = Tally()
    async with open_session() as session:
        started = time.perf_counter()
        sending = []
        for number, lead in enumerate(leads):
            await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
            sending.append(asyncio.create_task(_send(session, base_url, lead, secrets, tally)))
            on_sent(tally.accepted + tally.repeated)
        await asyncio.gather(*sending)
    on_sent(tally.accepted + tally.repeated)
    return tally


async def _send(session: Session, base_url: str, lead: Lead, secrets: Mapping[str, str], tally: Tally) -> None:
    for _ in range(_TRIES):
        request = sign(lead, secrets)
        url = f"{base_url}/in/acme/{lead.source}" + (f"?{request.query}" if request.query else "")
        started = time.perf_counter()
        async with session.post(url, data=request.body, headers=dict(request.headers)) as answer:
            await answer.read()
            if answer.status == 429:
                await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                continue
        tally.milliseconds.append((time.perf_counter() - started) * 1000)
        match answer.status:
            case 202:
                tally.accepted += 1
            case 200:
                tally.repeated += 1
            case _:
                tally.refused += 1
        return
    tally.refused += 1
