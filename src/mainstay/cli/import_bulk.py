"""``mainstay import contacts FILE --bulk``: a list of people, as a whole."""

from __future__ import annotations

import asyncio
import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson
import typer

from mainstay.cli.command import Options
from mainstay.cli.errors import BROKEN, CommandError
from mainstay.errors import MalformedError
from mainstay.imports import File, Import, Job, Part, Refused, begin_import, bring_in, look_at, reading
from mainstay.kit.opting import said_at

if TYPE_CHECKING:
    from mainstay.app import App, Workspace

_MOST_READERS = 4
_FIRST = 5
_CHUNK = 1 << 20
_LINES = {
    "created": "new contacts",
    "updated": "known, and now better known",
    "unchanged": "known, nothing new",
    "repeated": "in already",
    "dropped": "older than their deletion",
    "merged": "merges",
    "suggested": "questions for a person",
}


@dataclass(frozen=True, slots=True)
class _Listing:
    """A file that is to be brought in: ``digest`` of its bytes, ``lines`` about how many it has."""

    file: File
    digest: str
    lines: int
    written_at: datetime


class _Outcome:
    """What this call did: its lines by what became of them, and the report of those refused."""

    def __init__(self, listing: _Listing, report: Path | None) -> None:
        self.counts: Counter[str] = Counter()
        self.records = 0
        self.first: list[Refused] = []
        self.seconds = 0.0
        self._listing = listing
        self._report = report
        self._writer: Any = None
        self._opened: TextIO | None = None

    @contextmanager
    def reporting(self, known: int) -> Iterator[None]:
        """Keep the report open. Of one that goes on, as many refusals stay as are ``known`` to be of what is in."""
        if self._report is None:
            yield
            return
        kept = []
        if known and self._report.exists():
            with self._report.open(encoding="utf-8", newline="") as written:
                kept = list(islice(csv.reader(written), 1, known + 1))
        with self._report.open("w", encoding="utf-8", newline="") as opened:
            self._writer, self._opened = csv.writer(opened), opened
            self._writer.writerow(["line", "reason", *(self._listing.file.columns or ["record"])])
            self._writer.writerows(kept)
            yield

    def note(self, part: Part) -> None:
        """Report what is refused of a part, ahead of its commit: what is in is also in the report."""
        columns = self._listing.file.columns
        for refused in part.refused:
            if len(self.first) < _FIRST:
                self.first.append(refused)
            if self._writer is not None:
                cells = [refused.values.get(name, "") for name in columns] if columns else [_plain(refused.values)]
                self._writer.writerow([refused.line, refused.reason, *cells])
        if part.refused and self._opened is not None:
            self._opened.flush()

    def take(self, part: Part, counts: Mapping[str, int]) -> None:
        """Count one part."""
        self.records += part.records
        self.counts.update(counts)


def bring_in_bulk(
    options: Options, path: Path, fields: Mapping[str, str], *, as_of: str, dry_run: bool, report: Path | None
) -> None:
    """Bring in a list; interrupted or run again, it goes on where it was."""
    listing = _look_at(path)
    _check_columns(listing.file, fields)
    when = _as_of(as_of, listing)
    outcome = _Outcome(listing, report)
    try:
        if dry_run:
            item = _dry(options, listing, fields, when, outcome)
        else:
            item = _bring_in(options, listing, fields, when, outcome)
    except KeyboardInterrupt:
        typer.echo(f"\nStopped: {outcome.records:,} lines are in. Run the same again, and it goes on there.", err=True)
        raise typer.Exit(130) from None
    _tell(options, listing, outcome, item, report)
    if outcome.counts["refused"]:
        raise typer.Exit(BROKEN)


def _look_at(path: Path) -> _Listing:
    try:
        file = look_at(path)
        with path.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
            opened.seek(0)
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: opened.read(_CHUNK), b""))
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except MalformedError as error:
        raise CommandError(str(error)) from error
    return _Listing(file, digest, lines, written_at)


def _as_of(written: str, listing: _Listing) -> datetime:
    if not written:
        return min(listing.written_at, datetime.now(UTC))
    at = said_at(written)
    if at is None:
        raise CommandError(f'--as-of "{written}" is not a time', "Write 2020-05-31 or 2020-05-31T14:00:00Z.")
    return at


def _check_columns(file: File, fields: Mapping[str, str]) -> None:
    if file.columns:
        from mainstay.cli.importing import check_columns
        from mainstay.connectors.csv_file.reader import Layout

        check_columns(Layout("", "", file.columns), fields)


def _job(workspace: Workspace, listing: _Listing, fields: Mapping[str, str], as_of: datetime) -> Job:
    """Return how the file is read; its import is not known yet."""
    from mainstay.cli.importing import source_of
    from mainstay.identity.bulk import Origin

    source = source_of(workspace, fields)
    columns: Mapping[str, Any] = getattr(source.settings, "map", {})
    name, now, policy = listing.file.path.name, datetime.now(UTC), workspace.routing.policy
    return Job(
        file=listing.file,
        origin=Origin(workspace.id, workspace.id, name, listing.digest, now, policy),
        columns=columns,
        region=workspace.routing.region,
        source=source.name,
        connection=source.settings.connection,
        as_of=as_of.isoformat(),
        workers=max(1, min(_MOST_READERS, (os.cpu_count() or 2) - 1)),
    )


