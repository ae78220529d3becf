"""``mainstay import``: bring in what another program exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, Options, group, options_of
from mainstay.cli.errors import BROKEN, CommandError

if TYPE_CHECKING:
    from mainstay.cli.importing import Tally
    from mainstay.intake import SourceBinding

imports = group("Bring in what another program exported.")


@imports.callback()
def _imports() -> None:
    """Bring in what another program exported."""


@imports.command("contacts", cls=Command)
def contacts(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV file whose first line names the columns; with --bulk also .ndjson, .jsonl or .parquet.",
        ),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Which column is which field; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check every line, write nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every refused line here, as CSV, with the reason.")
    ] = None,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="A list, not leads: no workflow starts, nobody is told. Fast.")
    ] = False,
    as_leads: Annotated[
        bool, typer.Option("--as-leads", help="Each line is a lead, also in a file of more than 10,000.")
    ] = False,
    as_of: Annotated[
        str,
        typer.Option(
            metavar="DATE",
            help="With --bulk: when the values were true that carry no time. Else when the file was last written.",
        ),
    ] = "",
) -> None:
    """Bring in contacts. Each line is a lead like any other: it is matched, kept, shown, and starts workflows.

    With --bulk the file is a list of people one has already: they are matched by the same rules, at many thousand
    lines a second, and nothing else happens. See docs/import.md.

    Columns with the usual names (e-mail, phone, first name, company, ...) are recognised; the rest become custom
    fields. Interrupted or run again, it goes on where it was: a line that is in already is not taken twice.

    Examples:
        mainstay import contacts customers.csv --dry-run --report refused.csv
        mainstay import contacts customers.csv --map "email=E-mail 1" --map "custom.plan=Tarif"
        mainstay import contacts old-crm.csv --bulk --as-of 2021-06-30 --map "do_not_contact=Opted Out"
    """
    from mainstay.cli.importing import Tally, check_columns, check_size, prepare

    options = options_of(ctx)
    fields = _fields(mapping or [])
    if bulk:
        from mainstay.cli.import_bulk import bring_in_bulk

        bring_in_bulk(options, file, fields, as_of=as_of, dry_run=dry_run, report=report)
        return
    prepared = prepare(file)
    if not (as_leads or dry_run):
        check_size(prepared)
    check_columns(prepared.layout, fields)
    tally = Tally(report, prepared.layout)
    try:
        with tally:
            name = _dry(options, prepared, fields, tally) if dry_run else _bring_in(options, prepared, fields, tally)
    except KeyboardInterrupt:
        typer.echo(f"\nStopped: {tally.kept:,} lines are in. Run the same again, and it goes on from there.", err=True)
        raise typer.Exit(130) from None
    _tell(options, prepared, tally, source=name, dry_run=dry_run, report=report)
    if tally.refused:
        raise typer.Exit(BROKEN)


def _fields(mapping: list[str]) -> dict[str, str]:
    fields = {}
    for entry in mapping:
        field, mark, column = entry.partition("=")
        if not (mark and field.strip() and column.strip()):
            raise CommandError(f'--map "{entry}" names no field and column', 'Write --map "email=E-mail 1".')
        fields[field.strip()] = column.strip()
    return fields


def _dry(options: Options, prepared: Any, fields: dict[str, str], tally: Tally) -> str:
    """Check every line, with the stack's settings and without a database."""
    from uuid import UUID

    from mainstay.app import Bundle, Workspace
    from mainstay.cli.importing import check_lines, source_of
    from mainstay.cli.reading import choose
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack

    stacks = [load_stack(path, Environment.load(path.resolve().parent)) for path in options.stacks]
    slug = choose(options.workspace, [stack.slug for stack in stacks])
    stack = next(stack for stack in stacks if stack.slug == slug)
    source = source_of(Workspace(UUID(int=0), Bundle(stack, ())), fields)
    check_lines(prepared, source, tally)
    return source.name


def _bring_in(options: Options, prepared: Any, fields: dict[str, str], tally: Tally) -> str:
    from mainstay.cli.importing import bring_in, source_of
    from mainstay.cli.reading import act

    async def work(app: Any, workspace: Any) -> str:
        source: SourceBinding = source_of(workspace, fields)
        await bring_in(prepared, source, app, tally)
        return source.name

    return act(options, work, pool_size=4)


def _tell(options: Options, prepared: Any, tally: Tally, *, source: str, dry_run: bool, report: Path | None) -> None:
    from mainstay.cli.output import emit, facts, number, say, text

    lines = tally.kept + tally.repeated + tally.refused
    seconds = tally.seconds
    rate = lines / seconds if seconds else 0.0
    if options.as_json:
        emit(
            {
                "file": str(prepared.path),
                "sha256": prepared.digest,
                "source": source,
                "dry_run": dry_run,
                "lines": lines,
                "accepted": tally.kept,
                "repeated": tally.repeated,
                "refused": tally.refused,
                "seconds": round(seconds, 3),
                "lines_per_second": round(rate, 1),
                "report": str(report) if report else None,
                "first_refusals": [{"line": line, "reason": reason} for line, reason in tally.first],
            }
        )
        return
    title = "checked, nothing was written" if dry_run else "brought in"
    took = f"{number(lines, 'line')} in {seconds:.1f} s ({rate:,.0f} lines/s)"
    say(text((prepared.path.name, "bold"), f" · {title} · {took}"))
    rows: list[tuple[str, Any]] = [("can be taken" if dry_run else "accepted", f"{tally.kept:,}")]
    if not dry_run:
        rows.append(("in already", f"{tally.repeated:,}"))
    rows.append(
        ("refused", text((f"{tally.refused:,}{' ✗' if tally.refused else ''}", "red" if tally.refused else "")))
    )
    if tally.remarks:
        rows.append(
            (
                "taken without",
                f"{number(tally.remarks, 'value')} that cannot be an e-mail address or phone number",
            )
        )
    facts(rows)
    for line, reason in tally.first:
        say(text((f"line {line}: ", "bold"), (reason, "red")), indent=4)
    if tally.refused > len(tally.first):
        say(text((f"and {tally.refused - len(tally.first):,} more", "dim")), indent=4)
    if tally.refused:
        where = f"All of them: {report}" if report else "All of them in a file: add --report refused.csv"
        say(text((where, "cyan")))
    if not dry_run and tally.kept:
        say(text(("They are queued. With no worker running, start one: mainstay up", "dim")))
