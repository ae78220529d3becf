"""From the records of a file to people, as a source of kind csv reads them, and what only old lists have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from mainstay.errors import MalformedError
from mainstay.identity import normalise
from mainstay.identity.bulk import Chunk, Line, Origin, prepare
from mainstay.imports.files import CSV, File, Record, read
from mainstay.kit.columns import map_of
from mainstay.kit.mapping import FieldMap
from mainstay.kit.payload import text
from mainstay.kit.spelling import squash
from mainstay.model import Submission

SIZE = 2_000
"""Lines that are committed together. Others that write to the workspace wait meanwhile: a fraction of a second."""

OCCURRED_AT, DO_NOT_CONTACT, CONSENT = "occurred_at", "do_not_contact", "consent"
EXTRA = (OCCURRED_AT, DO_NOT_CONTACT, CONSENT)
"""Fields that a file's map takes beside those of a source's."""

_OPT_OUT = {
    "donotcontact",
    "donotemail",
    "donotcall",
    "dnc",
    "optout",
    "optedout",
    "emailoptout",
    "emailoptedout",
    "hasoptedout",
    "hasoptedoutofemail",
    "unsubscribe",
    "unsubscribed",
    "unsubscribedat",
    "unsubscribedate",
    "unsubscribedfromallemail",
}
_NO = {"", "0", "0.0", "no", "n", "false", "f", "never", "none", "null", "-", "n/a", "subscribed", "in", "nein", "non"}


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and how its lines are read.

    Attributes:
        columns: the map of a source: field to column; ``extra`` that of the fields that only files have.
        as_of: when a value was said that has no time of its own, ISO 8601.
        start: the record to go on from; ``workers`` processes share the records.
    """

    file: File
    origin: Origin
    columns: Mapping[str, str | list[str]]
    extra: Mapping[str, str]
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
        self._extra: Mapping[str, str] | None = None
        if job.file.columns:
            self._extra = extra_columns(job.file.columns, job.extra)
            if job.file.format == CSV:
                taken = self._extra.values()
                self._map = map_of(FieldMap(job.columns), [each for each in job.file.columns if each not in taken])

    def part(self, batch: list[tuple[int, Record]]) -> Part:
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
        values: Mapping[str, Any] = record.values
        extra = extra_columns(values, job.extra) if self._extra is None else self._extra
        taken: dict[str, str] = {}
        if extra:
            taken = {name: text(values.get(column)) for name, column in extra.items()}
            values = {key: value for key, value in values.items() if key not in extra.values()}
        submission = self._map(values)
        more: dict[str, Any] = {
            "source": submission.source or job.source,
            "connection": job.connection,
            "occurred_at": moment(taken[OCCURRED_AT]) if taken.get(OCCURRED_AT) else self._as_of,
        }
        if extra:
            more["do_not_contact"] = taken.get(DO_NOT_CONTACT, "").strip().lower() not in _NO
            more["consent"] = taken.get(CONSENT, "") if taken.get(CONSENT, "").strip().lower() not in _NO else ""
        return Line(record.line, place, normalise(replace(submission, **more), job.region))


def extra_columns(columns: Any, named: Mapping[str, str]) -> Mapping[str, str]:
    """Return which column holds which of the fields that only files have: as named; opt-outs by their usual titles."""
    squashed = {squash(column): column for column in columns}
    found = {name: squashed[squash(column)] for name, column in named.items() if squash(column) in squashed}
    if DO_NOT_CONTACT not in named:
        title = next((title for title in squashed if title in _OPT_OUT), None)
        if title is not None:
            found[DO_NOT_CONTACT] = squashed[title]
    return found


def moment(written: str) -> datetime:
    """Read a date or time, ISO 8601; without a zone it is UTC.

    Raises:
        MalformedError: it is none.
    """
    try:
        at = datetime.fromisoformat(written.strip())
    except ValueError:
        raise MalformedError(f"{written!r} is not a time; write 2020-05-31 or 2020-05-31T14:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
