"""The locks that make identity exact: every key of a batch is locked first, in one order, until the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from mainstay.identity.person import Person

if TYPE_CHECKING:
    from mainstay.db import Connection

Key = tuple[UUID, str, str]
"""Workspace, kind (``email``, ``phone``, ``id:CONNECTION``), canonical value.

A write is found by two more: ``contact``, our own id, and ``content``, the digest by which it is recognised.
"""

ID = "id:"
CONTACT = "contact"
CONTENT = "content"
IDENTITY = "identity"
"""What writes lock that find out who is who: these locks."""


class StaleReadError(asyncpg.SerializationError):
    """Who is who changed between the reading and the lock: the transaction is to be done again from its beginning."""


def keys_of(workspace_id: UUID, person: Person) -> Iterable[Key]:
    """Give the keys that a write carries, those that name nobody as well."""
    if person.email:
        yield workspace_id, "email", person.email
    if person.phone:
        yield workspace_id, "phone", person.phone
    if person.external_id:
        yield workspace_id, f"{ID}{person.connection}", person.external_id


async def lock(connection: Connection, keys: Collection[Key], workspace_ids: Collection[UUID]) -> None:
    """Begin to write: take the locks of these keys, and the right to change who is who, until the transaction ends.

    While a bulk import commits a part of its file to one of these workspaces, this waits.
    """
    await connection.execute("SELECT FROM begin_writing($1, $2, '{}', '{}', '{}')", *locks_of(keys, workspace_ids))


def locks_of(keys: Iterable[Key], workspace_ids: Iterable[UUID]) -> tuple[list[int], list[int]]:
    """Return the locks that a write shares with others and those that it has alone, in the order of taking them."""
    shared = sorted({_number(workspace_id, _WHOLE, "") for workspace_id in workspace_ids})
    return shared, sorted({_number(*key) for key in keys if key[1] != CONTACT})


async def lock_workspace(connection: Connection, workspace_id: UUID) -> None:
    """Begin to write in bulk: whoever else writes to this workspace waits until the transaction ends.

    One lock instead of one for each of thousands of keys, which the server has no room for. Keep it short.
    """
    await connection.execute(
        "SELECT set_config('mainstay.writer', 'identity', true), pg_advisory_xact_lock($1)",
        _number(workspace_id, _WHOLE, ""),
    )


_WHOLE = "workspace"


def _number(workspace_id: UUID, kind: str, value: str) -> int:
    digest = blake2b(workspace_id.bytes + f"{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
