"""``mainstay swap``: another CRM takes over as the system of record, step by step; each step goes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, Options, group, options_of
from mainstay.cli.errors import BROKEN, CommandError
from mainstay.cli.people import BY, YesOption, confirm
from mainstay.cli.reading import Reading, act, read
from mainstay.cli.swapping import Change, Told, as_json, look, look_back

if TYPE_CHECKING:
    from mainstay.swaps import Standing

swap = group("Let another CRM take over as system of record: contact, status, back.")

_LOOKS_SECONDS = 2.0
DespiteOption = Annotated[
    bool, typer.Option("--despite", help="Go on although something stands against it; what, is kept with the swap.")
]
_WORDS = {
    "check": "not begun",
    "restart": "waits for a restart",
    "backfill": "being filled",
    "compare": "to be compared",
    "ready": "may take over",
    "over": "has taken over",
    "back": "taken back",
}


@swap.command("contact", cls=Command)
def contact(
    ctx: typer.Context,
    from_: Annotated[str, typer.Option("--from", metavar="NAME", help="The system of record of today.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="The connection that takes over.")],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for what is under way, and show how far it is.")] = False,
    despite: DespiteOption = False,
    yes: YesOption = False,
) -> None:
    """Begin a swap of the contacts' system of record, or take its next step; said again, it goes on where it is.

    It checks, feeds the new system as a mirror, compares, and cuts over by an edit of stack.toml, which it shows first.

    Examples:
        mainstay swap contact --from ghl --to hubspot
        mainstay swap contact --from ghl --to hubspot --wait
    """
    options = options_of(ctx)
    told = act(options, lambda app, workspace: look(app, workspace, options, from_, to, goes_on=not despite))
    if wait and told.phase in {"restart", "backfill", "compare"}:
        _wait(options, told)
        told = act(options, lambda app, workspace: look(app, workspace, options, from_, to, goes_on=not despite))
    _go_on(options, told, despite=despite, yes=yes)


@swap.command("status", cls=Command)
def status(ctx: typer.Context) -> None:
    """Say where the last swap is, and what is next.

    Example: mainstay swap status
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[str, str] | None:
        from mainstay.swaps import latest

        found = await latest(reading.connection, reading.workspace_id)
        return (found.old, found.new) if found is not None and found.state != "back" else None

    names = read(options, work)
    from mainstay.cli.output import emit

    if names is None:
        if options.as_json:
            emit({"swap": None})
        else:
            typer.echo("No swap is under way. Begin one: mainstay swap contact --from ghl --to hubspot")
        return
    told = act(options, lambda app, workspace: look(app, workspace, options, *names))
    if options.as_json:
        emit({"swap": as_json(told, changed=False, difference=_difference(told.change))})
    else:
        _show(told)
        _say_next(told)


@swap.command("back", cls=Command)
def back(ctx: typer.Context, *, despite: DespiteOption = False, yes: YesOption = False) -> None:
    """Take the last swap back by one step: the old system is right again, or the new one is fed no more.

    Example: mainstay swap back
    """
    options = options_of(ctx)
    told = act(options, lambda app, workspace: look_back(app, workspace, options))
    _apply(options, told, told.change, despite=despite, yes=yes)


def _go_on(options: Options, told: Told, *, despite: bool, yes: bool) -> None:
    is_next = told.phase in {"check", "ready"} or (despite and told.phase in {"backfill", "compare"})
    if is_next:
        _apply(options, told, told.change, despite=despite, yes=yes)
        return
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"swap": as_json(told, changed=False, difference=_difference(told.change))})
    else:
        _show(told)
        _say_next(told)
    if told.phase != "over":
        raise typer.Exit(BROKEN)


def _apply(options: Options, told: Told, change: Change | None, *, despite: bool, yes: bool) -> None:
    """Show an edit of stack.toml, ask, and make it."""
    from mainstay.cli.output import emit, say, text

    if change is None:
        return
    difference = _difference(change)
    if not options.as_json:
        _show(told)
        say(text((f"\n{change.title}:", "bold")))
        typer.echo(difference)
    if change.despite and not despite:
        if options.as_json:
            emit({"swap": as_json(told, changed=False, difference=difference)})
        raise CommandError(
            f"this is not done yet: {'; '.join(change.despite)}",
            f"See: mainstay drift list {told.mirror}. Or say --despite.",
        )
    confirm(f"Change {change.file.name} so?", options, yes=yes)
    _write(options, told, change)
    if options.as_json:
        emit({"swap": as_json(told, changed=True, difference=difference)})
        return
    say(text(("✓ ", "green"), f"{change.file.name} is changed"))
    say(text(("  Restart the processes of mainstay up, in any order; until then they go on as before.", "cyan")))


