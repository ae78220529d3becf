"""``mainstay schedules``: what runs by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.reading import Reading, read

if TYPE_CHECKING:
    from mainstay.insight.schedules import ScheduleRow

schedules = group("What runs by the clock: when next, and what became of the last time.")


@schedules.callback()
def _schedules() -> None:
    """What runs by the clock: when next, and what became of the last time."""


@schedules.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List schedules, the next to fire first. Workers declare them when they start.

    Example: mainstay schedules list
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[ScheduleRow, ...]:
        from mainstay.insight.schedules import list_schedules

        return await list_schedules(reading.connection, reading.workspace_id)

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, state, table, text
    from mainstay.engine.schedule import Schedule

    if options.as_json:
        emit({"schedules": found})
        return
    if not found:
        typer.echo('Nothing runs by the clock: @workflow("digest.v1", schedule="0 9 * * mon") would.')
        return
    table(
        [
            Column("workflow"),
            Column("next", right=True),
            Column("last", right=True),
            Column("run"),
            Column("state"),
            Column("missed", right=True),
            Column("when", grows=True),
        ],
        [
            (
                row.workflow,
                ago(row.next_at) if row.next_at else "never",
                ago(row.last_tick) if row.last_tick else "",
                identifier(row.last_run_id) if row.last_run_id else "",
                state(row.last_state) if row.last_state else "",
                f"{row.missed:,}" if row.missed else "",
                text(Schedule(row.cron).in_words(), (f" ({row.cron}), {row.timezone}", "dim")),
            )
            for row in found
        ],
    )
