"""From the records of a file to people, as a source of kind csv reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mainstay.errors import MalformedError
from mainstay.identity import normalise
from mainstay.identity.bulk import MAX_RECORDS, Chunk, Line, Origin, prepare
from mainstay.imports.files import CSV, File, Record, read
from mainstay.kit.columns import map_of
from mainstay.kit.mapping import FieldMap
from mainstay.model import Submission

SIZE = 2_000
"""Lines that are committed together. Others that write to the workspace wait meanwhile: a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and how its lines are read.

    Attributes:
        columns: the map of a source: field to column.
        as_of: when a value was said that has no time of its own, ISO 8601.
        start: the record to go on from; ``workers`` processes share the records.
    """

    file: File
    origin: Origin
    columns: Mapping[str, str | list[str]]
    region: str
    source: str
    connection: str
    as_of: str
    start: int = 0
    workers: int = 1
    size: int = SIZE


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is not taken, and why."""

    line: int
    reason: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Part:
    """Consecutive records made ready: ``records`` of them, up to ``line``; ``remarks`` counts values left out."""

    records: int = 0
    line: int = 0
    remarks: int = 0
    refused: list[Refused] = field(default_factory=list)
    chunk: Chunk = field(default_factory=Chunk)


def parts(job: Job, turn: int = 0) -> Iterator[Part]:
    """Read the parts of a file whose turn it is, and make them ready."""
    reader = _Reader(job)
    batch: list[tuple[int, Record]] = []
    for place, record in read(job.file, job.start, every=job.workers, size=job.size, turn=turn):
        batch.append((place, record))
        if len(batch) == job.size:
            yield reader.part(batch)
            batch = []
    if batch:
        yield reader.part(batch)


class _Reader:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._map: Callable[[Mapping[str, Any]], Submission] = FieldMap(job.columns).apply
        self._as_of = datetime.fromisoformat(job.as_of)
        if job.file.format == CSV:
            self._map = map_of(FieldMap(job.columns), job.file.columns)

    def part(self, batch: list[tuple[int, Record]]) -> Part:
        if batch[-1][0] >= MAX_RECORDS:
            raise MalformedError(f"{self._job.file.path.name} has more than {MAX_RECORDS:,} records: split it")
        part = Part(len(batch), batch[-1][1].line)
        part.chunk = prepare(self._job.origin, self._lines(batch, part))
        return part

    def _lines(self, batch: list[tuple[int, Record]], part: Part) -> Iterator[Line]:
        for place, record in batch:
            try:
                line = self._line(place, record)
            except MalformedError as error:
                reason = str(error).partition(". Mend the source's map")[0]
                reason = reason.removeprefix("no one can be recognised by this: ")
                part.refused.append(Refused(record.line, reason, record.values))
                continue
            part.remarks += len(line.person.notes)
            yield line

    def _line(self, place: int, record: Record) -> Line:
        if record.problem:
            raise MalformedError(record.problem)
        job = self._job
        submission = self._map(record.values)
        submission = replace(
            submission,
            source=submission.source or job.source,
            connection=job.connection,
            occurred_at=submission.occurred_at or self._as_of,
        )
        return Line(record.line, place, normalise(submission, job.region))