def _write(options: Options, told: Told, change: Change) -> None:
    from mainstay.db import transact
    from mainstay.settings import rewriting
    from mainstay.settings.environment import Environment
    from mainstay.swaps import note

    rewriting.write(change.file, change.after, Environment.load(change.file.parent))
    stood = "; ".join(change.despite)
    act(
        options,
        lambda app, workspace: transact(
            app.pool,
            lambda connection: note(
                connection,
                workspace.id,
                told.old,
                told.new,
                change.state,
                by=BY,
                despite=stood,
            ),
        ),
    )


def _wait(options: Options, told: Told) -> None:
    """Show how far a mirror is until it is filled and compared, or has stopped."""
    from datetime import UTC, datetime

    from mainstay.swaps import phase_of, standing_of

    said = ""
    while True:
        standing = read(options, lambda reading: standing_of(reading.connection, reading.workspace_id, told.new))
        phase = phase_of("running", standing, datetime.now(UTC))
        is_stopped = standing is not None and standing.run_state == "failed"
        is_at_rest = standing is not None and not standing.is_comparing and standing.loaded_at is not None
        if is_stopped or is_at_rest:
            return
        line = f"{_WORDS[phase]}{_progress(standing)}"
        if line != said and not options.as_json:
            typer.echo(line)
            said = line
        time.sleep(_LOOKS_SECONDS)


def _show(told: Told) -> None:
    from mainstay.cli.output import facts, lasted, number, say, text

    pairs: list[tuple[str, str]] = [
        ("swap", f"{told.old} to {told.new}: {_WORDS[told.phase]}{_progress(told.standing)}")
    ]
    if told.contacts is not None and told.seconds is not None:
        least = f", at least {lasted(told.seconds * 1000)}" if told.seconds else ""
        pairs.append(("to copy", f"{number(told.contacts, 'contact')}{least} by its rate"))
    if told.standing is not None and told.phase != "backfill":
        pairs.append(
            ("mirror", f"{told.mirror}: {told.standing.behind:,} to write, {told.standing.open_drifts:,} differ")
        )
    if told.swap is not None and told.swap.despite:
        pairs.append(("despite", told.swap.despite))
    facts(pairs)
    for each in told.access:
        mark = ("✓ ", "green") if each.is_good else ("✗ ", "red")
        say(text(mark, f"{each.name}: {each.text}"), indent=2)
    for remark in told.remarks:
        say(text(("✗ ", "red") if remark.is_stop else ("~ ", "yellow"), remark.text), indent=2)
        if remark.hint:
            say(text((remark.hint, "cyan")), indent=4)
    for obstacle in told.obstacles if told.phase in {"backfill", "compare"} else ():
        say(text(("~ ", "yellow"), obstacle), indent=2)


def _say_next(told: Told) -> None:
    from mainstay.cli.output import say, text

    again = f"mainstay swap contact --from {told.old} --to {told.new}"
    nexts = {
        "restart": "Restart the processes of mainstay up: they do not know the mirror yet.",
        "backfill": f"Nothing to do meanwhile. Then: {again}",
        "compare": f"See the differences: mainstay drift list {told.new}. Then: {again}",
        "ready": f"Cut over: {again}",
        "over": "To go back: mainstay swap back",
    }
    if told.phase in nexts:
        say(text((nexts[told.phase], "cyan")))


def _progress(standing: Standing | None) -> str:
    if standing is None or standing.loaded_at is not None or standing.to_load is None:
        return ""
    return f", {standing.loaded:,} of {standing.to_load:,}"


def _difference(change: Change | None) -> str:
    from mainstay.settings import rewriting

    return rewriting.difference(change.before, change.after, change.file.name) if change else ""
