"""Suggestions about one contact, and how many wait in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import Count, count_of
from mainstay.insight.merges import NAME

if TYPE_CHECKING:
    from mainstay.db import Connection

MOST_COUNTED = 99
_MOST = 20


@dataclass(frozen=True, slots=True)
class Twin:
    """A contact that may be the same person. ``score`` is the probability, None where no model has judged the pair."""

    suggestion_id: UUID
    contact_id: UUID
    name: str
    rule: str
    score: float | None
    reasons: tuple[str, ...]


async def twins_of(connection: Connection, workspace_id: UUID, contact_id: UUID) -> tuple[Twin, ...]:
    """Return who may be the same person as a contact, the likeliest first (at most twenty)."""
    rows = await connection.fetch(
        f"""
        SELECT open.*, {NAME} AS name FROM (
            SELECT id, other_id AS contact_id, rule, score, reasons FROM suggestions
            WHERE one_id = $1 AND workspace_id = $2 AND state = 'open'
            UNION ALL
            SELECT id, one_id, rule, score, reasons FROM suggestions
            WHERE other_id = $1 AND workspace_id = $2 AND state = 'open'
        ) AS open JOIN contacts ON contacts.id = open.contact_id ORDER BY score DESC, open.id DESC LIMIT {_MOST}
        """,  # noqa: S608 - parts from this file
        contact_id,
        workspace_id,
    )
    return tuple(
        Twin(
            row["id"], row["contact_id"], row["name"], row["rule"], probability(row["rule"], row["score"]),
            reasons_of(row["reasons"]),
        )
        for row in rows
    )  # fmt: skip


async def suggestions_waiting(connection: Connection, workspace_id: UUID) -> Count:
    """Count the open suggestions, up to ``MOST_COUNTED``."""
    number: int = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM suggestions WHERE workspace_id = $1 AND state = 'open' ORDER BY score DESC, id DESC LIMIT $2
        ) AS capped
        """,
        workspace_id,
        MOST_COUNTED + 1,
    )
    return count_of(number, MOST_COUNTED)


async def learned_from(connection: Connection, workspace_id: UUID) -> int:
    """Return of how many decisions the probabilities of a workspace were refined."""
    number: int | None = await connection.fetchval(
        "SELECT decisions FROM learned_from_reviews WHERE workspace_id = $1", workspace_id
    )
    return number or 0


def probability(rule: str, score: float) -> float | None:
    """Return the calibrated probability of a pair; the bridge of one write is no model's."""
    return None if rule == "bridge" else score


def reasons_of(stored: object) -> tuple[str, ...]:
    """Read the reasons of a suggestion."""
    return tuple(map(str, stored)) if isinstance(stored, list) else ()
