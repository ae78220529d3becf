"""What is kept of a request, and how a repeat is recognised. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

from mainstay.kit import RawRequest, SourceKind, SourceSettings

MASK = "•••"
_ALWAYS_SECRET = {"authorization", "cookie", "proxy-authorization", "x-webhook-secret"}
_MAX_HEADER_CHARS = 2000

QUARANTINE_COUNT = 100
QUARANTINE_BYTES = 5_000_000
QUARANTINE_AGE = timedelta(hours=48)
QUARANTINE_PER_SECOND = 5


@dataclass(frozen=True, slots=True)
class SourceBinding:
    """A source as one workspace has it.

    ``answers`` maps the types of events that start sync workflows to how long their caller waits. ``speaks_for`` is the
    connection whose word it is what its deliveries say of records; empty where it is nobody's but its own. ``canary``
    is the e-mail of the synthetic lead that comes by it, in canonical form; empty where none does.
    """

    workspace_id: UUID
    name: str
    kind: SourceKind
    settings: SourceSettings
    region: str = ""
    answers: Mapping[str, timedelta] = field(default_factory=dict)
    speaks_for: str = ""
    canary: str = ""

    @property
    def system(self) -> str:
        """Whose word its deliveries are: a connection, or ``source:NAME``, which no connection can be called."""
        return self.speaks_for or f"source:{self.name}"

    def answer_within(self, event_types: Iterable[str]) -> timedelta | None:
        """Return how long the sender of these events may wait for a result; None where nothing would answer it."""
        return max((self.answers[each] for each in event_types if each in self.answers), default=None)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a sender.

    ``state`` is ``accepted``, ``repeated`` or ``rejected``; ``delivery_id`` that of the (first) delivery. Where a sync
    workflow may answer, ``answer_within`` says how long the sender waits, and ``execution_id`` what to drive for it.
    """

    state: str
    delivery_id: UUID
    reason: str = ""
    execution_id: str = ""
    answer_within: timedelta | None = None


def delivery_key(source: SourceBinding, request: RawRequest) -> tuple[str, timedelta | None]:
    """Return the key that a repeat shares, and how long it counts (None: for ever). An empty key has no repeats."""
    key = key_to_keep(source.kind.delivery_key(request, source.settings))
    if key:
        return key, None
    if source.settings.repeat_window:
        return f"payload:{sha256(request.body).hexdigest()}", source.settings.repeat_window
    return "", None


def key_to_keep(key: str) -> str:
    """Return a sender's key as it is stored: what is long as its digest."""
    key = key.replace("\0", "")
    return key if len(key) <= 200 else f"sha256:{sha256(key.encode()).hexdigest()}"


def headers_to_keep(source: SourceBinding, request: RawRequest) -> dict[str, str]:
    """Return the headers without secrets, each cut to a sane length."""
    secret = _ALWAYS_SECRET.union(source.kind.secret_headers)
    return {name: MASK if name in secret else value[:_MAX_HEADER_CHARS] for name, value in request.headers.items()}


def url_to_keep(source: SourceBinding, request: RawRequest) -> str:
    """Return the URL without the values of secret parameters."""
    path, mark, query = request.url.partition("?")
    if not mark:
        return path
    secret = {"secret", "token", *source.kind.secret_params}
    given = parse_qsl(query, keep_blank_values=True)
    kept = (f"{quote_plus(name)}={MASK if name in secret else quote_plus(value)}" for name, value in given)
    return f"{path}?{'&'.join(kept)}"


LEAD = "lead"
"""The label under which a source's accepted deliveries with a person in them are counted, besides their state."""


def brings_person(events: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether events tell of a person, or name one that is still to be read where the source has it."""
    return any(event["person"] or event["type"].startswith("contact.") for event in events)
