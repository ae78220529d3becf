"""Which failures share a cause, and how it is said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mainstay.watch.routes import Severity

REPORTED = "layer.failed"
"""The event of a no-code layer that reports a failure of its own."""
REPORT = "report|"
"""What the fingerprint of such a trouble begins with."""
_VARIABLE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-fA-F]{12,}\b|\S+@\S+|\+?\d[\d .:-]*|'[^']*'|\"[^\"]*\"")
_LONGEST = 200

_MEND = {
    "human": "A person must act: check the connection's credentials and account, then retry the runs.",
    "permanent": "The same call would fail again: mend the data or the settings it names, then retry the runs.",
    "transient": "It was tried for as long as its retries go, in vain: when the vendor answers again, retry the runs.",
    "asked": "It may have happened, and nobody could tell: look there, then say whether it happened, on the run's page "
    "or by mainstay runs retry ID with --it-happened or --repeat.",
    "deadline": "See what the runs waited for when their deadline passed; retried, they have a new one.",
    "workflow": "Mend the workflow's code, restart, then retry the runs.",
}

# Mainstay's own runs, in the words of whoever reads an alert; where a connection is at fault, it is named.
_OWN = {
    "inbound.v1": ("Deliveries cannot be processed", "Deliveries cannot be processed: trouble at {at}"),
    "push.v1": ("Contacts do not reach their system", "Contacts do not get through to {at}"),
    "question.v1": ("Questions to people cannot be sent", "Questions to people do not get through to {at}"),
    "tell-anew.v1": ("Contacts are not told anew", "Contacts are not told anew: trouble at {at}"),
    "forward.v1": ("Values do not reach the system that owns them", "Values that {at} owns do not get through to it"),
    "mirror.v1": ("A mirror cannot be written", "A mirror does not get through to {at}"),
    "compare-mirror.v1": ("A mirror cannot be compared", "A mirror cannot be read at {at}"),
    "reconcile.v1": ("Changes in the system of record are not pulled", "What changed at {at} cannot be pulled"),
    "pull-failures.v1": ("Failures elsewhere are not asked for", "What failed at {at} cannot be read"),
    "weekly-review.v1": ("The weekly review cannot be sent", "The weekly review does not get through to {at}"),
    "reconcile-records.v1": ("Changes of records are not pulled", "What changed at {at} cannot be pulled"),
    "alert.v1": ("Alerts cannot be sent", "Alerts do not get through to {at}"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong, as an incident will show it.

    ``severity`` is ``critical`` or ``other``; empty: that of its workflow. ``ends_by`` says who resolves the incident:
    ``runs`` (all that it stopped have ended well or are handled), ``quiet`` (a day without another), ``drift``, or
    ``word`` (whoever raises it calls :func:`recover`); empty: ``runs`` where a workflow is named, ``quiet`` where a
    source is, else ``word``.
    """

    fingerprint: str
    title: str
    cause: str
    mend: str
    workflow: str = ""
    connection: str = ""
    source: str = ""
    severity: Severity | Literal[""] = ""
    ends_by: str = ""

    @property
    def ending(self) -> str:
        """Who resolves its incident."""
        return self.ends_by or ("runs" if self.workflow else "quiet" if self.source else "word")


def trouble_of_drift(mirror: str, connection: str, count: int) -> Trouble:
    """Describe that a mirror is not what was written to it."""
    rows = "one row differs" if count == 1 else f"{count} rows differ"
    return Trouble(
        fingerprint=f"drift|{mirror}",
        title=f"{mirror} is no longer what Mainstay wrote",
        cause=f"{rows} from what was written: somebody changed the copy, or another program did.",
        mend=f"Look at each: mainstay drift list {mirror}. Then revert it, or take it over into the record.",
        connection=connection,
        ends_by="drift",
    )


def trouble_of_run(workflow: str, connection: str, fate: str, error: str) -> Trouble:
    """Describe a failed run. Runs that fail alike, but for ids, numbers and quoted values, share a fingerprint."""
    alike = _alike(error)
    plain, at_connection = _OWN.get(workflow, (f"{workflow} fails", f"{workflow} fails at {{at}}"))
    return Trouble(
        fingerprint=f"run|{workflow}|{connection}|{fate}|{alike}",
        title=at_connection.format(at=connection) if connection else plain,
        cause=error[:500],
        mend=_MEND.get(fate, "Look at the run, then retry it."),
        workflow=workflow,
        connection=connection,
    )


def trouble_of_quarantine(source: str, reason: str) -> Trouble:
    """Describe deliveries whose sender could not be proven."""
    return Trouble(
        fingerprint=f"quarantine|{source}|{_alike(reason)}",
        title=f'Deliveries to "{source}" are not authentic',
        cause=reason,
        mend="If they are real, mend the source's secret in stack.toml, then release them from quarantine; if not, "
        "ignore them.",
        source=source,
    )


def trouble_of_missed(connection: str, source: str, count: int, since: datetime) -> Trouble:
    """Describe changes that no webhook brought, and none has come since."""
    return Trouble(
        fingerprint=f"missed|{connection}",
        title=f"Webhooks of {connection} seem to come no more",
        cause=f"{count} changes of the last day came by the pull alone. Nothing has been delivered to "
        f'"{source}" since {since:%Y-%m-%d %H:%M} UTC.',
        mend="Nothing is lost: the pull brings what they miss, later. See at the vendor that the webhook is on, "
        "and posts to the source's address (mainstay connections list). After a quiet day this counts as healed.",
        source=source,
    )


def trouble_of_lost(connection: str, kind: str, since: datetime, until: datetime) -> Trouble:
    """Describe a time whose changes the vendor has forgotten, so that no pull brings them."""
    between = f"{since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
    return Trouble(
        fingerprint=f"lost|{connection}|{kind}",
        title=f"What changed at {connection} is not to be had any more",
        cause="Nothing was pulled for so long that the vendor has forgotten what happened to "
        f"{kind}s between {between}. What is newer is being pulled.",
        mend=f"At the vendor, list the {kind}s of that time, and compare them with those here. Save each that differs "
        "there once more, a note is enough: that is a change, and it is pulled. Then resolve this by hand: nothing "
        "else does.",
        ends_by="word",
    )


def trouble_of_report(source: str, data: Mapping[str, Any]) -> Trouble:
    """Describe a failure that a no-code layer reports of its own: what it was told, we have no part in."""
    scenario, error, link = (str(data.get(name) or "") for name in ("scenario", "error", "link"))
    return Trouble(
        fingerprint=f"{REPORT}{source}|{scenario}|{_alike(error)}",
        title=f'"{scenario[:100]}" fails, says {source}',
        cause=f"{error[:500]} · {link}" if link else error[:500],
        mend="Mend it there, and run again there what it stopped; then resolve this. Without another report for a day "
        "it counts as healed.",
        source=source,
    )


def _alike(text: str) -> str:
    # Cut twice: the pattern takes the square of the length, and what it leaves is shorter.
    return _VARIABLE.sub("#", text[: 5 * _LONGEST])[:_LONGEST]
