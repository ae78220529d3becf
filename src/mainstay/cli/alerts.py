"""``mainstay alerts``: who hears of what is broken, and whether they would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.watch import Alerts
    from mainstay.watch.self_test import Tested

alerts = group("Who hears of what is broken: list, test.")

_NOBODY = 'Nobody hears of what breaks. Add to stack.toml:  [alerts]  critical = ["slack"]'


@alerts.callback()
def _alerts() -> None:
    """Who hears of what is broken: list, test."""


@alerts.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """Show who is told of what, in which order.

    Example: mainstay alerts list
    """
    options = options_of(ctx)

    async def work(_: App, workspace: Workspace) -> Alerts:
        return workspace.stack.alerts

    found = act(options, work)
    from mainstay.cli.output import Column, emit, table

    ladders = {
        "critical": (found.ladder("critical"), "at once"),
        "other": (found.ladder("other"), f"gathered for {_length(found.digest.total_seconds())}"),
        "escalate": (found.escalate, f"unacknowledged for {_length(found.escalate_after.total_seconds())}"),
    }
    if options.as_json:
        emit({name: [[route.written for route in step] for step in ladder] for name, (ladder, _) in ladders.items()})
        return
    if not list(found):
        typer.echo(_NOBODY)
        return
    rows = [
        (name if place == 0 else "", when if place == 0 else "else", ", ".join(route.written for route in step))
        for name, (ladder, when) in ladders.items()
        for place, step in enumerate(ladder)
    ]
    table([Column("what"), Column("when"), Column("who", grows=True)], rows)


@alerts.command("test", cls=Command)
def test(ctx: typer.Context) -> None:
    """Send a test over every channel, now and from here. Ends with 1 when one does not take it.

    No worker is needed for it. Each week a worker does the same by itself.

    Example: mainstay alerts test
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> list[Tested]:
        return await app.self_test.test_now(workspace.id)

    found = act(options, work)
    from mainstay.cli.output import Column, emit, state, table

    is_broken = not found or any(each.error for each in found)
    if options.as_json:
        emit({"state": "broken" if is_broken else "fine", "channels": found})
    elif not found:
        typer.echo(_NOBODY)
    else:
        table(
            [Column("channel"), Column("test"), Column("took", right=True), Column("", grows=True)],
            [
                (each.channel, state("failed" if each.error else "ok"), f"{each.seconds:.1f} s", each.error)
                for each in found
            ],
        )
    if is_broken:
        raise typer.Exit(BROKEN)


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
