"""SQL of comparing on write: what is waiting, which contacts are worth comparing with one, and how often values occur.

Every query for candidates is an index scan with a limit, so that its time does not grow with the book. A value that
many have (Smith) is asked for together with a second one; where even the two are common, the rest of them is left out:
such an agreement says little.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.normalisation.nicknames import nicknames
from mainstay.identity.store.reading import contact_of

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.model import Contact

ALIAS = "alias"
_SHORTEST_LOCAL = 5
_SHORTEST_PHONE = 8
_LAST = "\U0010ffff"


_COLUMNS = """
    c.id, c.workspace_id, c.email, c.phone, c.first_name, c.last_name, c.company, c.source, c.tags, c.custom, c.flags,
    c.do_not_contact, c.version, c.created_at, c.updated_at
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact that was written. ``places`` are its rows in the queue."""

    workspace_id: UUID
    contact_id: UUID
    places: tuple[int, ...]


async def take(connection: Connection, workspace_ids: Sequence[UUID], most: int) -> list[Waiting]:
    """Hold up to ``most`` rows of the queue until the commit; what another process holds is passed by."""
    rows = await connection.fetch(
        """
        SELECT id, workspace_id, contact_id FROM to_compare WHERE workspace_id = ANY($1)
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        list(workspace_ids),
        most,
    )
    places: dict[tuple[UUID, UUID], list[int]] = {}
    for row in rows:
        places.setdefault((row["workspace_id"], row["contact_id"]), []).append(row["id"])
    return [Waiting(*key, tuple(found)) for key, found in places.items()]


async def done(connection: Connection, waiting: Sequence[Waiting]) -> None:
    """Take what was compared from the queue."""
    places = [place for each in waiting for place in each.places]
    await connection.execute("DELETE FROM to_compare WHERE id = ANY($1)", places)


async def standing(connection: Connection, workspace_id: UUID, ids: Collection[UUID]) -> dict[UUID, Contact]:
    """Return those of ``ids`` that are contacts today, neither merged nor deleted."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM contacts AS c WHERE workspace_id = $1 AND id = ANY($2) "  # noqa: S608 - as above
        "AND merged_into IS NULL AND deleted_at IS NULL",
        workspace_id,
        list(ids),
    )
    return {row["id"]: contact_of(row) for row in rows}


async def hold(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Keep contacts from being merged or deleted until the commit; returns those that stand."""
    rows = await connection.fetch(
        """
        SELECT id FROM contacts WHERE id = ANY($1) AND merged_into IS NULL AND deleted_at IS NULL ORDER BY id FOR SHARE
        """,
        list(ids),
    )
    return {row["id"] for row in rows}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact that agrees with another in something rare enough; ``rules`` are the names of what."""

    contact: Contact
    rules: frozenset[str]


async def candidates(connection: Connection, waiting: Waiting) -> tuple[Contact, list[Candidate]] | None:
    """Return a contact that was written, and those worth comparing with it; None where it is gone by now."""
    row = await connection.fetchrow(_WRITTEN, waiting.workspace_id, waiting.contact_id)
    if row is None:
        return None
    contact = contact_of(row)
    query, values = query_for(contact, list(zip(row["kinds"], row["values"], row["aliases"], strict=True)))
    rows = await connection.fetch(query, *values) if query else ()
    return contact, [Candidate(contact_of(each), frozenset(each["rules"])) for each in rows]


_WRITTEN = f"""
    SELECT {_COLUMNS}, keys.kinds, keys.values, keys.aliases FROM contacts AS c
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(kind), '{{}}') AS kinds, coalesce(array_agg(value), '{{}}') AS values,
               coalesce(array_agg(alias_key), '{{}}') AS aliases
        FROM identifiers WHERE contact_id = c.id AND standing <> 'weak') AS keys
    WHERE c.workspace_id = $1 AND c.id = $2 AND c.merged_into IS NULL AND c.deleted_at IS NULL
