"""The import itself: lines of a file as deliveries, many at once, each recognised when it comes again."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from mainstay.app import IMPORTED
from mainstay.cli.errors import CommandError
from mainstay.connectors.csv_file.reader import Layout, Row, inspect, rows
from mainstay.connectors.csv_file.webhook import IMPORT
from mainstay.errors import MalformedError
from mainstay.inbound import read
from mainstay.intake import Intake
from mainstay.kit import RawRequest
from mainstay.kit.spelling import squash
from mainstay.model import Lane

if TYPE_CHECKING:
    from io import TextIOWrapper

    from mainstay.app import App, Workspace
    from mainstay.db import Connection
    from mainstay.intake import SourceBinding
    from mainstay.intake.store import Suspect

AT_ONCE = 128
LEADS = 10_000
"""A file of more lines is hardly one of new leads; the person has to say so."""
_KEY = "idempotency-key"
_FIRST = 5
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that can be read. ``digest`` makes its lines the same lines when it is brought in again."""

    path: Path
    layout: Layout
    digest: str
    line_ends: int


class Tally:
    """Counts what became of the lines, and writes the refused ones into the report."""

    def __init__(self, report: Path | None, layout: Layout) -> None:
        self.kept = self.repeated = self.refused = self.remarks = 0
        self.seconds = 0.0
        self.first: list[tuple[int, str]] = []
        self._report = report
        self._header = layout.header
        self._file: TextIOWrapper | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        if self._report is not None:
            self._file = self._report.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow(["line", "reason", *self._header])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def refuse(self, row: Row, reason: str) -> None:
        """Count a line that is not taken."""
        self.refused += 1
        if len(self.first) < _FIRST:
            self.first.append((row.line, reason))
        if self._writer is not None:
            self._writer.writerow([row.line, reason, *(row.values.get(title, "") for title in self._header)])


def prepare(path: Path) -> Prepared:
    """Look at a file.

    Raises:
        CommandError: it cannot be read, or has no usable first line.
    """
    try:
        layout = inspect(path)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            file.seek(0)
            line_ends = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except MalformedError as error:
        raise CommandError(str(error)) from error
    return Prepared(path, layout, digest, line_ends)


def check_size(prepared: Prepared) -> None:
    """Ask before a whole list is taken for as many new leads."""
    if prepared.line_ends > LEADS:
        raise CommandError(
            f"{prepared.path.name} has {prepared.line_ends:,} lines, and each would be a lead that starts workflows",
            "Say which: --bulk for a list of people (quiet, fast), --as-leads for leads.",
        )


