"""What a token may do: its scopes, and which of them each address of the API asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable

READ = "read"
PERSONAL = "personal"
RETRY = "retry"
WRITE = "write"
SCOPES = {
    READ: "look at everything, with e-mails, phone numbers and names masked",
    PERSONAL: "see personal data as it is, and so contacts and records at all",
    RETRY: "retry, answer and cancel runs",
    WRITE: "write contacts and records, decide reviews and approvals, start workflows",
}
"""Each scope, and what it lets its holder do. A token can always read."""
ALL = frozenset(SCOPES)
READ_ONLY = frozenset({READ, PERSONAL})

MCP = "/api/mcp"
"""Here every call is a POST; which tools there are goes by the token's scopes."""

_READING = {"GET", "HEAD", "OPTIONS"}
_OF_PEOPLE = re.compile(r"/api/v1/(contacts|merges|suggestions|records|approvals)(/|$)")
_RETRYING = re.compile(r"/api/v1/(runs/[^/]+/(retry|answer|cancel)|runs/cancel|retries(/.*)?)/?$")


def needed(method: str, path: str) -> frozenset[str]:
    """Return the scopes that a request needs, all of them. What changes anything and is not known here needs ``write``.

    ``path`` may be the address of an operation as the API's description has it, with ``{run_id}`` for an id.
    """
    if path == MCP:
        return frozenset({READ})
    people = {PERSONAL} if _OF_PEOPLE.match(path) else set()
    if method.upper() in _READING:
        return frozenset({READ, *people})
    return frozenset({RETRY if _RETRYING.match(path) else WRITE, *people})


def checked(scopes: Iterable[str]) -> frozenset[str]:
    """Return scopes as a token keeps them: with ``read``.

    Raises:
        ValueError: one of them is unknown; the text names it and those that there are.
    """
    wanted = frozenset(scopes)
    unknown = sorted(wanted - ALL)
    if unknown:
        message = f'there is no scope "{unknown[0]}": choose among {", ".join(SCOPES)}'
        raise ValueError(message)
    return wanted | {READ}


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return scopes in the order in which they are always told."""
    held = set(scopes)
    return [scope for scope in SCOPES if scope in held]
