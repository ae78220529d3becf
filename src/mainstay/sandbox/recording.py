"""The requests that each vendor got, without their secrets, the last so many of each."""

from __future__ import annotations

import base64
import itertools
import re
import time
from collections import deque
from collections.abc import Mapping

from mainstay.sandbox.wire import Json, Reply, Request, iso

REDACTED = "[redacted]"
_SECRET_HEADERS = frozenset({"authorization", "x-postmark-server-token", "x-postmark-account-token", "cookie", "token"})
_SECRET_QUERY = re.compile(r"((?:^|&)(?:access_token|appsecret_proof|token|hapikey)=)[^&]*")
_LONGEST_BODY = 1_000_000

_Entry = tuple[int, Request, Reply | None, str | None, float]


class Recording:
    """A bounded log for each vendor; entries are put into words only when asked for."""

    def __init__(self, most: int) -> None:
        """Keep the last ``most`` requests of each vendor."""
        self._most = most
        self._entries: dict[str, deque[_Entry]] = {}
        self._totals: dict[str, int] = {}
        self._numbers = itertools.count(1)

    def add(self, vendor: str, request: Request, reply: Reply | None, fault: str | None) -> None:
        """Note a request, its answer (None: it got none) and the fault that struck it."""
        if vendor not in self._entries:
            self._entries[vendor] = deque(maxlen=self._most)
        self._entries[vendor].append((next(self._numbers), request, reply, fault, time.time()))
        self._totals[vendor] = self._totals.get(vendor, 0) + 1

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._totals.clear()

    def total(self, vendor: str) -> int:
        """How many requests a vendor got, also those no longer kept."""
        return self._totals.get(vendor, 0)

    def listing(self, vendor: str) -> list[dict[str, Json]]:
        """Return each request as :meth:`mainstay.sandbox.client.Sandbox.requests` says, oldest first."""
        return [_described(vendor, entry) for entry in self._entries.get(vendor, ())]


def _described(vendor: str, entry: _Entry) -> dict[str, Json]:
    seq, request, reply, fault, at = entry
    query = _SECRET_QUERY.sub(rf"\g<1>{REDACTED}", request.query_string)
    return {
        "seq": seq,
        "vendor": vendor,
        "method": request.method,
        "path": request.path,
        "url": f"/{vendor}{request.path}" + (f"?{query}" if query else ""),
        "headers": _without_secrets(request.headers),
        "body": _written(request.body),
        "status": reply.status if reply else None,
        "answer": {"content_type": reply.content_type, "body": _written(reply.body)} if reply else None,
        "fault": fault,
        "at": iso(at),
    }


def _written(body: bytes) -> str:
    try:
        return body[:_LONGEST_BODY].decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(body[:_LONGEST_BODY]).decode()


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in ((str(key), value) for key, value in headers.items()):
        if name.lower() in _SECRET_HEADERS:
            scheme = value.partition(" ")[0]
            shown[name] = f"{scheme} {REDACTED}" if scheme in {"Bearer", "Basic"} else REDACTED
        else:
            shown[name] = value
    return shown
