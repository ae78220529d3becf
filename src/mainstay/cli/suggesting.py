"""The audit itself: a file's contacts read, compared, and the pairs written."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstay.cli.book import Book, open_book
from mainstay.cli.errors import CommandError
from mainstay.cli.importing import Tally
from mainstay.identity.suggestions import Builder, Columns, Suggestions, read, suggest, why

if TYPE_CHECKING:
    from collections.abc import Callable

BANDS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.0)
_SAID_EVERY = 2000


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. A band: its scores, its pairs, and how many of those share a canonical e-mail or phone."""

    columns: dict[str, str]
    region: str
    contacts: int
    refused: int
    first_refusals: Sequence[tuple[int, str]]
    compared: int
    bands: Sequence[tuple[str, int, int]]
    seconds: float


def audit(
    path: Path,
    out: Path,
    *,
    mapping: Sequence[str],
    threshold: float,
    region: str,
    is_without_identifier: bool,
    report: Path | None,
) -> Audit:
    """Compare the contacts of a file and write the pairs that reach ``threshold``.

    Raises:
        CommandError: the file, a column or the place to write to cannot be used.
    """
    began = time.monotonic()
    check_writable(out)
    book = open_book(path, mapping)
    region = region.upper() or book.region()
    tally = Tally(report, book.layout)
    with progress(path.name) as say:
        with tally:
            ids, columns = _read(book, region, tally, say)
        found = suggest(columns, least=threshold, processes=os.cpu_count() or 1, on_progress=say)
        bands = _write(out, ids, columns, found, is_without_identifier=is_without_identifier, say=say)
    return Audit(
        dict(book.fields), region, tally.kept, tally.refused, tally.first, found.candidates, bands,
        time.monotonic() - began,
    )  # fmt: skip


def check_writable(out: Path) -> None:
    """Raise a CommandError where no file can be written."""
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"cannot be made: there is no folder {out.parent}"
        raise CommandError(f"--out {out} {what}", "Name a file: --out pairs.csv")


def _read(book: Book, region: str, tally: Tally, say: Callable[[str, int, int], None]) -> tuple[list[str], Columns]:
    """Fold every contact; refuse those of which nothing can be compared, and ids that come twice."""
    builder, ids, seen = Builder(), list[str](), set[str]()
    for row in book.rows():
        problem, identifier, contact = row.problem, book.id_of(row), None
        if not problem:
            contact = read(book.record(row), region)
            if not (contact.name or contact.email or contact.phone or contact.company):
                problem = "no name, e-mail, phone or company: nothing to compare"
            elif identifier in seen:
                problem = f'the id "{identifier}" came before: --map "id=" numbers the lines instead'
        if problem or contact is None:
            tally.refuse(row, problem)
            continue
        seen.add(identifier)
        ids.append(identifier)
        builder.add(contact)
        tally.kept += 1
        if tally.kept % _SAID_EVERY == 0:
            say("reading", tally.kept, max(book.size, tally.kept))
    return ids, builder.done()


def _write(
    out: Path,
    ids: Sequence[str],
    columns: Columns,
    found: Suggestions,
    *,
    is_without_identifier: bool,
    say: Callable[[str, int, int], None],
) -> list[tuple[str, int, int]]:
    counts = {least: [0, 0] for least in BANDS}
    rows = zip(
        found.left.tolist(),
        found.right.tolist(),
        found.scores.tolist(),
        found.has_identifier.tolist(),
        why(columns, found),
        strict=True,
    )
    with written(out) as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "score", "reasons"])
        for done, (left, right, score, is_shared, reasons) in enumerate(rows):
            if done % _SAID_EVERY == 0:
                say("writing", done, len(found))
            if is_shared and is_without_identifier:
                continue
            writer.writerow([ids[left], ids[right], f"{score:.4f}", ", ".join(reasons)])
            band = counts[next(least for least in BANDS if score >= least)]
            band[0] += 1
            band[1] += is_shared
    return [(band_title(least), counts[least][0], counts[least][1]) for least in BANDS if counts[least][0]]


def band_title(least: float) -> str:
    """Return what the band that begins at a score is called."""
    return f"{least:.2f} and up" if least else f"under {BANDS[-2]:.2f}"


@contextmanager
def written(out: Path) -> Iterator[Any]:
    """Write beside the place first: what is there is whole, or the old one."""
    half = out.with_name(f".{out.name}.part")
    try:
        with half.open("w", encoding="utf-8", newline="") as file:
            yield file
        half.replace(out)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        half.unlink(missing_ok=True)


@contextmanager
def progress(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on stderr while a person watches."""
    from mainstay.cli.output import console

    to = console(stderr=True)
    if not to.is_terminal:
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=to, transient=True) as shown:
        task = shown.add_task(name, total=None)

        def say(what: str, done: int, of: int) -> None:
            shown.update(task, description=f"{name}: {what}", completed=done, total=of)

        yield say
