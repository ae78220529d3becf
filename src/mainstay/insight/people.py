"""Contacts as programs ask for them: by any id or identifier, with their lineage, merges and open questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.insight.contacts import contact_of, group_of
from mainstay.insight.paging import PAGE_SIZE, Page
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

LAST_ID = UUID(int=2**128 - 1)
_MOST = 100
_MERGE = "id, survivor_id, merged_id, rule, by, note, at, undone_at, undone_by"


@dataclass(frozen=True, slots=True)
class PersonIdentifier:
    """An e-mail or phone of a contact; ``standing`` is ``owner``, ``shared`` or ``weak`` (kept, names nobody)."""

    kind: str
    value: str
    standing: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """Where a value that stands comes from."""

    at: datetime
    kind: str
    change_id: UUID


@dataclass(frozen=True, slots=True)
class PersonDetail:
    """The contact that an id means today, with all by which it is known; ``is_deleted`` leaves nothing but the id."""

    contact: Contact
    is_deleted: bool
    identifiers: tuple[PersonIdentifier, ...] = ()
    external_ids: tuple[tuple[str, str], ...] = ()
    merged_ids: tuple[UUID, ...] = ()
    origins: Mapping[str, ValueOrigin] | None = None


@dataclass(frozen=True, slots=True)
class SaidChange:
    """What one write said of a contact (``person``; ``raw`` as it was written) and what it altered."""

    id: UUID
    home_id: UUID
    version: int
    rule: str
    source: str
    kind: str
    occurred_at: datetime
    at: datetime
    person: Mapping[str, Any]
    raw: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: str
    merge_id: UUID | None
    delivery_id: UUID | None
    run_id: UUID | None
    undone_at: datetime | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class MergeRow:
    """One merge, standing or undone."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    rule: str
    by: str
    note: str
    at: datetime
    undone_at: datetime | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """Two contacts that may be one person, as they are today; ``score`` is from 0 to 1."""

    id: UUID
    state: str
    rule: str
    score: float
    reasons: Sequence[Any]
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str
    contacts: tuple[Contact, ...]


async def means(connection: Connection, workspace_id: UUID, contact_id: UUID) -> tuple[Contact, bool] | None:
    """Return the contact that an id means today, and whether it was deleted; None where there never was one."""
    row = await connection.fetchrow(_MEANS, contact_id, workspace_id)
    return (contact_of(row), row["deleted_at"] is not None) if row else None


_MEANS = """
    SELECT * FROM contacts
    WHERE workspace_id = $2 AND id = (SELECT surviving(id) FROM contacts WHERE id = $1 AND workspace_id = $2)
"""


async def person_detail(connection: Connection, workspace_id: UUID, contact_id: UUID) -> PersonDetail | None:
    """Return the contact that an id means today; None where there never was one."""
    row = await connection.fetchrow(_MEANS, contact_id, workspace_id)
    if row is None:
        return None
    contact = contact_of(row)
    if row["deleted_at"] is not None:
        return PersonDetail(contact, is_deleted=True)
    identifiers = await connection.fetch(
        f"""
        SELECT DISTINCT ON (kind, value) kind, value, standing, source, created_at FROM identifiers
        WHERE contact_id = $1 ORDER BY kind, value, created_at LIMIT {_MOST}
        """,  # noqa: S608 - a number of ours
        contact.id,
    )
    group = await group_of(connection, contact.id)
    elsewhere = await connection.fetch(
        """
        SELECT connection, external_id FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($2)
        ORDER BY connection, external_id
        """,
        workspace_id,
        group,
    )
    origins = {
        name: ValueOrigin(datetime.fromisoformat(at), kind, UUID(change))
        for name, (at, kind, change, _) in row["origins"].items()
    }
    return PersonDetail(
        contact,
        is_deleted=False,
        identifiers=tuple(PersonIdentifier(**dict(each)) for each in identifiers),
        external_ids=tuple((each["connection"], each["external_id"]) for each in elsewhere),
        merged_ids=tuple(each for each in group if each != contact.id),
        origins=origins,
    )


