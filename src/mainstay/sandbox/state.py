"""State that every simulator keeps in the same way: ids, settings, rate windows, the effects ledger."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from mainstay.sandbox.wire import Json, Request, SettingError, iso

# Headers in which clients name the operation they mean, so that a repetition can be recognised.
_CORRELATION_HEADERS = ("Idempotency-Key", "X-Idempotency-Key", "X-Correlation-Id", "X-Request-Id")

S = TypeVar("S")


class Ids:
    """Ids that come out the same on every run: the n-th id of a kind depends on the kind and n alone."""

    def __init__(self, vendor: str) -> None:
        """Start counting for one vendor."""
        self._vendor = vendor
        self._counts: dict[str, int] = {}

    def number(self, kind: str) -> int:
        """Return 1, 2, 3, ..."""
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        return count

    def word(self, kind: str, length: int = 20) -> str:
        """Return an id of at most 32 capital letters and digits."""
        return base64.b32encode(self._digest(kind))[:length].decode()

    def uuid(self, kind: str) -> str:
        """Return a UUID of version 4."""
        digits = self._digest(kind).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"

    def _digest(self, kind: str) -> bytes:
        return hashlib.blake2b(f"{self._vendor}:{kind}:{self.number(kind)}".encode(), digest_size=20).digest()


class Effects:
    """What a vendor did for its clients, in order: one entry for each write, message or mail."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[tuple[str, str, dict[str, str], bytes, float]] = []

    def add(self, kind: str, record_id: str, request: Request, correlation: Mapping[str, str] | None = None) -> None:
        """Note one effect with what the client sent to recognise it by."""
        sent = {name: request.headers[name] for name in _CORRELATION_HEADERS if name in request.headers}
        if correlation:
            sent |= correlation
        self.note(kind, record_id, sent, request.body)

    def note(self, kind: str, record_id: str, correlation: dict[str, str], body: bytes) -> None:
        """Note one effect that did not come over HTTP."""
        self._entries.append((kind, record_id, correlation, body, time.time()))

    def listing(self) -> list[dict[str, Json]]:
        """Return the effects as ``{seq, kind, id, correlation, fingerprint, at}``; the fingerprint is the body's."""
        return [
            {
                "seq": seq,
                "kind": kind,
                "id": record_id,
                "correlation": correlation,
                "fingerprint": hashlib.blake2b(body, digest_size=8).hexdigest(),
                "at": iso(at),
            }
            for seq, (kind, record_id, correlation, body, at) in enumerate(self._entries, 1)
        ]


class RateWindow:
    """Counts requests in fixed windows."""

    def __init__(self, limit: int, seconds: float) -> None:
        """Allow ``limit`` requests in each window of ``seconds``."""
        self.limit = limit
        self.seconds = seconds
        self.used = 0
        self._ends = 0.0

    def take(self) -> bool:
        """Count one request; false when the window is full."""
        now = time.monotonic()
        if now >= self._ends:
            self._ends, self.used = now + self.seconds, 0
        self.used += 1
        return self.used <= self.limit

    @property
    def remaining(self) -> int:
        """How many more requests the window admits."""
        return max(0, self.limit - self.used)

    @property
    def seconds_left(self) -> float:
        """How long until the window ends."""
        return max(0.0, self._ends - time.monotonic())


def changed(settings: S, changes: Mapping[str, Json]) -> S:
    """Return the settings with ``changes`` applied. Raises ``SettingError`` for an unknown name or a wrong type."""
    fields: dict[str, Any] = {f.name: f for f in dataclasses.fields(settings)}  # type: ignore[arg-type]
    values: dict[str, Json] = {}
    for name, value in changes.items():
        if name not in fields:
            raise SettingError(f"no setting {name!r}; there are {', '.join(fields)}")
        wanted = type(getattr(settings, name))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # noqa: PLW2901
        if wanted is not type(None) and value is not None and not isinstance(value, wanted):
            raise SettingError(f"setting {name} is of type {wanted.__name__}, not {value!r}")
        values[name] = value
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]


class Configurable:
    """A simulator whose ``settings`` are changed by the control plane."""

    settings: Any

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them."""
        self.settings = changed(self.settings, settings)
        return dataclasses.asdict(self.settings)


def token_is_good(token: str, tokens: list[str] | None) -> bool:
    """Without a list of tokens any token is good, unless it says of itself that it is not."""
    if tokens is None:
        return not token.startswith(("invalid", "revoked", "expired"))
    return token in tokens
