"""``mainstay contacts suggest``: the audit of a list, without a stack, database or server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Options, options_of
from mainstay.cli.errors import BROKEN

if TYPE_CHECKING:
    from mainstay.cli.suggesting import Audit


def suggest(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    book: Annotated[Path, typer.Argument(metavar="BOOK", help="A CSV or Parquet file: one contact a line.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the pairs go, as CSV: a, b, score, reasons.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="FIELD=COLUMN", help='Which column is which field; may be repeated. "id=": lines.'
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="The least probability of a pair that is written.")
    ] = 0.5,
    region: Annotated[
        str, typer.Option(metavar="CC", help="The country of phone numbers without a code. Left out: found by itself.")
    ] = "",
    only_suggestions: Annotated[
        bool, typer.Option("--only-suggestions", help="Leave out pairs with the same e-mail or phone.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every refused line here, as CSV, with the reason.")
    ] = None,
) -> None:
    """Find the contacts of a file that are probably one person, with the reasons. Needs no stack and no database.

    Columns with the usual names (id, e-mail, phone, first and last name, company, address, city, zip, country, birth
    date) are recognised. The score is a probability: of the pairs at 0.9, nine in ten are the same person.

    Examples:
        mainstay contacts suggest customers.csv --out pairs.csv
        mainstay contacts suggest customers.csv --out pairs.csv --threshold 0.8 --map "email=E-mail 1" --region GB
    """
    from mainstay.cli.suggesting import audit

    options = options_of(ctx)
    found = audit(
        book,
        out,
        mapping=mapping or [],
        threshold=threshold,
        region=region,
        is_without_identifier=only_suggestions,
        report=report,
    )
    _tell(options, found, book=book, out=out, report=report)
    if found.refused:
        raise typer.Exit(BROKEN)


def _tell(options: Options, found: Audit, *, book: Path, out: Path, report: Path | None) -> None:
    from mainstay.cli.output import emit, facts, number, say, text

    if options.as_json:
        emit(
            {
                "file": str(book),
                "out": str(out),
                "columns": found.columns,
                "region": found.region,
                "contacts": found.contacts,
                "refused": found.refused,
                "first_refusals": [{"line": line, "reason": reason} for line, reason in found.first_refusals],
                "report": str(report) if report else None,
                "compared": found.compared,
                "pairs": sum(pairs for _, pairs, _ in found.bands),
                "with_identifier": sum(shared for _, _, shared in found.bands),
                "bands": [
                    {"score": band, "pairs": pairs, "with_identifier": shared} for band, pairs, shared in found.bands
                ],
                "seconds": round(found.seconds, 3),
            }
        )
        return
    say(text((book.name, "bold"), f" · {found.contacts:,} contacts in {found.seconds:.1f} s"))
    used = ", ".join(f"{field}: {column}" for field, column in found.columns.items())
    rows: list[tuple[str, Any]] = [("columns", used), ("compared", number(found.compared, "pair"))]
    if found.refused:
        rows.append(("refused", text((f"{found.refused:,} ✗", "red"))))
    pairs = sum(count for _, count, _ in found.bands)
    rows.append(("suggested", text((number(pairs, "pair"), "bold"))))
    facts(rows)
    for band, count, shared in found.bands:
        said = f"  ({shared:,} with the same e-mail or phone)" if shared else ""
        say(text(f"{band:>12}  ", f"{count:,}", (said, "dim")))
    for line, reason in found.first_refusals:
        say(text((f"line {line}: ", "bold"), (reason, "red")), indent=4)
    if found.refused > len(found.first_refusals):
        say(text((f"and {found.refused - len(found.first_refusals):,} more", "dim")), indent=4)
    if found.refused and not report:
        say(text(("All of them in a file: add --report refused.csv", "cyan")))
    say(text((f"Written: {out}", "cyan")))
