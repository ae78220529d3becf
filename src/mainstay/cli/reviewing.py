"""``mainstay contacts merge | unmerge | suggestions``: who is one person, and who is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.people import BY, ContactArgument, YesOption, act_on, confirm, find_contact
from mainstay.cli.reading import Reading, read

if TYPE_CHECKING:
    from mainstay.app import App
    from mainstay.cli.command import Options
    from mainstay.identity import Merged, Parted
    from mainstay.insight.people import MergeRow, SuggestionRow

_MOST = 1000
_STATES = ("open", "accepted", "rejected")
KeepOption = Annotated[
    str, typer.Option(metavar="CONTACT", help="Whose values stand where they differ; the latest without it.")
]


def merge(
    ctx: typer.Context,
    one: ContactArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The contact that is the same person.")],
    keep: KeepOption = "",
    yes: YesOption = False,
) -> None:
    """Merge two contacts. The older id survives, the other leads to it; `unmerge` gives both back.

    Examples:
        mainstay contacts merge sarah@example.com 52bb90aa
        mainstay contacts merge 1f00c2ab 52bb90aa --keep 52bb90aa --yes
    """
    options = options_of(ctx)

    async def work(app: App, reading: Reading) -> Merged:
        both = await find_contact(reading, one), await find_contact(reading, other)
        kept = await find_contact(reading, keep) if keep else None
        if both[0].id == both[1].id:
            raise CommandError("these two are one contact already")
        if kept and kept.id not in {each.id for each in both}:
            raise CommandError(f'--keep "{keep}" is neither of the two')
        confirm(f"Are {both[0].name} and {both[1].name} one person?", options, yes=yes)
        return await app.contacts.merge(
            reading.workspace_id, both[0].id, both[1].id, by=BY, keep=kept.id if kept else None
        )

    _tell_merged(act_on(options, work), options)


def _tell_merged(merged: Merged, options: Options) -> None:
    from mainstay.cli.output import emit, facts, identifier, say, text
    from mainstay.model import short_id

    if options.as_json:
        emit(
            {
                "merge_id": merged.merge_id,
                "survivor_id": merged.survivor_id,
                "merged_id": merged.merged_id,
                "changed": merged.changed,
                "contact": merged.contact,
            }
        )
        return
    contact = merged.contact
    say(
        text(
            ("merged", "bold"),
            "  ",
            identifier(merged.merged_id),
            " into ",
            identifier(contact.id),
            f"  {contact.name}",
        )
    )
    facts([("changed", ", ".join(merged.changed) or "nothing")])
    say(text("if they are two after all: ", (f"mainstay contacts unmerge {short_id(merged.merged_id)}", "cyan")))


def unmerge(
    ctx: typer.Context,
    contact: Annotated[
        str,
        typer.Argument(metavar="CONTACT", help="The contact to part, or the id of the one that was merged into it."),
    ],
    merge_id: Annotated[str, typer.Option("--merge", metavar="ID", help="Which merge, where there are several.")] = "",
) -> None:
    """Undo a merge: each side has again what was said of it, also since. The two stay two from then on.

    Examples:
        mainstay contacts unmerge 52bb90aa
        mainstay contacts unmerge sarah@example.com --merge 1f00c2ab
    """
    options = options_of(ctx)

    async def work(app: App, reading: Reading) -> Parted:
        found = await _merge_meant(reading, contact, merge_id)
        return await app.contacts.unmerge(reading.workspace_id, found, by=BY)

    parted = act_on(options, work)
    from mainstay.cli.output import emit, identifier, say, text

    if options.as_json:
        emit({"merge_id": parted.merge_id, "contact": parted.contact, "restored": parted.restored})
        return
    for word, each in (("stays", parted.contact), ("is back", parted.restored)):
        say(text(identifier(each.id), f"  {each.name}  ", (word, "dim")))


async def _merge_meant(reading: Reading, text: str, merge_id: str) -> UUID:
    from mainstay.insight.paging import resolve_short_id
    from mainstay.insight.people import merges_of
    from mainstay.model import short_id

    found = await find_contact(reading, text)
    rows = await merges_of(reading.connection, reading.workspace_id, found.id)
    standing = [row for row in rows if row.undone_at is None]
    if merge_id:
        chosen = [row for row in standing if str(row.id) == merge_id or short_id(row.id) == merge_id]
    else:
        asked = await resolve_short_id(reading.connection, "contacts", reading.workspace_id, text)
        # The id of one that was merged says which merge is meant.
        chosen = [row for row in standing if row.merged_id in asked] or standing
    if not chosen:
        raise MissingError(f"no merge of {found.name} stands", f"See it: mainstay contacts show {short_id(found.id)}")
    if len(chosen) > 1:
        raise CommandError(f"{found.name} has several merges: {_listed(chosen)}", "Say which: --merge ID")
    return chosen[0].id


def _listed(rows: list[MergeRow]) -> str:
    from mainstay.cli.output import ago
    from mainstay.model import short_id

    return ", ".join(f"{short_id(row.id)} ({short_id(row.merged_id)}, {row.rule}, {ago(row.at)})" for row in rows)


def suggestions(
    ctx: typer.Context,
    verb: Annotated[str, typer.Argument(metavar="[accept|reject]", help="What to answer; without it, list.")] = "",
    suggestion: Annotated[str, typer.Argument(metavar="[ID]", help="A short or whole id.")] = "",
    keep: KeepOption = "",
    state: Annotated[str, typer.Option(help="open, accepted or rejected.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many.")] = 25,
) -> None:
    """List pairs that may be one person, or answer one: accept merges the two, reject keeps them as two for good.

    Examples:
        mainstay contacts suggestions
        mainstay contacts suggestions accept 1f00c2ab
        mainstay contacts suggestions reject 1f00c2ab
    """
    options = options_of(ctx)
    if state not in _STATES:
        raise CommandError(f'there is no state "{state}"', f"There are: {', '.join(_STATES)}.")
    if not verb:
        _list(options, state, limit)
        return
    if verb not in {"accept", "reject"} or not suggestion:
        raise CommandError(
            f'"{" ".join(filter(None, (verb, suggestion)))}" is no answer',
            "Say: mainstay contacts suggestions accept ID, or reject ID",
        )
    if verb == "accept":
        _tell_merged(_accept(options, suggestion, keep), options)
        return

    async def work(app: App, reading: Reading) -> UUID:
        found = await _find_suggestion(reading, suggestion)
        await app.contacts.reject(reading.workspace_id, found, by=BY)
        return found

    found = act_on(options, work)
    from mainstay.cli.output import emit

    if options.as_json:
        emit({"id": found, "state": "rejected"})
        return
    typer.echo("Kept as two, for good.")


def _accept(options: Options, suggestion: str, keep: str) -> Merged:
    async def work(app: App, reading: Reading) -> Merged:
        from mainstay.insight.people import suggestion_contacts

        found = await _find_suggestion(reading, suggestion)
        kept = (await find_contact(reading, keep)).id if keep else None
        if kept and kept not in (await suggestion_contacts(reading.connection, reading.workspace_id, found) or ()):
            raise CommandError(f'--keep "{keep}" is neither of the two')
        return await app.contacts.accept(reading.workspace_id, found, by=BY, keep=kept)

    return act_on(options, work)


async def _find_suggestion(reading: Reading, text: str) -> UUID:
    from mainstay.insight.paging import resolve_short_id

    found = await resolve_short_id(reading.connection, "suggestions", reading.workspace_id, text)
    if len(found) != 1:
        problem = MissingError if not found else CommandError
        raise problem(
            f'"{text}" is {"no suggestion" if not found else "several suggestions"}',
            "See them: mainstay contacts suggestions",
        )
    return found[0]


def _list(options: Options, state: str, limit: int) -> None:
    async def work(reading: Reading) -> tuple[tuple[SuggestionRow, ...], bool]:
        from mainstay.insight.people import list_suggestions

        rows, more = await list_suggestions(reading.connection, reading.workspace_id, state=state, size=limit)
        return rows, more is not None

    rows, is_more = read(options, work)
    from mainstay.cli.output import Column, emit, identifier, table

    if options.as_json:
        emit({"suggestions": rows, "more": is_more})
        return
    if not rows:
        typer.echo("Nothing waits for an answer." if state == "open" else f"No suggestion was {state}.")
        return
    table(
        [Column("id"), Column("sure", right=True), Column("one"), Column("other"), Column("why", grows=True)],
        [(identifier(row.id), _sure(row), *_both(row), "; ".join(map(str, row.reasons))) for row in rows],
    )


def _sure(row: SuggestionRow) -> str:
    from mainstay.insight.suggestions import probability

    sure = probability(row.rule, row.score)
    return "" if sure is None else f"{sure:.0%}"


def _both(row: SuggestionRow) -> tuple[Any, Any]:
    from mainstay.cli.output import identifier, text

    shown = [text(identifier(each.id), f" {each.name}") for each in row.contacts]
    return (*shown, text(("deleted", "dim")), text(("deleted", "dim")))[:2]  # type: ignore[return-value]
