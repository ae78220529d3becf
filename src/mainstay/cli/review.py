"""``mainstay review``: what a week brought, what failed and why, what was slow, what was saved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError
from mainstay.cli.reading import Reading, read_all

if TYPE_CHECKING:
    from mainstay.insight.weekly import WeekReview


def review(
    ctx: typer.Context,
    week: Annotated[
        str, typer.Option(metavar="WEEK", help="Like 2026-W48, or: this. The last whole one without it.")
    ] = "",
) -> None:
    """Tell what a week brought: volume by source, failures and causes, slowest steps, what was saved and prevented.

    Examples:
        mainstay review
        mainstay review --week this
        mainstay review --week 2026-W48 --json
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[Reading, WeekReview]:
        from mainstay.insight.weekly import weekly_review
        from mainstay.insight.weeks import Week

        try:
            zone = ZoneInfo(reading.timezone)
        except (ValueError, ZoneInfoNotFoundError):
            raise CommandError(
                f'"{reading.timezone}" is no time zone', "Mend it in stack.toml: mainstay check"
            ) from None
        now = datetime.now(UTC)
        this = Week.of(now, zone)
        try:
            wanted = this if week == "this" else Week.named(week) if week else this.before
        except ValueError as error:
            raise CommandError(str(error), "Or leave it out: the last whole week.") from error
        if wanted > this:
            raise CommandError(f"the week {wanted.name} has not come yet", f"This one is {this.name}.")
        return reading, await weekly_review(reading.connection, reading.workspace_id, wanted, zone, now)

    found = read_all(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"weeks": [{"workspace": reading.slug, **each.to_json()} for reading, each in found]})
        return
    from mainstay.weekly.letter import letter_of

    for place, (reading, each) in enumerate(found):
        if place:
            typer.echo()
        typer.echo(letter_of(each.to_json(), reading.name, "").text.rstrip().rpartition("\n\n")[0])
