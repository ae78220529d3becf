"""What a simulator gets and gives: one parsed request, one answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import orjson

Json = Any
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to one vendor; ``path`` is percent-encoded as sent, without the vendor's prefix."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parts(self) -> list[str]:
        """The decoded segments of the path: ``/contacts/a%40b.co`` is ``["contacts", "a@b.co"]``."""
        return [unquote(part) if "%" in part else part for part in self.path.strip("/").split("/")]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in the order sent."""
        return parse_qsl(self.query_string, keep_blank_values=True) if self.query_string else []

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty string."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    @property
    def content_type(self) -> str:
        """The media type alone, lower case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Json:
        """The body's value. Raises ``ValueError`` when it is not JSON."""
        return orjson.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body's form fields."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, ready for the wire."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(status: int, value: Json, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer whose body is ``value`` as JSON."""
    return Reply(status, orjson.dumps(value), JSON, headers or {})


def text(status: int, body: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a plain text answer."""
    return Reply(status, body.encode(), TEXT, headers or {})


def now_iso() -> str:
    """Return the time as vendors write it: ``2026-11-23T09:12:00.000Z``."""
    return iso(time.time())


def iso(seconds: float) -> str:
    """Return a Unix time as ``now_iso`` writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SettingError(ValueError):
    """A setting or a seeded record that the control plane was given cannot be used; the text says why."""


class Vendor(Protocol):
    """What the server asks of a simulator. All calls are synchronous, so an effect is whole or absent."""

    name: str

    def handle(self, request: Request) -> Reply:
        """Do the request's effect and return the vendor's answer."""

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:
        """Return the vendor's own shape of an error with this status, with no effect."""

    def state(self) -> dict[str, Json]:
        """Return every record kept, by kind, and the ``effects``."""

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them. Raises ``SettingError``."""

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put records in as if they had always been there; returns how many. Raises ``SettingError``."""

    def reset(self) -> None:
        """Forget records, effects and settings."""
