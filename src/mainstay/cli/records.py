"""``mainstay records``: deals, invoices, tasks and the like, as the systems that are right about them say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import Reading, read
from mainstay.model import RECORD_FIELDS, RECORD_TYPES
from mainstay.recording import BY_HAND

if TYPE_CHECKING:
    from mainstay.insight.records import RecordDetail, RecordRow
    from mainstay.model import RecordType

records = group("Deals, invoices, tasks and the like: list, show.")
_MOST = 1000


@records.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help=f"One of {', '.join(RECORD_TYPES)}.")],
    status: Annotated[str, typer.Option(metavar="STATUS", help="Only those of this status.")] = "",
    contact: Annotated[str, typer.Option(metavar="CONTACT", help="Only those of this contact: an id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List records of one type, the newest first.

    Examples:
        mainstay records list invoice
        mainstay records list task --status open
    """
    options = options_of(ctx)
    of = _type(kind)

    async def work(reading: Reading) -> tuple[tuple[RecordRow, ...], bool]:
        from mainstay.insight.records import list_records

        contact_id = await reading.find("contacts", "contact", contact) if contact else None
        page = await list_records(
            reading.connection, reading.workspace_id, of, status=status, contact_id=contact_id, size=limit
        )
        return page.items, page.before is not None

    found, is_more = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, table

    if options.as_json:
        emit({"records": found, "more": is_more})
        return
    if not found:
        typer.echo(f"No {of} yet. They come by the sources and pulls of the system that has them, and by workflows.")
        return
    table(
        [
            Column(of, grows=True),
            Column("status"),
            Column("contact", grows=True),
            Column("changed", right=True),
            Column("record"),
        ],
        [
            (
                row.title,
                "deleted there" if row.gone_at else row.values.get("status", ""),
                row.contact_name,
                ago(row.updated_at),
                identifier(row.id),
            )
            for row in found
        ],
    )
    if is_more:
        typer.echo(f"\nThere are more: --limit {min(limit * 4, _MOST)}")


@records.command("show", cls=Command)
def show(
    ctx: typer.Context,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="A short or whole id.")],
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How much of its story, the newest first.")] = 25,
) -> None:
    """Show a record: its values, whose word each is, its ids in each system, and all that was said of it.

    Example: mainstay records show 52bb90aa
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> RecordDetail:
        from mainstay.insight.records import record_detail

        record_id = await reading.find("records", "record", record)
        detail = await record_detail(reading.connection, reading.workspace_id, record_id, latest=limit)
        if detail is None:
            raise MissingError(f'there is no record "{record}" in {reading.slug}', "See them: mainstay records list")
        return detail

    detail = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit(detail)
        return
    _show(detail)


def _show(detail: RecordDetail) -> None:
    from mainstay.cli.output import Column, ago, identifier, say, table, text

    row = detail.record
    of = f" of {row.contact_name}" if row.contact_name else ""
    gone = ", deleted there" if row.gone_at else ""
    say(text((f"{row.type} ", "dim"), (row.title or "without a name", "bold"), f"{of}{gone}  ", identifier(row.id)))
    for system, external_id in detail.ids.items():
        say(text((f"  in {system}: {external_id}", "dim")))
    known = list(RECORD_FIELDS[row.type])
    names = sorted(row.values, key=lambda name: (known.index(name) if name in known else len(known), name))
    typer.echo("")
    table(
        [Column("field"), Column("value", grows=True), Column("from"), Column("said", right=True)],
        [
            (
                name,
                row.values[name],
                "" if (origin := detail.origins.get(name)) is None else _whose(origin.connection, origin.source),
                ago(origin.said_at) if origin else "",
            )
            for name in names
        ],
    )
    typer.echo("")
    for change in detail.changes:
        say(text((f"{ago(change.at):>14}  ", "dim"), _whose(change.connection, change.source)))
        for name, value in change.after.items():
            before = change.before.get(name, "")
            typer.echo(f"{'':16}{name}: {f'{before} → ' if before else ''}{value or 'cleared'}")
        for name, value in change.refused.items():
            typer.echo(f'{"":16}{name}: "{value}" does not stand, as another system is right about it')
    if detail.has_more:
        typer.echo(f"\nThere is more: --limit {_MOST}")


def _whose(connection: str, source: str) -> str:
    if not connection:
        return source.removeprefix(BY_HAND) + ", in Mainstay"
    return connection if source == connection else f"{connection} through {source}"


def _type(word: str) -> RecordType:
    if word not in RECORD_TYPES:
        raise CommandError(f'there is no type of record "{word}"', f"Known: {', '.join(RECORD_TYPES)}.")
    return word