def check_columns(layout: Layout, fields: Mapping[str, str]) -> None:
    """Refuse a map that names a column the file has not."""
    from difflib import get_close_matches

    known = {squash(title) for title in layout.header}
    for field, column in fields.items():
        is_literal = len(column) > 1 and column[0] == column[-1] and column[0] in "'\""
        if not is_literal and squash(column) not in known:
            near = get_close_matches(column, layout.header, 1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Columns: {', '.join(layout.header)}."
            raise CommandError(f'--map {field}: the file has no column "{column}"', hint)


def source_of(workspace: Workspace, fields: Mapping[str, str]) -> SourceBinding:
    """Return the source that files come from: the stack's own of kind csv, else the one that is always there."""
    declared = [source for source in workspace.sources.values() if source.kind.name == IMPORTED]
    source = declared[0] if declared else workspace.all_sources[IMPORTED]
    if source.kind.name != IMPORTED:
        raise CommandError(
            f'[sources.{IMPORTED}] in stack.toml is of another kind ("{source.kind.name}")',
            f'Give it another name, or add [sources.import] with kind = "{IMPORTED}".',
        )
    if not fields:
        return source
    from pydantic import ValidationError

    written = source.settings.model_dump(exclude_unset=True) | {"kind": IMPORTED}
    try:
        settings = source.kind.settings.model_validate({**written, "map": {**written.get("map", {}), **fields}})
    except ValidationError as error:
        raise CommandError(f"--map: {error.errors()[0]['msg']}") from error
    return replace(source, settings=settings)


def request_of(prepared: Prepared, row: Row, now: datetime) -> RawRequest:
    """Return one line as the request that a source of kind csv reads."""
    headers = {
        "content-type": "application/json",
        # The file's own bytes and the line: the same line of the same file, whenever it comes.
        _KEY: f"{prepared.digest}:{row.line}",
    }
    body = orjson.dumps({"row": dict(row.values), "line": row.line})
    return RawRequest(IMPORT, f"file:{prepared.path.name}#line={row.line}", headers, body, now)


def check_lines(prepared: Prepared, source: SourceBinding, tally: Tally) -> None:
    """Read and normalise every line, and keep nothing."""
    with _progress(prepared, tally) as advance:
        for row in rows(prepared.path, prepared.layout):
            if _readable(prepared, source, row, tally) is not None:
                tally.kept += 1
            advance(row.line)


async def bring_in(prepared: Prepared, source: SourceBinding, app: App, tally: Tally) -> None:
    """Hand every line that can be read to intake, many at once, so that they share commits.

    A line that cannot be read is not kept: it is in the file and in the report, and comes again with the mended file.
    """
    lines = rows(prepared.path, prepared.layout)
    found: dict[str, Mapping[str, Any]] = {}
    # Every line is read before it is handed on; an intake of our own takes what was found, and reads it not again.
    intake = Intake(
        app.pool,
        app.commit,
        lambda _, request: found.pop(request.headers[_KEY]),
        on_quarantined=_cannot_be,
        lane=Lane.BACKFILL,
    )
    with _progress(prepared, tally) as advance:

        async def work() -> None:
            for row in lines:
                readable = _readable(prepared, source, row, tally)
                if readable is None:
                    continue
                request, found[readable[0].headers[_KEY]] = readable
                receipt = await intake.receive(source, request)
                if receipt.state == "repeated":
                    tally.repeated += 1
                elif receipt.state == "accepted":
                    tally.kept += 1
                else:
                    tally.refuse(row, receipt.reason)
                advance(row.line)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed


async def _cannot_be(_connection: Connection, suspect: Suspect) -> None:
    """Refuse to go on: the sender is the person at the terminal, there is nothing to prove."""
    raise CommandError(f"a line of the file was taken for a forgery: {suspect.reason}")


def _readable(
    prepared: Prepared, source: SourceBinding, row: Row, tally: Tally
) -> tuple[RawRequest, Mapping[str, Any]] | None:
    if row.problem:
        tally.refuse(row, row.problem)
        return None
    request = request_of(prepared, row, datetime.now(UTC))
    try:
        data = read(source, request)
    except MalformedError as error:
        tally.refuse(row, _reason(row, str(error)))
        return None
    tally.remarks += sum(len((event["person"] or {}).get("notes", ())) for event in data["events"])
    return request, data


def _reason(row: Row, message: str) -> str:
    """Cut what the report says anyway (which line), and advice that is about sources with an address."""
    reason = message.removeprefix(f"line {row.line}: ").partition(". Mend the source's map")[0]
    return reason.removeprefix("no one can be recognised by this: ")


@contextmanager
def _progress(prepared: Prepared, tally: Tally) -> Iterator[Any]:
    """Show a bar on stderr while a person watches."""
    from mainstay.cli.output import console

    to = console(stderr=True)
    began = time.monotonic()
    if not to.is_terminal:
        yield lambda _line: None
        tally.seconds = time.monotonic() - began
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
        task = shown.add_task(prepared.path.name, total=max(prepared.line_ends, 1), said="")

        def advance(line: int) -> None:
            done = tally.kept + tally.repeated + tally.refused
            if done % 50 == 0:
                seconds = max(time.monotonic() - began, 0.001)
                said = f"{done / seconds:,.0f} lines/s" + (f", {tally.refused:,} refused" if tally.refused else "")
                shown.update(task, completed=line, said=said)

        yield advance
        tally.seconds = time.monotonic() - began
