"""What a token or a session may do: its scopes, and which of them each address, of the API or a page, asks for."""

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
    RETRY: "retry, answer and cancel runs, acknowledge and resolve incidents",
    WRITE: "write contacts and records, decide reviews and approvals, start workflows, change settings",
}
"""Each scope, and what it lets its holder do. A token or a session can always read."""
ALL = frozenset(SCOPES)
READ_ONLY = frozenset({READ, PERSONAL})

MCP = "/api/mcp"
"""Here every call is a POST; which tools there are goes by the token's scopes."""

SIGN_OUT = "/sign-out"

_READING = {"GET", "HEAD", "OPTIONS"}
# What stands for one thing has one name, so that an address of the API and a page's are read by one pattern.
_OF_PEOPLE = re.compile(r"(/api/v1|/w/[^/]+)/(contacts|merges|suggestions|records|approvals|reviews)(/|$)")
_RETRYING = re.compile(
    r"(/api/v1|/w/[^/]+)/"
    r"(runs/[^/]+/(retry|answer|cancel|handled)|runs/cancel|retries(/.*)?|incidents/[^/]+/(acknowledge|resolve))/?$"
)
# To connect an account is to change a setting, though a browser is only sent to and fro.
_CHANGING = re.compile(r"(/w/[^/]+/connections/[^/]+/connect|/connect/callback)/?$")


def needed(method: str, path: str) -> frozenset[str]:
    """Return the scopes that a request needs, all of them. What changes anything and is not known here needs ``write``.

    ``path`` may be the address of an operation as the API's description has it, with ``{run_id}`` for an id.
    """
    if path in {MCP, SIGN_OUT}:
        return frozenset({READ})
    people = {PERSONAL} if _OF_PEOPLE.match(path) else set()
    if method.upper() in _READING and not _CHANGING.match(path):
        return frozenset({READ, *people})
    return frozenset({RETRY if _RETRYING.match(path) else WRITE, *people})


def checked(scopes: Iterable[str]) -> frozenset[str]:
    """Return scopes as a token or a session keeps them: with ``read``.

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
