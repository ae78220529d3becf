"""``mainstay incidents``: what is broken, and what has been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.app import App, Workspace
    from mainstay.insight import AlertRow, IncidentRow, RunRow

incidents = group("What is broken, and what has been: one incident for one cause, however many runs it stops.")

_MOST = 1000


@incidents.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The resolved ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many resolved ones.")] = 25,
) -> None:
    """List open incidents, the latest news first.

    Example: mainstay incidents list --all
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[IncidentRow, ...]:
        from mainstay.insight import open_incidents, resolved_incidents

        at = (reading.connection, reading.workspace_id)
        found = await open_incidents(*at)
        return (*found, *(await resolved_incidents(*at, size=limit)).items) if everything else found

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, state, table

    if options.as_json:
        emit({"incidents": found})
        return
    if not found:
        typer.echo("No incident is open.")
        return
    table(
        [
            Column("incident"),
            Column("state"),
            Column("first", right=True),
            Column("last", right=True),
            Column("times", right=True),
            Column("leads", right=True),
            Column("held up", right=True),
            Column("", grows=True),
        ],
        [
            (
                identifier(row.id),
                state(row.life),
                ago(row.first_seen),
                ago(row.last_seen),
                f"{row.occurrences:,}",
                str(row.leads),
                str(row.stopped),
                row.title,
            )
            for row in found
        ],
    )


@incidents.command("show", cls=Command)
def show(
    ctx: typer.Context, incident: Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
) -> None:
    """Show an incident: its cause, what to do, and the runs that it holds up.

    Example: mainstay incidents show 9be01d44
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[IncidentRow, tuple[RunRow, ...], tuple[AlertRow, ...]]:
        from mainstay.insight import RunFilter, incident_detail, list_alerts, list_runs

        at = (reading.connection, reading.workspace_id)
        found_id = await reading.find("incidents", "incident", incident)
        found = await incident_detail(*at, found_id)
        if found is None:
            raise MissingError(f'there is no incident "{incident}"')
        runs = (await list_runs(*at, RunFilter(incident_id=found_id), size=25)).items
        return found, runs, await list_alerts(reading.connection, found_id)

    found, runs, alerts = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"incident": found, "life": found.life, "runs": runs, "alerts": alerts})
        return
    _show(found, runs, alerts)


@incidents.command("acknowledge", cls=Command)
def acknowledge(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who sees to it; you, when not given.")] = "",
) -> None:
    """Say that somebody sees to an incident, so that nobody else is called.

    Example: mainstay incidents acknowledge 9be01d44
    """
    import getpass

    options = options_of(ctx)

    async def find(reading: Reading) -> UUID:
        return await reading.find("incidents", "incident", incident)

    found_id, name = read(options, find), by.strip() or getpass.getuser()

    async def work(app: App, workspace: Workspace) -> bool:
        return await app.alerter.acknowledge(workspace.id, found_id, by=name)

    if not act(options, work):
        raise CommandError(f'the incident "{incident}" is not open, or somebody sees to it already')
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit({"incident": found_id, "state": "acknowledged", "by": name})
    else:
        say(text(("✓ acknowledged", "green"), f" by {name}"))


@incidents.command("resolve", cls=Command)
def resolve(
    ctx: typer.Context, incident: Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
) -> None:
    """Close an incident by hand; its failed runs count as handled.

    Example: mainstay incidents resolve 9be01d44
    """
    options = options_of(ctx)

    async def find(reading: Reading) -> UUID:
        return await reading.find("incidents", "incident", incident)

    found_id = read(options, find)

    async def work(app: App, workspace: Workspace) -> bool:
        return await app.alerter.resolve(workspace.id, found_id)

    if not act(options, work):
        raise CommandError(f'the incident "{incident}" is not open')
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit({"incident": found_id, "state": "resolved"})
    else:
        say(text(("✓ resolved", "green")))


def _show(found: IncidentRow, runs: tuple[RunRow, ...], alerts: tuple[AlertRow, ...]) -> None:
    from mainstay.cli.output import ago, clock, facts, say, state, text
    from mainstay.cli.runs import show_runs
    from mainstay.model import short_id

    say(text((found.title, "bold"), " · ", state(found.life)))
    pairs: list[tuple[str, Any]] = [
        ("incident", text((str(found.id), "cyan"))),
        ("cause", found.cause),
        ("first seen", f"{clock(found.first_seen)} ({ago(found.first_seen)})"),
        ("last seen", f"{clock(found.last_seen)} ({ago(found.last_seen)}), {found.occurrences:,} times in all"),
        ("leads", str(found.leads)),
        ("held up", f"{found.stopped} stopped, {found.moving} under way again"),
    ]
    if found.acknowledged_at:
        pairs.append(("acknowledged", f"by {found.acknowledged_by}, {ago(found.acknowledged_at)}"))
    told = ", ".join(dict.fromkeys(each.route for each in alerts if each.told_at))
    pairs.append(("told", told or "nobody yet"))
    if found.mend:
        pairs.append(("what to do", text((found.mend, "bold"))))
    facts(pairs)
    if runs:
        say()
        show_runs(runs)
    if found.stopped:
        say()
        command = f"mainstay runs retry --failed --incident {short_id(found.id)}"
        say(text("once that is done: ", (command, "cyan")))
