"""Reviews: the suggestions that wait for a person, likeliest first, and those that were decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.comparison import Line, compare
from mainstay.insight.contacts import Counterpart, Identifier, contact_of, counterparts, group_of, identifiers_of
from mainstay.insight.paging import PAGE_SIZE, Page, Row
from mainstay.insight.suggestions import probability, reasons_of
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """Two contacts that may be one person; ``one`` is the older, which survives a merge.

    ``score`` is the probability that they are, None where no model has judged the pair. ``state`` is ``open``,
    ``accepted``, ``rejected`` or ``stale``. ``is_undoable`` says that a decision can be taken back.
    """

    id: UUID
    one: Contact
    other: Contact
    state: str
    rule: str
    score: float | None
    reasons: tuple[str, ...]
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str
    is_undoable: bool


@dataclass(frozen=True, slots=True)
class Review:
    """A suggestion with all that is needed to decide it. ``previous`` and ``next`` are the open ones around it."""

    suggestion: SuggestionRow
    lines: tuple[Line, ...]
    counterparts: Mapping[UUID, tuple[Counterpart, ...]]
    previous: UUID | None
    next: UUID | None


async def list_suggestions(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[SuggestionRow]:
    """Return the open suggestions, likeliest first; ``before`` is the last one of the page before."""
    place = await _place(connection, workspace_id, before)
    return await _page(connection, workspace_id, _OPEN, "score DESC, id DESC", place, size)


async def list_decided(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[SuggestionRow]:
    """Return what was accepted or rejected, the latest decision first."""
    moment = None
    if before is not None:
        moment = await connection.fetchval(
            "SELECT decided_at FROM suggestions WHERE id = $1 AND workspace_id = $2", before, workspace_id
        )
    return await _page(connection, workspace_id, _DECIDED, "decided_at DESC, id DESC", (moment, before), size)


async def find_suggestion(connection: Connection, workspace_id: UUID, suggestion_id: UUID) -> SuggestionRow | None:
    """Return one suggestion in whatever state, or None."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM suggestions WHERE id = $1 AND workspace_id = $2",  # noqa: S608 - no text of others
        suggestion_id,
        workspace_id,
    )
    return None if row is None else (await _rows(connection, [row]))[0]


async def review(connection: Connection, workspace_id: UUID, suggestion_id: UUID | None = None) -> Review | None:
    """Return an open suggestion to decide, the likeliest unless one is named; None when none waits, or it is decided.

    A named one that is decided already gives the one that follows it, so that the next is at hand.
    """
    place = await _place(connection, workspace_id, suggestion_id)
    chosen = None
    if suggestion_id is not None:
        chosen = await find_suggestion(connection, workspace_id, suggestion_id)
    if chosen is None or chosen.state != "open":
        following = await _page(connection, workspace_id, _OPEN, "score DESC, id DESC", place, 1)
        if not following.items and suggestion_id is not None:
            following = await list_suggestions(connection, workspace_id, size=1)
        if not following.items:
            return None
        chosen = following.items[0]
        place = await _place(connection, workspace_id, chosen.id)
    sides = (chosen.one.id, chosen.other.id)
    identifiers = await identifiers_of(connection, workspace_id, sides)
    elsewhere = {side: await counterparts(connection, workspace_id, await group_of(connection, side)) for side in sides}
    return Review(
        chosen,
        compare(chosen.one, chosen.other, *(_keys(identifiers.get(side, ())) for side in sides)),
        elsewhere,
        await connection.fetchval(_PREVIOUS, workspace_id, *place),
        await connection.fetchval(_NEXT, workspace_id, *place),
    )


def _keys(identifiers: Sequence[Identifier]) -> list[tuple[str, str, str]]:
    return [(each.kind, each.value, each.standing) for each in identifiers]


_COLUMNS = "id, one_id, other_id, state, rule, score, reasons, opened_at, decided_at, decided_by"
_LAST = "coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)"
_OPEN = f"state = 'open' AND (score, id) < (coalesce($2, 'infinity'::float8), {_LAST})"
_DECIDED = f"state IN ('accepted', 'rejected') AND (decided_at, id) < (coalesce($2, 'infinity'::timestamptz), {_LAST})"
_NEXT = """
    SELECT id FROM suggestions WHERE workspace_id = $1 AND state = 'open' AND (score, id) < ($2::float8, $3::uuid)
    ORDER BY score DESC, id DESC LIMIT 1
"""
_PREVIOUS = """
    SELECT id FROM suggestions WHERE workspace_id = $1 AND state = 'open' AND (score, id) > ($2::float8, $3::uuid)
    ORDER BY score, id LIMIT 1
"""


async def _place(
    connection: Connection, workspace_id: UUID, suggestion_id: UUID | None
) -> tuple[float | None, UUID | None]:
    """Return where a suggestion stands, or stood, in the order of the open ones."""
    if suggestion_id is None:
        return None, None
    score = await connection.fetchval(
        "SELECT score FROM suggestions WHERE id = $1 AND workspace_id = $2", suggestion_id, workspace_id
    )
    return score, suggestion_id


async def _page(
    connection: Connection,
    workspace_id: UUID,
    wanted: str,
    order: str,
    place: tuple[object, UUID | None],
    size: int,
) -> Page[SuggestionRow]:
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM suggestions WHERE workspace_id = $1 AND {wanted} ORDER BY {order} LIMIT $4",  # noqa: S608
        workspace_id,
        *place,
        size + 1,
    )
    items = await _rows(connection, rows[:size])
    return Page(items, items[-1].id if len(rows) > size else None)


async def _rows(connection: Connection, rows: Sequence[Row]) -> tuple[SuggestionRow, ...]:
    """Bring rows together with their contacts."""
    ids = list({side for row in rows for side in (row["one_id"], row["other_id"])})
    found = await connection.fetch("SELECT * FROM contacts WHERE id = ANY($1)", ids)
    contacts = {row["id"]: contact_of(row) for row in found}
    # A decision is undone while nothing has been built on it: both sides are, or are again, just these two.
    stands = {row["id"]: (row["merged_into"], row["deleted_at"]) for row in found}
    return tuple(
        SuggestionRow(
            row["id"], contacts[row["one_id"]], contacts[row["other_id"]], row["state"], row["rule"],
            probability(row["rule"], row["score"]), reasons_of(row["reasons"]), row["opened_at"], row["decided_at"],
            row["decided_by"], _is_undoable(row, stands),
        )
        for row in rows
    )  # fmt: skip


def _is_undoable(row: Row, stands: Mapping[UUID, tuple[UUID | None, datetime | None]]) -> bool:
    into, deleted_at = stands[row["other_id"]]
    if deleted_at is not None or stands[row["one_id"]][1] is not None:
        return False
    if row["state"] == "accepted":
        return into is not None and into == row["one_id"]
    return row["state"] == "rejected" and into is None and stands[row["one_id"]][0] is None
