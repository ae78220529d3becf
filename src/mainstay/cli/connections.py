"""``mainstay connections``: what the stack is wired to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, Options, group, options_of
from mainstay.cli.errors import BROKEN, MissingError
from mainstay.cli.reading import Reading, act, choose, read

if TYPE_CHECKING:
    from mainstay.access import Checked
    from mainstay.app import App, Workspace
    from mainstay.insight import AccessRow, GateRow, PullRow
    from mainstay.settings.stack import ConnectionEntry, Stack

connections = group("What the stack is wired to, as stack.toml says, and how it goes there.")


@connections.callback()
def _connections() -> None:
    """What the stack is wired to, as stack.toml says, and how it goes there."""


@connections.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List connections with their roles and state, and sources with the addresses that their senders post to.

    Example: mainstay connections list
    """
    from mainstay.cli.reading import program_settings
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack

    options = options_of(ctx)
    program = program_settings(options)
    stacks = [load_stack(path, Environment.load(path.resolve().parent)) for path in options.stacks]
    slug = choose(options.workspace, [stack.slug for stack in stacks])
    stack = next(stack for stack in stacks if stack.slug == slug)
    base = program.public_url or f"http://{program.host}:{program.port}"
    seen = _seen(options, slug)
    gates = {gate.name: gate for gate in seen[0]}
    access = {each.name: each for each in seen[1]}
    pulls = {each.name: each for each in seen[2]}
    wired, sources = _wired(stack, gates, access, pulls), _sources(stack, base)
    from mainstay.cli.output import Column, emit, say, table, text

    if options.as_json:
        emit({"workspace": stack.slug, "connections": wired, "sources": sources})
        return
    say(text((stack.name, "bold")))
    table(
        [
            Column("connection"),
            Column("connector"),
            Column("roles", grows=True),
            Column("state", grows=True),
            Column("access", grows=True),
            Column("used", grows=True),
            Column("held"),
            Column(""),
        ],
        [
            (
                each["name"],
                each["title"],
                ", ".join(each["roles"]) or text(("none", "dim")),
                text((state_of(gates.get(each["name"])), "yellow" if each["state"] not in {"", "open"} else "")),
                text((each["access"], "" if each["access"] in {"", "connected"} else "yellow")),
                used_of(gates.get(each["name"])),
                str(gates[each["name"]].held) if each["name"] in gates else "",
                "system of record" if each["is_system_of_record"] else "",
            )
            for each in wired
        ],
    )
    for pull in pulls.values():
        say(text((pulled_of(pull), "dim")))
    if not sources:
        say(text(('\nNo sources yet: add [sources.website] with kind = "form"', "dim")))
        return
    say()
    table(
        [Column("source"), Column("kind"), Column("senders post to")],
        [
            (each["name"], each["title"], each["url"] or text(("mainstay import contacts FILE", "cyan")))
            for each in sources
        ],
    )


@connections.command("pause", cls=Command)
def pause(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in stack.toml.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the connections' page.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who; yourself when not given.")] = "",
) -> None:
    """Stop all calls to a connection, in every worker within a second. Its runs are held, and nothing is lost.

    Example: mainstay connections pause ghl --reason "moving to a new location"
    """
    from mainstay.gates import Pause

    who = by or getuser()
    _tell(ctx, name, "paused", lambda app, workspace: app.gates.pause(workspace.id, name, Pause(who, reason)))


@connections.command("resume", cls=Command)
def resume(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in stack.toml.")],
) -> None:
    """Let calls go again: ends a pause and the rest that a vendor asked for, and tries at once one that was out.

    Example: mainstay connections resume ghl
    """
    _tell(ctx, name, "resumed", lambda app, workspace: app.gates.resume(workspace.id, name))


@connections.command("check", cls=Command)
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One connection; all when not given.")] = "",
) -> None:
    """Make one harmless call with each connection, and say whose account it is, or what is wrong.

    Examples:
        mainstay connections check
        mainstay connections check hubspot --json
    """
    from mainstay.cli.output import Column, emit, table, text

    options = options_of(ctx)
    found = act(options, lambda app, workspace: _check(app, workspace, name))
    if options.as_json:
        emit({"connections": found})
    else:
        styles = {"ok": ("✓ ", "green"), "failed": ("✗ ", "red"), "no answer": ("~ ", "yellow")}
        rows = []
        for each in found:
            mark, style = styles.get(each.state, ("- ", "dim"))
            rows.append((each.name, each.title, text((f"{mark}{each.state}", style)), each.text))
        table([Column("connection"), Column("connector"), Column("check"), Column("", grows=True)], rows)
    if not all(each.is_good for each in found):
        raise typer.Exit(BROKEN)