async def people_with(
    connection: Connection,
    workspace_id: UUID,
    kind: str,
    value: str,
    *,
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[Contact]:
    """Return who has an e-mail or phone, given in canonical form: one contact, several where it is shared or weak."""
    rows = await connection.fetch(
        """
        SELECT contacts.*, identifiers.home_id FROM identifiers JOIN contacts ON contacts.id = identifiers.contact_id
        WHERE identifiers.workspace_id = $1 AND kind = $2 AND value = $3 AND home_id < $4
        ORDER BY home_id DESC LIMIT $5
        """,
        workspace_id,
        kind,
        value,
        before or LAST_ID,
        size + 1,
    )
    page = _page([contact_of(row) for row in rows], [row["home_id"] for row in rows], size)
    return Page(tuple({each.id: each for each in page.items}.values()), page.before)


async def person_elsewhere(
    connection: Connection, workspace_id: UUID, system: str, external_id: str
) -> tuple[Contact, ...]:
    """Return whom another system's id means: nobody, or one."""
    row = await connection.fetchrow(
        """
        SELECT * FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL AND id = (
            SELECT surviving(record_id) FROM record_ids
            WHERE workspace_id = $1 AND connection = $2 AND record_type = 'contact' AND external_id = $3)
        """,
        workspace_id,
        system,
        external_id,
    )
    return (contact_of(row),) if row else ()


async def still_there(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> tuple[Contact, ...]:
    """Return those of these contacts that are neither merged nor deleted, in the order given."""
    rows = await connection.fetch(
        """
        SELECT * FROM contacts
        WHERE workspace_id = $1 AND id = ANY($2) AND merged_into IS NULL AND deleted_at IS NULL
        """,
        workspace_id,
        ids,
    )
    known = {row["id"]: contact_of(row) for row in rows}
    return tuple(known[each] for each in ids if each in known)


async def lineage(
    connection: Connection, workspace_id: UUID, contact_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[SaidChange]:
    """Return all that was said of a contact, and of what is merged into it, the newest first."""
    rows = await connection.fetch(
        """
        SELECT said.* FROM contact_group($2) AS home (id) CROSS JOIN LATERAL (
            SELECT id, home_id, version, rule, source, kind, occurred_at, at, person, raw, before, after, note,
                   merge_id, delivery_id, run_id, undone_at, undone_by
            FROM changes WHERE home_id = home.id AND workspace_id = $1 AND id < $3 ORDER BY id DESC LIMIT $4) AS said
        ORDER BY said.id DESC LIMIT $4
        """,
        workspace_id,
        contact_id,
        before or LAST_ID,
        size + 1,
    )
    return _page([SaidChange(**dict(row)) for row in rows], [row["id"] for row in rows], size)


async def merges_of(connection: Connection, workspace_id: UUID, contact_id: UUID) -> tuple[MergeRow, ...]:
    """Return the merges that a contact, or what is merged into it, had a part in, the newest first; at most 100."""
    rows = await connection.fetch(
        f"""
        SELECT {_MERGE} FROM merges WHERE survivor_id = ANY($2) AND workspace_id = $1
        UNION SELECT {_MERGE} FROM merges WHERE merged_id = ANY($2) AND workspace_id = $1
        ORDER BY id DESC LIMIT {_MOST}
        """,  # noqa: S608 - names and a number of ours
        workspace_id,
        await group_of(connection, contact_id),
    )
    return tuple(MergeRow(**dict(row)) for row in rows)


async def list_suggestions(
    connection: Connection,
    workspace_id: UUID,
    *,
    state: str = "open",
    before: tuple[float, UUID] | None = None,
    size: int = PAGE_SIZE,
) -> tuple[tuple[SuggestionRow, ...], tuple[float, UUID] | None]:
    """Return suggestions: open ones by probability, ``accepted`` or ``rejected`` ones the latest decided first.

    ``before`` is what came with the page before: the score, or the time of the decision in seconds, and the id.
    """
    at, last = before or (float("inf"), LAST_ID)
    query = _OPEN if state == "open" else _DECIDED
    rows = await connection.fetch(query, workspace_id, at, last, size + 1, *(() if state == "open" else (state,)))
    shown = rows[:size]
    ids = {row[name] for row in shown for name in ("one_id", "other_id")}
    people = {
        row["id"]: contact_of(row)
        for row in await connection.fetch(
            "SELECT * FROM contacts WHERE workspace_id = $1 AND id = ANY($2)", workspace_id, list(ids)
        )
    }
    more = (shown[-1]["place"], shown[-1]["id"]) if len(rows) > size else None
    return tuple(_suggestion(row, people) for row in shown), more


_COLUMNS = "id, one_id, other_id, state, rule, score, reasons, opened_at, decided_at, decided_by"
_OPEN = f"""
    SELECT {_COLUMNS}, score AS place FROM suggestions
    WHERE workspace_id = $1 AND state = 'open' AND (score, id) < ($2::double precision, $3::uuid)
    ORDER BY score DESC, id DESC LIMIT $4
"""  # noqa: S608 - names of ours
_DECIDED = f"""
    SELECT {_COLUMNS}, extract(epoch FROM decided_at)::double precision AS place FROM suggestions
    WHERE workspace_id = $1 AND state IN ('accepted', 'rejected') AND state = $5
      AND (decided_at, id) < (to_timestamp($2::double precision), $3::uuid)
    ORDER BY decided_at DESC, id DESC LIMIT $4
"""  # noqa: S608 - names of ours


async def suggestion_contacts(
    connection: Connection, workspace_id: UUID, suggestion_id: UUID
) -> tuple[UUID, UUID] | None:
    """Return the two contacts of a suggestion; None where there is none."""
    row = await connection.fetchrow(
        "SELECT one_id, other_id FROM suggestions WHERE id = $1 AND workspace_id = $2", suggestion_id, workspace_id
    )
    return (row["one_id"], row["other_id"]) if row else None


async def is_merge(connection: Connection, workspace_id: UUID, merge_id: UUID) -> bool:
    """Tell whether there is such a merge."""
    return bool(
        await connection.fetchval("SELECT TRUE FROM merges WHERE id = $1 AND workspace_id = $2", merge_id, workspace_id)
    )


def _suggestion(row: Row, people: Mapping[UUID, Contact]) -> SuggestionRow:
    told = {name: row[name] for name in SuggestionRow.__dataclass_fields__ if name != "contacts"}
    both = tuple(people[each] for each in (row["one_id"], row["other_id"]) if each in people)
    return SuggestionRow(**told, contacts=both)


def _page(items: Sequence[Any], keys: Sequence[UUID], size: int) -> Page[Any]:
    return Page(tuple(items[:size]), keys[size - 1] if len(items) > size else None)
