"""One line of an imported file as a delivery: ``{"row": {"Email": "..."}, "line": 7}``."""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mapping import MappedSettings
from mainstay.kit.payload import as_object, read_object, text

IMPORT = "IMPORT"
"""The method of a delivery that a person brings in; no HTTP route takes it."""


class CsvSettings(MappedSettings):
    """How the columns of imported files are read. ``map`` takes column titles."""


def verify(request: RawRequest, _settings: CsvSettings) -> str:
    """Let in what the import command brings, and nothing that came over HTTP."""
    if request.method != IMPORT:
        raise NotAuthenticError("this source takes files from `mainstay import` alone")
    return "imported by hand"


def delivery_key(request: RawRequest, _settings: CsvSettings) -> str:
    """Return the ``idempotency-key`` that the importer gives each line, so that an import can be resumed."""
    return request.headers.get("idempotency-key", "")


def parse(request: RawRequest, settings: CsvSettings) -> Sequence[Event]:
    """Give the submission of one line; the error names the line."""
    body = read_object(request.body)
    row = as_object(body.get("row"), "row")
    line = text(body.get("line"))
    try:
        submission = settings.mapping.apply(row)
    except MalformedError as error:
        raise MalformedError(f"line {line}: {error}" if line else str(error)) from None
    return [
        Event(
            type="contact.submitted",
            key=delivery_key(request, settings),
            submission=submission,
            data={"line": line} if line else {},
        )
    ]
