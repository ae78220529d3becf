"""Contacts: the list, the search, one contact with its identifiers and its ids elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import phonenumbers

from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of, prefix_range, resolve_short_id
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Identifier:
    """One e-mail address or phone number of a contact, and the source that brought it."""

    kind: str
    value: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A contact's record in one system. ``external_id`` is empty while it has none there yet.

    ``is_behind`` says that the system lacks our newest version; ``error`` why its last push stopped;
    ``push_run_id`` the run that pushes now.
    """

    connection: str
    external_id: str
    is_behind: bool
    error: str
    push_run_id: UUID | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ContactDetail:
    """One contact with all by which it is known."""

    contact: Contact
    identifiers: tuple[Identifier, ...]
    counterparts: tuple[Counterpart, ...]


async def list_contacts(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[Contact]:
    """Return contacts, newest first."""
    rows = await connection.fetch(
        """
        SELECT * FROM contacts
        WHERE workspace_id = $1 AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
        ORDER BY id DESC LIMIT $3
        """,
        workspace_id,
        before,
        size + 1,
    )
    return page_of(rows, contact_of, size)


async def search_contacts(
    connection: Connection, workspace_id: UUID, text: str, *, region: str = "", size: int = PAGE_SIZE
) -> tuple[Contact, ...]:
    """Return at most ``size`` contacts whose name, e-mail, phone or short id begins with ``text``.

    A name may be given as first name, last name, or both in either order. A phone number may be typed as people of
    ``region`` write it.
    """
    words = text.split()
    if not words:
        return ()
    found: dict[UUID, None] = dict.fromkeys(await resolve_short_id(connection, "contacts", workspace_id, words[0]))
    for value in _identifier_prefixes(text, region):
        found |= dict.fromkeys(await _by_identifier(connection, workspace_id, value, size))
    found |= dict.fromkeys(await _by_name(connection, workspace_id, words, size))
    ids = list(found)[:size]
    rows = await connection.fetch("SELECT * FROM contacts WHERE workspace_id = $1 AND id = ANY($2)", workspace_id, ids)
    contacts = {row["id"]: contact_of(row) for row in rows}
    return tuple(contacts[contact_id] for contact_id in ids if contact_id in contacts)


def _identifier_prefixes(text: str, region: str) -> Sequence[str]:
    """Return what an identifier may begin with, in canonical form."""
    typed = text.strip().lower()
    digits = "".join(letter for letter in typed if letter.isdigit())
    is_phone = len(digits) >= 3 and not any(letter.isalpha() or letter == "@" for letter in typed)
    if not is_phone:
        return [typed] if len(typed.split()) == 1 else []
    if typed.startswith("+"):
        return [f"+{digits}"]
    if digits.startswith("00"):
        return [f"+{digits[2:]}"]
    prefixes = [f"+{digits}", digits]
    code = phonenumbers.country_code_for_region(region) if region else 0
    if code:
        prefixes.insert(0, f"+{code}{digits.removeprefix('0') if code != 39 else digits}")
    return prefixes


async def _by_identifier(connection: Connection, workspace_id: UUID, prefix: str, size: int) -> list[UUID]:
    rows = await connection.fetch(
        """
        SELECT contact_id FROM identifiers WHERE workspace_id = $1 AND value ~>=~ $2 AND value ~<~ $3
        ORDER BY value USING ~<~ LIMIT $4
        """,
        workspace_id,
        *prefix_range(prefix),
        size,
    )
    return [row["contact_id"] for row in rows]


async def _by_name(connection: Connection, workspace_id: UUID, words: Sequence[str], size: int) -> list[UUID]:
    whole = " ".join(words)
    found = await connection.fetch(_LAST_NAME, workspace_id, *prefix_range(whole), "", size)
    found += await connection.fetch(_FIRST_NAME, workspace_id, *prefix_range(whole), size)
    for place in range(1, len(words)):
        one, other = " ".join(words[:place]), " ".join(words[place:])
        found += await connection.fetch(_LAST_NAME, workspace_id, *prefix_range(other), one, size)
        found += await connection.fetch(_LAST_NAME, workspace_id, *prefix_range(one.rstrip(",")), other, size)
        if place == 3:
            break
    return [row["id"] for row in found]


_LAST_NAME = """
    SELECT id FROM contacts
    WHERE workspace_id = $1 AND lower(last_name) ~>=~ lower($2) AND lower(last_name) ~<~ lower($3)
      AND starts_with(lower(first_name), lower($4))
    ORDER BY lower(last_name) USING ~<~ LIMIT $5
"""
_FIRST_NAME = """
    SELECT id FROM contacts
    WHERE workspace_id = $1 AND lower(first_name) ~>=~ lower($2) AND lower(first_name) ~<~ lower($3)
    ORDER BY lower(first_name) USING ~<~ LIMIT $4
"""


async def contact_detail(connection: Connection, workspace_id: UUID, contact_id: UUID) -> ContactDetail | None:
    """Return one contact, or None."""
    row = await connection.fetchrow(
        "SELECT * FROM contacts WHERE id = $1 AND workspace_id = $2", contact_id, workspace_id
    )
    if row is None:
        return None
    identifiers = await connection.fetch(
        "SELECT kind, value, source, created_at FROM identifiers WHERE contact_id = $1 AND workspace_id = $2 "
        "ORDER BY kind, created_at LIMIT 100",
        contact_id,
        workspace_id,
    )
    return ContactDetail(
        contact_of(row),
        tuple(Identifier(**dict(item)) for item in identifiers),
        await counterparts(connection, workspace_id, contact_id),
    )


async def counterparts(connection: Connection, workspace_id: UUID, contact_id: UUID) -> tuple[Counterpart, ...]:
    """Return a contact's records in the systems that have or shall have one."""
    rows = await connection.fetch(
        """
        SELECT connection, coalesce(external_id, '') AS external_id, wanted_version > pushed_version AS is_behind,
               error, push_run_id, updated_at
        FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $2 ORDER BY connection
        """,
        workspace_id,
        contact_id,
    )
    return tuple(Counterpart(**dict(row)) for row in rows)


def contact_of(row: Row) -> Contact:
    """Read a row of ``contacts``."""
    values = {name: row[name] for name in Contact.__dataclass_fields__}
    return Contact(**{**values, "tags": tuple(values["tags"])})