"""  # noqa: S608 - no text of others


def query_for(contact: Contact, identifiers: Sequence[tuple[str, str, str]]) -> tuple[str, list[Any]]:
    """Return one query for all candidates, and its values. ``identifiers`` are (kind, value, alias key)."""
    values: list[Any] = [contact.workspace_id]
    parts: list[str] = []

    def ask(rule: str, most: int, **given: Any) -> None:
        numbers = {}
        for name, value in given.items():
            values.append(value)
            numbers[name] = f"${len(values)}"
        # Each stands for itself, so that each has its own index scan, and its own limit.
        query = _RULES[rule].format(**numbers)
        parts.append(f"(SELECT id, '{rule}' AS rule FROM ({query} LIMIT {most}) AS found)")  # noqa: S608 - no text of others

    first, last = contact.first_name.lower().strip(), contact.last_name.lower().strip()
    company = contact.company.lower().strip()
    if first and last:
        ask("name", 60, last=last, names=[first, *sorted(nicknames(first))])
        ask("surname and initial", 40, last=last, begin=first[:1], end=first[:1] + _LAST)
        ask("first name and begin of surname", 40, first=first, begin=last[:3], end=last[:3] + _LAST)
        ask("surname and begin of first name", 30, last=last, begin=first[:3], end=first[:3] + _LAST)
        ask("names swapped", 20, last=first, names=[last])
    elif first or last:
        ask("surname" if last else "first name", 30, name=last or first)
    if last and company:
        begin = company[:5]
        ask("surname and employer", 40, last=last, begin=begin, end=begin + _LAST)
    emails = [value for kind, value, _ in identifiers if kind == "email"]
    aliases = sorted({alias for kind, _, alias in identifiers if kind == "email" and alias})
    if aliases:
        ask(ALIAS, 30, aliases=aliases)
    for email in emails:
        local = email.rpartition("@")[0].partition("+")[0]
        ask("name before the @", 20, kind="email", begin=f"{local}@", end=f"{local}@{_LAST}")
        if len(local) > _SHORTEST_LOCAL:
            begin = local[: max(_SHORTEST_LOCAL, len(local) - 2)]
            ask("begin of the e-mail", 30, kind="email", begin=begin, end=begin + _LAST)
    for phone in [value for kind, value, _ in identifiers if kind == "phone"]:
        if len(phone) > _SHORTEST_PHONE:
            ask("phone but for two digits", 30, kind="phone", begin=phone[:-2], end=phone[:-2] + _LAST)
    if not parts:
        return "", values
    values.append(contact.id)
    # They are found first, by their indexes alone, and read then.
    return (
        f"""
        WITH found AS MATERIALIZED ({" UNION ALL ".join(parts)}),
             agreeing AS MATERIALIZED (
                 SELECT id, array_agg(rule) AS rules FROM found WHERE id <> ${len(values)} GROUP BY id)
        SELECT {_COLUMNS}, agreeing.rules FROM agreeing JOIN contacts AS c USING (id)
        WHERE c.workspace_id = $1 AND c.merged_into IS NULL AND c.deleted_at IS NULL
        """,  # noqa: S608 - no text of others
        values,
    )


_LIVE = "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL"
_KEYS = "SELECT contact_id AS id FROM identifiers WHERE workspace_id = $1 AND standing <> 'weak'"
_VALUE = "value >= {begin} AND value < {end}"


def _begins(what: str) -> str:
    # The operators of text_pattern_ops: they find their index whatever the database's collation.
    return f"{what} ~>=~ {{begin}} AND {what} ~<~ {{end}}"


_RULES: Mapping[str, str] = {
    "name": f"{_LIVE} AND lower(last_name) = {{last}} AND lower(first_name) = ANY({{names}}::text[])",
    "names swapped": f"{_LIVE} AND lower(last_name) = {{last}} AND lower(first_name) = ANY({{names}}::text[])",
    "surname and initial": f"{_LIVE} AND lower(last_name) = {{last}} AND {_begins('lower(first_name)')}",
    "surname and begin of first name": f"{_LIVE} AND lower(last_name) = {{last}} AND {_begins('lower(first_name)')}",
    "first name and begin of surname": f"{_LIVE} AND lower(first_name) = {{first}} AND {_begins('lower(last_name)')}",
    "surname": f"{_LIVE} AND lower(last_name) = {{name}}",
    "first name": f"{_LIVE} AND lower(first_name) = {{name}}",
    "surname and employer": f"{_LIVE} AND company <> '' AND lower(last_name) = {{last}} "
    f"AND {_begins('lower(company)')}",
    ALIAS: f"{_KEYS} AND alias_key <> '' AND alias_key = ANY({{aliases}}::text[])",
    "name before the @": f"{_KEYS} AND kind = {{kind}} AND {_VALUE}",
    "begin of the e-mail": f"{_KEYS} AND kind = {{kind}} AND {_VALUE}",
    "phone but for two digits": f"{_KEYS} AND kind = {{kind}} AND {_VALUE}",
}
