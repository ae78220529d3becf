"""Finding a contact by whatever it is known by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import phonenumbers

from mainstay.insight.contacts import STANDING, contact_of
from mainstay.insight.paging import PAGE_SIZE, prefix_range, resolve_short_id
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection


async def search_contacts(
    connection: Connection, workspace_id: UUID, text: str, *, region: str = "", size: int = PAGE_SIZE
) -> tuple[Contact, ...]:
    """Return at most ``size`` contacts whose name, e-mail, phone or short id begins with ``text``.

    Or whose id in a system it is, as a whole.
    A name may be given as first name, last name, or both in either order. A phone number may be typed as people of
    ``region`` write it. The id of a contact that was merged finds the one that it was merged into.
    """
    words = text.split()
    if not words:
        return ()
    found: dict[UUID, None] = {}
    named = await resolve_short_id(connection, "contacts", workspace_id, words[0])
    if named:
        rows = await connection.fetch("SELECT surviving(id) AS id FROM unnest($1::uuid[]) AS t (id)", named)
        found |= dict.fromkeys(row["id"] for row in rows)
    if len(words) == 1:
        rows = await connection.fetch(_BY_VENDOR_ID, workspace_id, words[0])
        found |= dict.fromkeys(row["id"] for row in rows)
    for value in _identifier_prefixes(text, region):
        found |= dict.fromkeys(await _by_identifier(connection, workspace_id, value, size))
    found |= dict.fromkeys(await _by_name(connection, workspace_id, words, size))
    ids = list(found)[:size]
    rows = await connection.fetch(
        f"SELECT * FROM contacts WHERE workspace_id = $1 AND id = ANY($2) AND {STANDING}",  # noqa: S608 - no text of others
        workspace_id,
        ids,
    )
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
        (SELECT contact_id, value FROM identifiers
         WHERE workspace_id = $1 AND kind = 'email' AND value >= $2 AND value < $3 ORDER BY value LIMIT $4)
        UNION ALL
        (SELECT contact_id, value FROM identifiers
         WHERE workspace_id = $1 AND kind = 'phone' AND value >= $2 AND value < $3 ORDER BY value LIMIT $4)
        ORDER BY value LIMIT $4
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


# The systems are asked of the index, from one to the next, so that it can be asked for the id in each.
_BY_VENDOR_ID = """
    WITH RECURSIVE systems (name) AS (
        (SELECT connection FROM crosswalk WHERE workspace_id = $1 AND external_id IS NOT NULL
         ORDER BY connection LIMIT 1)
        UNION ALL
        SELECT (SELECT connection FROM crosswalk
                WHERE workspace_id = $1 AND external_id IS NOT NULL AND connection > systems.name
                ORDER BY connection LIMIT 1)
        FROM systems WHERE systems.name IS NOT NULL
    )
    SELECT surviving(named.record_id) AS id FROM systems CROSS JOIN LATERAL (
        (SELECT record_id FROM crosswalk WHERE workspace_id = $1 AND connection = systems.name
         AND record_type = 'contact' AND external_id = $2 LIMIT 1)
        UNION ALL
        (SELECT record_id FROM crosswalk_beside WHERE workspace_id = $1 AND connection = systems.name
         AND record_type = 'contact' AND external_id = $2 LIMIT 1)
    ) AS named
"""
_LAST_NAME = f"""
    SELECT id FROM contacts
    WHERE workspace_id = $1 AND lower(last_name) ~>=~ lower($2) AND lower(last_name) ~<~ lower($3)
      AND starts_with(lower(first_name), lower($4)) AND {STANDING}
    ORDER BY lower(last_name) USING ~<~ LIMIT $5
"""  # noqa: S608 - no text of others
_FIRST_NAME = f"""
    SELECT id FROM contacts
    WHERE workspace_id = $1 AND lower(first_name) ~>=~ lower($2) AND lower(first_name) ~<~ lower($3)
      AND {STANDING}
    ORDER BY lower(first_name) USING ~<~ LIMIT $4
"""  # noqa: S608 - no text of others
