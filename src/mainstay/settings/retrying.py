"""``[retries.NAME]``, and on what terms each call of a stack is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainstay.engine.guard import Terms
from mainstay.engine.retry import policy_of
from mainstay.kit.retrying import RetryTable
from mainstay.model import Promise, Retry
from mainstay.settings.document import Document, suggest
from mainstay.settings.wording import check

if TYPE_CHECKING:
    from mainstay.settings.stack import Stack

DEFAULT = "default"


def read_retries(document: Document, roles: Collection[str]) -> Mapping[str, Retry]:
    """Return what ``[retries]`` says: of ``default``, and of each role that is named."""
    tables = document.data.get("retries", {})
    if not isinstance(tables, dict):
        document.add(("retries",), "should be a table", "write [retries.default]")
        return {}
    read: dict[str, Retry] = {}
    for name, table in tables.items():
        known = (DEFAULT, *sorted(roles))
        if name not in known:
            hint = suggest(name, known) or f"Known here: {', '.join(known)}."
            document.add(("retries", name), "this is no role of the stack", hint)
            continue
        found = check(document, ("retries", name), RetryTable, table)
        if found is not None:
            read[name] = found.said()
    return MappingProxyType(read)


def terms_of(stack: Stack, connection: str, name: str, said: Sequence[Retry]) -> Terms:
    """Return on what terms a step's call is made.

    ``name`` is the step's, ``role.operation``; ``said`` what the call and its workflow say, the narrowest first. Then
    speak the role, the connection and the stack.
    """
    role = name.partition(".")[0]
    entry = stack.connections.get(connection)
    of_connection = entry.settings.retry.said() if entry is not None and entry.settings.retry is not None else None
    wider = (stack.retries.get(role) if connection else None, of_connection, stack.retries.get(DEFAULT))
    levels = (*said, *filter(None, wider))
    own_word = next((level.on_unsure for level in said if level.on_unsure), None)
    if entry is not None:
        promise = Promise(entry.connector.idempotency.get(name, Promise.NONE))
    elif connection:
        # A source reads the record that its delivery names.
        promise = Promise.STATE
    else:
        # Work of a workflow's own is its own affair, unless it says what to do.
        promise = Promise.NONE if own_word else Promise.UNSAID
    return Terms(
        policy=policy_of(levels),
        on_unsure=next((level.on_unsure for level in levels if level.on_unsure), "repeat"),
        promise=promise,
        lookup_after=timedelta(seconds=entry.connector.lookup_after if entry is not None else 0),
    )
