"""How the file of one vendor's contract is read, and what else may hold a vendor's calls against its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Contract:
    """How one vendor's contract file is read, and where the vendor is known to leave it.

    ``new_request_keys`` and ``new_answer_keys`` exist at the vendor and are absent from its file. ``new_statuses``
    names, for each status that the file leaves out, the component that such an answer has the shape of; ``error`` is
    that shape where the file has no such component. ``below`` is where the file's paths are, of a vendor whose others
    are held against its ``CHECKS``. ``mend`` corrects the file where it is known to be wrong.
    """

    file: str
    origin: str
    new_request_keys: frozenset[str] = frozenset()
    new_answer_keys: frozenset[str] = frozenset()
    new_statuses: Mapping[int, str | None] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    mend: Callable[[Any], None] | None = None
    below: str = ""


@dataclass(frozen=True)
class Sent:
    """A request as a check sees it: ``path`` without the vendor's prefix, header names in lower case, raw ``body``."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    content_type: str
    body: bytes


class Checks(Protocol):
    """What holds a vendor's calls against a contract that is no OpenAPI file. Each returns what is wrong, or ""."""

    def wrong_request(self, sent: Sent) -> str: ...

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str: ...