async def _check(app: App, workspace: Workspace, name: str) -> list[Checked]:
    import asyncio

    from mainstay.access import check

    known = workspace.stack.connections
    if name and name not in known:
        raise MissingError(f'there is no connection "{name}" in stack.toml', "See them: mainstay connections list")
    return await asyncio.gather(
        *(
            check(each, entry.connector, entry.settings, app.open_http(workspace.id, each, ""))
            for each, entry in known.items()
            if not name or each == name
        )
    )


def _tell(ctx: typer.Context, name: str, word: str, verb: Callable[[App, Workspace], Awaitable[bool]]) -> None:
    from mainstay.cli.output import emit

    options = options_of(ctx)
    try:
        is_done = act(options, verb)
    except LookupError as error:
        raise MissingError(str(error.args[0]), "See them: mainstay connections list") from error
    if options.as_json:
        emit({"connection": name, word: is_done})
    elif is_done:
        typer.echo(f"{name} is {word}")
    else:
        typer.echo(f"{name} was {'paused already' if word == 'paused' else 'not stopped'}; nothing was changed")


_Seen = tuple["tuple[GateRow, ...]", "tuple[AccessRow, ...]", "tuple[PullRow, ...]"]


def _seen(options: Options, slug: str) -> _Seen:
    async def work(reading: Reading) -> _Seen:
        from mainstay.insight import list_access, list_gates, list_pulls

        gates = await list_gates(reading.connection, reading.workspace_id)
        access = await list_access(reading.connection, reading.workspace_id)
        return gates, access, await list_pulls(reading.connection, reading.workspace_id, datetime.now(UTC))

    return read(replace(options, workspace=slug), work)


def state_of(gate: GateRow | None) -> str:
    """Say what stops a connection."""
    from mainstay.cli.output import ago

    if gate is None:
        return ""
    by = f" by {gate.by}" if gate.by else ""
    why = f": {gate.reason}" if gate.reason else ""
    return {
        "paused": f"paused{by} {ago(gate.since)}{why}",
        "out": f"out since {ago(gate.since)}, tried again {ago(gate.until)}{why}",
        "resting": f"rests until {ago(gate.until)}, as its vendor asked",
    }.get(gate.state, "open")


def access_of(access: AccessRow | None, *, is_by_person: bool) -> str:
    """Say how a connection by OAuth 2 stands; empty of one with a fixed token."""
    from mainstay.cli.output import ago

    if access is None:
        return "not connected yet" if is_by_person else ""
    if access.needs_person:
        return f"must be connected anew, since {ago(access.since)}"
    return f"connected, ends {ago(access.ends_at)}" if access.ends_soon else "connected"


def pulled_of(pull: PullRow) -> str:
    """Say how far a connection is read, and what came by that alone."""
    from mainstay.cli.output import ago, number

    read = f"read {ago(pull.pulled_at)}" if pull.pulled_at else "not read yet"
    missed = f", {pull.missed:,} that no webhook had brought" if pull.missed else ""
    stopped = "; the pull has failed: mainstay incidents list" if pull.run_state == "failed" else ""
    return f"{pull.name}: what changed there was {read}; of 7 days {number(pull.brought, 'change')}{missed}{stopped}"


def used_of(gate: GateRow | None) -> str:
    """Say how much of an account's budget is used."""
    windows = gate.windows if gate is not None else ()
    return ", ".join(f"{each.used:,} of {each.allowed:,} in {span_of(each.seconds)}" for each in windows)


def span_of(seconds: float) -> str:
    """Return a window's length as stack.toml writes it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _wired(
    stack: Stack, gates: Mapping[str, GateRow], access: Mapping[str, AccessRow], pulls: Mapping[str, PullRow]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "access": access_of(access.get(name), is_by_person=_is_by_person(entry)),
            "access_ends_at": access[name].ends_at if name in access else None,
            "connector": entry.connector.name,
            "title": entry.connector.title,
            "roles": [role for role, chosen in stack.roles.items() if chosen == name],
            "is_system_of_record": name == stack.system_of_record,
            "state": gates[name].state if name in gates else "",
            "gate": gates.get(name),
            "pull": pulls.get(name),
        }
        for name, entry in stack.connections.items()
    ]


def _is_by_person(entry: ConnectionEntry) -> bool:
    oauth = entry.connector.oauth(entry.settings) if entry.connector.oauth else None
    return oauth is not None and oauth.grant == "authorization_code"


def _sources(stack: Stack, base: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "kind": entry.kind.name,
            "title": entry.kind.title,
            "url": "" if entry.kind.name == "csv" else f"{base}/in/{stack.slug}/{name}",
        }
        for name, entry in stack.sources.items()
    ]