def _dry(
    options: Options, listing: _Listing, fields: Mapping[str, str], as_of: datetime, outcome: _Outcome
) -> Import | None:
    """Read and check every line, with the stack's settings and without a database."""
    from uuid import UUID

    from mainstay.app import Bundle, Workspace
    from mainstay.cli.reading import choose
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack

    stacks = [load_stack(path, Environment.load(path.resolve().parent)) for path in options.stacks]
    slug = choose(options.workspace, [stack.slug for stack in stacks])
    stack = next(stack for stack in stacks if stack.slug == slug)
    job = _job(Workspace(UUID(int=0), Bundle(stack, ())), listing, fields, as_of)

    async def check() -> None:
        async with reading(job) as readers:
            turn = 0
            while (part := await readers[turn % job.workers].next()) is not None:
                refused = len(part.refused)
                outcome.note(part)
                outcome.take(part, {"refused": refused, "accepted": part.records - refused, "remarks": part.remarks})
                show(part)
                turn += 1

    with outcome.reporting(0), _progress(listing, outcome) as show:
        asyncio.run(check())
    return None


def _bring_in(
    options: Options, listing: _Listing, fields: Mapping[str, str], as_of: datetime, outcome: _Outcome
) -> Import:
    from mainstay.cli.reading import act
    from mainstay.db import acquire

    async def work(app: App, workspace: Workspace) -> Import:
        job = _job(workspace, listing, fields, as_of)
        read_by = orjson.dumps([listing.digest, job.columns], option=orjson.OPT_SORT_KEYS)
        async with acquire(app.pool) as connection:
            name = listing.file.path.name
            item = await begin_import(connection, workspace.id, sha256(read_by).digest(), name, job.source, as_of)
        if item.finished_at is not None:
            return item
        job = replace(
            job,
            origin=replace(
                job.origin, import_id=item.id, workspace_id=workspace.id, received_at=item.started_at, source=item.file
            ),
            as_of=item.as_of.isoformat(),
            start=item.records,
        )
        before = Counter(item.counts)

        def on_part(part: Part, done: Import) -> None:
            nonlocal before
            now = Counter(done.counts)
            outcome.take(part, now - before)
            before = now
            show(part)

        with outcome.reporting(before["refused"]), _progress(listing, outcome) as show:
            return await bring_in(app.pool, job, item, workspace.routing, before=outcome.note, after=on_part)

    return act(options, work, pool_size=2)


@contextmanager
def _progress(listing: _Listing, outcome: _Outcome) -> Iterator[Callable[[Part], None]]:
    """Show a bar on stderr while a person watches."""
    from mainstay.cli.output import console

    to = console(stderr=True)
    began = time.monotonic()
    try:
        if not to.is_terminal:
            yield lambda _part: None
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=to, transient=True) as shown:
            task = shown.add_task(listing.file.path.name, total=max(listing.lines, 1), said="")

            def advance(part: Part) -> None:
                rate = outcome.records / max(time.monotonic() - began, 0.001)
                shown.update(task, completed=part.line, said=f"{rate:,.0f} lines/s")

            yield advance
    finally:
        outcome.seconds = time.monotonic() - began


def _tell(options: Options, listing: _Listing, outcome: _Outcome, item: Import | None, report: Path | None) -> None:
    from mainstay.cli.output import emit, facts, number, say, text

    counts, rate = outcome.counts, outcome.records / outcome.seconds if outcome.seconds else 0.0
    if options.as_json:
        emit(
            {
                "file": str(listing.file.path),
                "sha256": listing.digest,
                "dry_run": item is None,
                "import_id": str(item.id) if item else None,
                "as_of": item.as_of.isoformat() if item else None,
                "lines": outcome.records,
                "lines_before": item.records - outcome.records if item else 0,
                **{name: counts[name] for name in ("accepted", *_LINES, "refused")},
                "seconds": round(outcome.seconds, 3),
                "lines_per_second": round(rate, 1),
                "report": str(report) if report else None,
                "first_refusals": [{"line": each.line, "reason": each.reason} for each in outcome.first],
            }
        )
        return
    name = (listing.file.path.name, "bold")
    if item is not None and item.finished_at is not None:
        say(text(name, f" · in already, since {item.finished_at:%Y-%m-%d %H:%M} UTC: nothing was done"))
        return
    title = "checked, nothing was written" if item is None else "brought in"
    say(text(name, f" · {title} · {outcome.records:,} lines in {outcome.seconds:.1f} s ({rate:,.0f} lines/s)"))
    rows: list[tuple[str, Any]] = [("can be taken", f"{counts['accepted']:,}")] if item is None else []
    rows += [(label, f"{counts[key]:,}") for key, label in _LINES.items() if counts[key]]
    refused = counts["refused"]
    rows.append(("refused", text((f"{refused:,}{' ✗' if refused else ''}", "red" if refused else ""))))
    if counts["remarks"]:
        rows.append(("taken without", f"{number(counts['remarks'], 'value')} that could not be used as it stands"))
    if item is not None:
        rows.append(("values said", f"{item.as_of:%Y-%m-%d %H:%M} UTC, where a line has no time of its own"))
    facts(rows)
    for each in outcome.first:
        say(text((f"line {each.line}: ", "bold"), (each.reason, "red")), indent=4)
    if refused:
        say(text((f"All of them: {report}" if report else "All of them in a file: add --report refused.csv", "cyan")))
    if counts["created"]:
        say(text(("Who of them is one person under other identifiers: mainstay contacts dedupe", "cyan")))


def _plain(values: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(values), default=str).decode() if values else ""
