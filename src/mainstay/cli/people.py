"""Whom a command means, how it asks before it does what cannot be taken back, and how it tells what was done."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from mainstay.cli.errors import CommandError, MissingError

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.cli.command import Options
    from mainstay.cli.reading import Reading
    from mainstay.contacts import Outcome
    from mainstay.model import Contact

BY = "command line"
Result = TypeVar("Result")

ContactArgument = Annotated[
    str, typer.Argument(metavar="CONTACT", help="A short or whole id, an e-mail or a phone number.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


async def find_contact(reading: Reading, text: str) -> Contact:
    """Return the one contact that a person means; the id of one that was merged means what took it in.

    Raises:
        MissingError: there is none.
        CommandError: there are several.
    """
    from mainstay.insight.people import means, people_with

    kind, value = _identifier(text, reading.region)
    if kind:
        page = await people_with(reading.connection, reading.workspace_id, kind, value, size=5)
        if not page.items:
            raise MissingError(f'no contact in {reading.slug} has "{text}"', "See them: mainstay contacts list")
        if len(page.items) > 1:
            raise CommandError(f'"{text}" is several contacts: {_named(page.items)}', "Say which by its id.")
        return page.items[0]
    found = await means(reading.connection, reading.workspace_id, await reading.find("contacts", "contact", text))
    if found is None or found[1]:
        raise MissingError(f'the contact "{text}" was deleted')
    return found[0]


def _identifier(text: str, region: str) -> tuple[str, str]:
    """Return what kind of identifier a text is, and its canonical form; empty for an id."""
    from mainstay.identity.normalisation import normalise_email, normalise_phone
    from mainstay.insight.paging import id_in, short_id_in

    if id_in(text) or short_id_in(text):
        return "", ""
    found = normalise_email(text) if "@" in text else normalise_phone(text, region)
    if not found.canonical:
        raise MissingError(f'"{text}" is neither an id nor an e-mail or phone number that can be read: {found.reason}')
    return ("email" if "@" in text else "phone"), found.canonical


def _named(contacts: Iterable[Contact]) -> str:
    from mainstay.model import short_id

    return ", ".join(f"{short_id(each.id)} ({each.name})" for each in contacts)


def act_on(options: Options, work: Callable[[App, Reading], Awaitable[Result]]) -> Result:
    """Do ``work`` with the whole app, and a workspace to look things up in."""
    from mainstay.cli.reading import Reading, act
    from mainstay.db import acquire

    async def with_reading(app: App, workspace: Workspace) -> Result:
        stack = workspace.stack
        async with acquire(app.pool) as connection:
            return await work(app, Reading(connection, workspace.id, workspace.slug, stack.name, stack.region))

    return act(options, with_reading, pool_size=3)


def confirm(question: str, options: Options, *, yes: bool) -> None:
    """Ask, unless that was answered beforehand.

    Raises:
        CommandError: there is nobody to ask.
        typer.Exit: the answer is no.
    """
    if yes:
        return
    if options.as_json or not sys.stdin.isatty():
        raise CommandError("this is not done without being asked", "Say --yes to do it without.")
    if not typer.confirm(question):
        typer.echo("Nothing was done.")
        raise typer.Exit(1)


def tell_outcome(outcome: Outcome, options: Options) -> None:
    """Say what became of a write."""
    from mainstay.cli.output import emit, facts, identifier, say, text
    from mainstay.contacts import outcome_to_json

    if options.as_json:
        emit(outcome_to_json(outcome) | {"contact": outcome.contact})
        return
    name = outcome.contact.name if outcome.contact else ""
    say(text((outcome.outcome, "bold"), "  ", identifier(outcome.contact_id), f"  {name}"))
    pairs: list[tuple[str, Any]] = [
        ("found by", outcome.rule if outcome.contact_id and outcome.rule not in {"new", "id"} else ""),
        ("changed", ", ".join(outcome.changed) if outcome.outcome == "updated" else ""),
        ("merged", _ids(outcome.merged)),
        ("to review", _ids(outcome.suggestions)),
        ("flags", ", ".join(outcome.flags)),
        ("note", outcome.note),
    ]
    facts((name, value) for name, value in pairs if value)


def _ids(ids: Iterable[UUID]) -> str:
    from mainstay.model import short_id

    return ", ".join(short_id(each) for each in ids)


def read_custom(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` options.

    Raises:
        CommandError: one has no ``=`` or no key.
    """
    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise CommandError(f"--custom {pair!r} is not KEY=VALUE", "Like: --custom roof=slate")
        found[key.strip()] = value
    return found
