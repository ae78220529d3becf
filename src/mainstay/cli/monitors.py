"""``mainstay monitors``: jobs elsewhere that say that they ran."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN, MissingError
from mainstay.cli.reading import Reading, act, program_settings, read

if TYPE_CHECKING:
    from rich.text import Text

    from mainstay.app import App, Workspace
    from mainstay.insight.monitors import MonitorRow, PingRow
    from mainstay.settings.program import ProgramSettings

monitors = group("Jobs elsewhere that say that they ran: list, show, renew.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The monitor's name in stack.toml.")]
_LOOKS = {"down": "red", "late": "yellow", "running": "cyan", "up": "green", "new": "dim"}
_WORDS = {"new": "not heard of yet"}


@monitors.callback()
def _monitors() -> None:
    """Jobs elsewhere that say that they ran: list, show, renew."""


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
        typer.echo(
            'Nothing is watched from outside yet: add [monitors.nightly-backup] with every = "1d" to stack.toml,'
        )
        typer.echo("start it anew, then: mainstay monitors show nightly-backup")
    else:
        table(
            [
                Column("monitor"),
                Column("state"),
                Column("heard of", right=True),
                Column("expected", right=True),
                Column("when", grows=True),
            ],
            [
                (
                    row.name,
                    _state(row.state),
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
def show(ctx: typer.Context, name: NameArgument) -> None:
    """Show a monitor's address and its last pings. Who has the address can ping in its name: keep it as a secret.

    Example: mainstay monitors show nightly-backup
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> tuple[MonitorRow, tuple[PingRow, ...], str]:
        from mainstay.db import acquire
        from mainstay.insight.monitors import find_monitor, list_pings

        async with acquire(app.pool) as connection:
            found = await find_monitor(connection, workspace.id, name, datetime.now(UTC))
            if found is None:
                raise _missing(name)
            pings = await list_pings(connection, workspace.id, name)
        return found, pings, await app.ping_url(workspace.id, name)

    monitor, pings, url = act(options, work)
    from mainstay.cli.output import Column, ago, emit, facts, lasted, number, say, table, text

    url = _whole(url, program_settings(options))
    if options.as_json:
        emit({"monitor": monitor, "url": url, "pings": pings})
        return
    say(text((monitor.name, "bold"), "  ", _state(monitor.state)))
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


def _state(name: str) -> Text:
    from mainstay.cli.output import text

    return text((_WORDS.get(name, name), _LOOKS[name]))
