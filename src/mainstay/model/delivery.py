"""A raw request as it arrived, and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request, byte for byte.

    ``headers`` has lower-case names; ``url`` is the full public URL (some vendors sign it); ``received_at`` is
    aware (UTC).
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case; empty when the sender named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; of a repeated name the last."""
        return dict(parse_qsl(self.url.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A kept request. ``verified`` says in words how its sender was proven, ``kind`` the source kind."""

    id: UUID
    workspace_id: UUID
    source: str
    kind: str
    request: RawRequest
    verified: str
