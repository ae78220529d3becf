"""``mainstay monitors``: what should be heard of, and when: sources, leads' outcomes, jobs elsewhere and more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN, MissingError
from mainstay.cli.reading import Reading, act, program_settings, read
from mainstay.cli.watched import show_watched, state_of

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.cli.watched import Told
    from mainstay.insight.monitors import MonitorRow, PingRow
    from mainstay.settings.program import ProgramSettings

monitors = group("What should be heard of, and when: list, show, renew.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The monitor's name in stack.toml.")]


@monitors.callback()
def _monitors() -> None:
    """What should be heard of, and when: list, show, renew."""


@monitors.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List the monitors, those that are down first. Ends with 1 when one is down, so that a script can ask.

    Example: mainstay monitors list
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[MonitorRow, ...]:
        from mainstay.insight.monitors import list_monitors

        return await list_monitors(reading.connection, reading.workspace_id, datetime.now(UTC))

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, table

    if options.as_json:
        emit({"monitors": found})
    elif not found:
        typer.echo('Nothing is watched yet: add [monitors.nightly-backup] with every = "1d" to stack.toml,')
        typer.echo("and start it anew: mainstay up")
    else:
        table(
            [
                Column("monitor"),
                Column("kind"),
                Column("state"),
                Column("heard of", right=True),
                Column("expected", right=True),
                Column("when", grows=True),
            ],
            [
                (
                    row.name,
                    row.kind,
                    state_of(row.state),
                    ago(row.seen_at) if row.seen_at else "never",
                    ago(row.expected_at) if row.expected_at else "",
                    row.rule,
                )
                for row in found
            ],
        )
    if any(row.state == "down" for row in found):
        raise typer.Exit(BROKEN)


@monitors.command("show", cls=Command)
def show(
    ctx: typer.Context,
    name: NameArgument,
    kind: Annotated[str, typer.Option(help="Its kind, where several have the name: source, outcome, ping.")] = "",
) -> None:
    """Show what is expected, what was heard last, and what was found. A job's address is its key: keep it as a secret.

    Examples:
        mainstay monitors show nightly-backup
        mainstay monitors show website --kind source
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> tuple[MonitorRow, Told, str]:
        from mainstay.db import acquire
        from mainstay.insight.canaries import list_canaries
        from mainstay.insight.monitors import find_monitor, list_breaches, list_pings

        async with acquire(app.pool) as connection:
            found = await find_monitor(connection, workspace.id, name, datetime.now(UTC), kind=kind)
            if found is None:
                raise _missing(name)
            if found.kind == "outcome":
                return found, await list_breaches(connection, workspace.id, name), ""
            if found.kind == "canary":
                return found, await list_canaries(connection, workspace.id), ""
            if found.kind != "ping":
                return found, (), ""
            pings = await list_pings(connection, workspace.id, name)
        return found, pings, await app.ping_url(workspace.id, name)

    monitor, found, url = act(options, work)
    if monitor.kind != "ping":
        show_watched(monitor, found, as_json=options.as_json)
        return
    pings = cast("tuple[PingRow, ...]", found)
    from mainstay.cli.output import Column, ago, emit, facts, lasted, number, say, table, text

    url = _whole(url, program_settings(options))
    if options.as_json:
        emit({"monitor": monitor, "url": url, "pings": pings})
        return
    say(text((monitor.name, "bold"), "  ", state_of(monitor.state)))
    told = [("when", text(monitor.rule)), ("heard of", text(ago(monitor.seen_at) if monitor.seen_at else "never"))]
    if monitor.expected_at:
        told.append(("expected", text(ago(monitor.expected_at))))
    told.append(("address", text(url or "sealed with a key that is not here; make a new one: mainstay monitors renew")))
    facts(told)
    if url:
        say()
        say(text((f"curl -fsS -m 10 --retry 5 -o /dev/null {url}", "dim")))
    if not pings:
        return
    say()
    table(
        [
            Column("ping", right=True),
            Column("when", right=True),
            Column("signal"),
            Column("ran for", right=True),
            Column("said", grows=True),
        ],
        [
            (
                number(ping.number, "").strip(),
                ago(ping.at),
                text((ping.signal, "red" if ping.signal == "fail" else "")),
                lasted(ping.took.total_seconds() * 1000) if ping.took is not None else "",
                " ".join([f"exit code {ping.exit_status}"] * (ping.exit_status is not None) + ping.body.split()),
            )
            for ping in pings
        ],
    )


@monitors.command("renew", cls=Command)
def renew(ctx: typer.Context, name: NameArgument) -> None:
    """Give a monitor another address; the old one takes no pings any more.

    Example: mainstay monitors renew nightly-backup
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> str:
        try:
            return await app.renew_ping_url(workspace.id, name)
        except LookupError:
            raise _missing(name) from None

    url = _whole(act(options, work), program_settings(options))
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit({"monitor": name, "url": url})
        return
    say(text(("✓ ", "green"), f"{name} has a new address; change it where the job runs:"))
    say(text(url), indent=2)


def _missing(name: str) -> MissingError:
    return MissingError(f'the stack has no monitor "{name}"', "See them: mainstay monitors list")


def _whole(url: str, program: ProgramSettings) -> str:
    """Return an address with where this machine listens, where no public one is set."""
    return f"http://{program.host}:{program.port}{url}" if url.startswith("/") else url
