"""What became of the demo's leads, judged against the ground truth: our records, the CRM's and Slack's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mainstay.cli.demo.leads import Lead
from mainstay.cli.demo.sending import Tally
from mainstay.db import Pool, acquire


@dataclass(frozen=True, slots=True)
class Verdict:
    """The demo's result.

    ``lost`` counts accepted deliveries that did not come to a good end, and people that are missing in our records, in
    the CRM or in the chat; ``duplicates`` counts contacts beyond one for each person, here and in the CRM.
    """

    sent: int
    accepted: int
    repeated: int
    people: int
    contacts: int
    contacts_in_crm: int
    duplicates: int
    messages: int
    retried: int
    lost: int
    alerts: int
    workers_killed: int
    outage_seconds: float
    seconds: float
    leads_per_second: float
    ack_p50_ms: float
    ack_p99_ms: float

    @property
    def is_good(self) -> bool:
        """True when nothing was lost and nobody doubled."""
        return self.lost == 0 and self.duplicates == 0

    def as_json(self) -> dict[str, Any]:
        """Return the summary that ``--json`` prints."""
        return {**asdict(self), "ok": self.is_good}


async def count_open_runs(pool: Pool) -> int:
    """Return how many runs have not ended yet."""
    async with acquire(pool) as connection:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM runs WHERE state IN ('queued', 'running', 'waiting')"
        )
    return count


async def judge(
    pool: Pool,
    leads: Sequence[Lead],
    tally: Tally,
    crm: Sequence[Mapping[str, Any]],
    messages: Sequence[str],
    *,
    seconds: float,
    outage_seconds: float,
    workers_killed: int,
) -> Verdict:
    """Hold what is stored everywhere against who really wrote."""
    people = {lead.who: lead.person["email"].strip().lower() for lead in leads}
    async with acquire(pool) as connection:
        contacts = await connection.fetch("SELECT email FROM contacts")
        unfinished = await connection.fetchval("SELECT count(*) FROM deliveries WHERE state <> 'processed'")
        kept = await connection.fetchval("SELECT count(*) FROM deliveries")
        not_done = await connection.fetchval("SELECT count(*) FROM runs WHERE state <> 'done'")
        retried = await connection.fetchval("SELECT count(*) FROM attempts WHERE state = 'retry'")
        alerts = await connection.fetchval("SELECT count(*) FROM runs WHERE workflow = 'alert.v1'")
    ours = Counter(row["email"] for row in contacts)
    theirs = Counter(str(record.get("email", "")).lower() for record in crm)
    greeted = len([text for text in messages if text.startswith("New lead:")])
    missing = sum(email not in ours for email in people.values()) + sum(
        email not in theirs for email in people.values()
    )
    return Verdict(
        sent=len(leads),
        accepted=tally.accepted,
        repeated=tally.repeated,
        people=len(people),
        contacts=len(contacts),
        contacts_in_crm=len(crm),
        duplicates=max(0, len(contacts) - len(people)) + max(0, len(crm) - len(people)),
        messages=greeted,
        retried=retried,
        lost=(tally.accepted - kept) + unfinished + not_done + missing + max(0, len(people) - greeted) + tally.refused,
        alerts=alerts,
        workers_killed=workers_killed,
        outage_seconds=outage_seconds,
        seconds=round(seconds, 2),
        leads_per_second=round(len(leads) / seconds, 1),
        ack_p50_ms=round(tally.percentile(0.5), 1),
        ack_p99_ms=round(tally.percentile(0.99), 1),
    )
