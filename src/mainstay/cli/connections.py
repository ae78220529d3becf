"""``mainstay connections``: what the stack is wired to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.reading import choose

if TYPE_CHECKING:
    from mainstay.settings.stack import Stack

connections = group("What the stack is wired to, as stack.toml says.")


@connections.callback()
def _connections() -> None:
    """What the stack is wired to, as stack.toml says."""


@connections.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List connections with their roles, and sources with the addresses that their senders post to.

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
    wired, sources = _wired(stack), _sources(stack, base)
    from mainstay.cli.output import Column, emit, say, table, text

    if options.as_json:
        emit({"workspace": stack.slug, "connections": wired, "sources": sources})
        return
    say(text((stack.name, "bold")))
    table(
        [Column("connection"), Column("connector"), Column("roles", grows=True), Column("")],
        [
            (
                each["name"],
                each["title"],
                ", ".join(each["roles"]) or text(("none", "dim")),
                "system of record" if each["is_system_of_record"] else "",
            )
            for each in wired
        ],
    )
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


def _wired(stack: Stack) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "connector": entry.connector.name,
            "title": entry.connector.title,
            "roles": [role for role, chosen in stack.roles.items() if chosen == name],
            "is_system_of_record": name == stack.system_of_record,
        }
        for name, entry in stack.connections.items()
    ]


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
