"""``mainstay status``: did anything break in the last 24 hours?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN
from mainstay.cli.reading import Reading, read_all

if TYPE_CHECKING:
    from mainstay.insight import Healed, Missed, Thing, Verdict

_WORST_FIRST = ("broken", "healing", "fine")


def status(ctx: typer.Context) -> None:
    """Say what is broken, what mends itself, and what came in, in the last 24 hours.

    Ends with 1 when something is broken, so that a script or a monitor can ask.

    Examples:
        mainstay status
        mainstay status --stack clients/acme --stack clients/bell --json
    """
    options = options_of(ctx)
    verdicts = read_all(options, _judge)
    worst = min((found.state for _, found in verdicts), key=_WORST_FIRST.index)
    if options.as_json:
        from dataclasses import asdict

        from mainstay.cli.output import emit

        told = [
            {"workspace": reading.slug, "name": reading.name}
            | asdict(found)
            | {"leads": found.leads, "deliveries": found.deliveries, "repeats": found.repeats}
            for reading, found in verdicts
        ]
        emit({"state": worst, "workspaces": told})
    else:
        for place, (reading, found) in enumerate(verdicts):
            if place:
                typer.echo()
            _show(reading, found)
    if worst == "broken":
        raise typer.Exit(BROKEN)


async def _judge(reading: Reading) -> tuple[Reading, Verdict]:
    from mainstay.insight import verdict

    return reading, await verdict(reading.connection, reading.workspace_id, datetime.now(UTC))


def _show(reading: Reading, found: Verdict) -> None:
    from mainstay.cli.output import number, say, text

    ended = number(found.runs_done + found.runs_failed, "run")
    parts = [f" · last 24 h · {number(found.leads, 'lead')}"]
    if found.deliveries > found.leads:
        parts.append(f" of {number(found.deliveries, 'delivery', 'deliveries')}")
    parts.append(f" · {ended}")
    if found.repeats:
        parts.append(f" · {number(found.repeats, 'repeat')} caught")
    say(text((reading.name, "bold"), *parts))
    if found.broken:
        many = len(found.broken)
        say(text((f"✗ {many} {'thing is' if many == 1 else 'things are'} broken", "bold red")))
        for thing in found.broken:
            _show_thing(thing, found.now)
    elif found.state == "healing":
        say(text((f"~ {found.sentence}", "bold yellow")))
    else:
        say(text(("✓ Nothing broke in the last 24 hours.", "bold green")))
    for thing in (*found.stopped, *found.ahead, *found.recovering):
        _show_thing(thing, found.now, style="yellow")
    _show_healed(found.healed)
    _show_missed(found.missed, found.now)
    _show_waiting(found)


def _show_thing(thing: Thing, now: datetime, *, style: str = "red") -> None:
    from mainstay.cli.output import ago, say, text

    said = f"{thing.title.rstrip('.')}, since {ago(thing.since, now)}" if thing.title else ""
    if thing.is_ahead:
        said = f"! {thing.title}"
    what = {"rejected": "delivery", "worker": "run"}.get(thing.kind, "run")
    count = str(thing.affected)
    plural = what if count == "1" else {"delivery": "deliveries"}.get(what, "runs")
    waits = "waits" if count == "1" else "wait"
    of = f" of {thing.leads} {'lead' if thing.leads.number == 1 else 'leads'}" if thing.leads else ""
    held = f": {count} {plural}{of} {waits}, nothing is lost." if thing.affected else "."
    say(text((said, style), held), indent=2)
    if thing.cause:
        say(text(thing.cause), indent=4)
    if thing.mend:
        say(text((thing.mend, "bold")), indent=4)
    command = _command(thing)
    if command:
        say(text((command, "cyan")), indent=4)


def _command(thing: Thing) -> str:
    from mainstay.model import short_id

    match thing.kind:
        case "incident" if thing.incident_id is not None:
            return f"mainstay incidents show {short_id(thing.incident_id)}"
        case "rejected":
            return f"mainstay deliveries list --state rejected --source {thing.source}"
        case "failed":
            return "mainstay runs list --state stopped"
        case "connection":
            return "mainstay connections list"
        case _:
            return ""


def _show_healed(healed: tuple[Healed, ...]) -> None:
    from mainstay.cli.output import number, say, text

    over = [item for item in healed if not item.waiting and not item.failed]
    if not over:
        return
    told = ", ".join(f"{item.connection} ({number(item.retries, 'retry', 'retries')})" for item in over)
    say(text((f"{len(over)} healed by {'itself' if len(over) == 1 else 'themselves'}: ", "green"), told))


def _show_missed(missed: tuple[Missed, ...], now: datetime) -> None:
    from mainstay.cli.output import ago, number, say, text

    for item in missed:
        changes, since = number(item.changes, "change"), ago(item.first, now)
        told = f"{changes} came by the pull that no webhook had brought, since {since}"
        say(text((f"{item.connection}: ", "green"), told))


def _show_waiting(found: Verdict) -> None:
    from mainstay.cli.output import ago, say, text

    parts = [
        f"{count} {name}"
        for name, count in (
            ("queued", found.queued),
            ("running", found.running),
            ("waiting", found.waiting),
            ("in quarantine", found.quarantined),
            ("for a review", found.reviews),
        )
        if count
    ]
    if parts:
        oldest = f", the oldest from {ago(found.oldest.since, found.now)}" if found.oldest else ""
        say(text((f"Now: {', '.join(parts)}{oldest}", "dim")))
    if not found.has_worker and not found.queued:
        say(text(("No worker is running. Start: mainstay up", "dim")))
    elif not found.has_worker and not any(thing.kind == "worker" for thing in found.broken):
        say(text(("No worker is running, so the queue waits. Start: mainstay up", "yellow")))
