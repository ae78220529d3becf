"""What went wrong, as RFC 9457 has it: ``application/problem+json``."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response

from mainstay.errors import ConflictError, DatabaseUnavailableError, MalformedError, PermanentError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_URN = "urn:mainstay:problem:"
_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: what programs tell it by, its status, and its title for people."""

    name: str
    status: int
    title: str


UNREADABLE = Kind("unreadable", 400, "The request cannot be read")
NO_TOKEN = Kind("no-token", 401, "A token is needed")
BAD_TOKEN = Kind("bad-token", 401, "The token is not valid")
SCOPE = Kind("scope", 403, "The token may not do this")
NOT_SERVED = Kind("not-served", 403, "The token's workspace is not served here")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
METHOD = Kind("method", 405, "This cannot be done here")
CONFLICT = Kind("conflict", 409, "It cannot be done as things stand")
KEY_REUSED = Kind("key-reused", 409, "The Idempotency-Key was used for another write")
ELSEWHERE = Kind("elsewhere", 409, "Another system is right about it")
GONE = Kind("gone", 410, "The contact was deleted")
CHANGED = Kind("changed", 412, "It was changed meanwhile")
TOO_LARGE = Kind("too-large", 413, "The request is too large")
MEDIA = Kind("media-type", 415, "The body is of another type than this address takes")
INVALID = Kind("invalid", 422, "The request cannot be carried out")
FAULT = Kind("fault", 500, "Mainstay itself made a mistake")
UNAVAILABLE = Kind("unavailable", 503, "The database is away")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. ``field`` is its dotted path."""

    field: str
    message: str


class ProblemError(Exception):
    """Answered as a problem."""

    def __init__(
        self, kind: Kind, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(kind, detail, tuple(errors), dict(headers or {}))


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, ready to be answered."""

    kind: Kind
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the members of the answer."""
        kind = self.kind
        told = {"type": f"{_URN}{kind.name}", "title": kind.title, "status": kind.status, "detail": self.detail}
        if self.errors:
            return told | {"errors": [{"field": each.field, "message": each.message} for each in self.errors]}
        return told

    def response(self) -> Response:
        """Return the answer."""
        return Response(orjson.dumps(self.to_json()), self.kind.status, dict(self.headers), MEDIA_TYPE)


def problem_of(error: Exception) -> Problem | None:
    """Return how an error of the verbs is told; None for one that nobody foresaw."""
    match error:
        case ProblemError():
            return error.problem
        case MalformedError():
            return Problem(INVALID, str(error))
        case ConflictError():
            return Problem(KEY_REUSED, "An Idempotency-Key stands for one write: use a new key for each.")
        case PermanentError():
            return Problem(CONFLICT, str(error))
        case DatabaseUnavailableError():
            detail = "PostgreSQL does not answer; whether this was carried out is not known. Send it again."
            return Problem(UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_SECONDS)})
    return None


def fault(where: str, error: Exception) -> Problem:
    """Tell an error that nobody foresaw; the log has its traceback, without its words: they may be data."""
    told = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", where, type(error).__name__, told)
    return Problem(FAULT, "Its log has the details. Nothing was carried out.")


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Return pydantic's errors by field, without the values."""
    found: dict[str, FieldError] = {}
    for error in errors[:_MOST_ERRORS]:
        place = [str(part) for part in error["loc"] if part not in {"body", "query", "path", "header"}]
        # What follows the key of a custom field says which of several types was tried.
        name = ".".join(place[:2] if place[:1] == ["custom"] else place)[:200] or "body"
        found.setdefault(name, FieldError(name, _message(error)))
    return list(found.values())


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
