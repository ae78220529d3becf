"""SQL of suggestions: two contacts that may be one person, until a person has said so or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.errors import PermanentError
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection


async def is_rejected(connection: Connection, one_id: UUID, other_id: UUID) -> bool:
    """Tell whether a person has said that these two, or any two that were merged into them, are two (R24)."""
    found: bool = await connection.fetchval(
        """
        WITH ones AS (SELECT contact_group($1) AS id), others AS (SELECT contact_group($2) AS id)
        SELECT EXISTS (
            SELECT FROM suggestions JOIN ones ON ones.id = one_id JOIN others ON others.id = other_id
            WHERE state = 'rejected'
            UNION ALL
            SELECT FROM suggestions JOIN others ON others.id = one_id JOIN ones ON ones.id = other_id
            WHERE state = 'rejected'
        )
        """,
        one_id,
        other_id,
    )
    return found


async def rejected_pairs(connection: Connection, workspace_id: UUID) -> set[tuple[UUID, UUID]]:
    """Return all pairs of a workspace that a person has said to be two, as what their contacts are today."""
    rows = await connection.fetch(
        """
        SELECT least(one, other) AS one, greatest(one, other) AS other FROM (
            SELECT surviving(one_id) AS one, surviving(other_id) AS other FROM suggestions
            WHERE workspace_id = $1 AND state = 'rejected') AS pairs
        """,
        workspace_id,
    )
    return {(row["one"], row["other"]) for row in rows}


async def open_suggestion(
    connection: Connection,
    workspace_id: UUID,
    one_id: UUID,
    other_id: UUID,
    *,
    rule: str,
    reasons: Sequence[str],
    score: float = 0.5,
    model_score: float | None = None,
) -> UUID | None:
    """Ask a person whether two contacts are one; returns the suggestion's id when it is opened now.

    ``model_score`` is what the shipped model says, where it was asked; ``score`` what is shown.
    A pair is asked about once: one that is open stays (its score may rise), one that was decided stays decided.
    """
    if one_id == other_id or await is_rejected(connection, one_id, other_id):
        return None
    suggestion_id = new_id()
    found = await connection.fetchval(
        """
        INSERT INTO suggestions AS known (id, workspace_id, one_id, other_id, state, rule, score, reasons, opened_at,
                                          model_score)
        VALUES ($1, $2, $3, $4, 'open', $5, $6, $7, now(), $8)
        ON CONFLICT (one_id, other_id) DO UPDATE SET
            id = CASE known.state WHEN 'open' THEN known.id ELSE excluded.id END,
            state = 'open', rule = excluded.rule, reasons = excluded.reasons, model_score = excluded.model_score,
            score = greatest(excluded.score, CASE known.state WHEN 'open' THEN known.score ELSE 0 END)
        WHERE known.state IN ('stale', 'accepted') OR (known.state = 'open' AND known.score < excluded.score)
        RETURNING id
        """,
        suggestion_id,
        workspace_id,
        min(one_id, other_id),
        max(one_id, other_id),
        rule,
        score,
        list(reasons),
        model_score,
    )
    return suggestion_id if found == suggestion_id else None


async def pair_of(connection: Connection, workspace_id: UUID, suggestion_id: UUID) -> tuple[UUID, UUID]:
    """Return the two contacts of an open suggestion.

    Raises:
        PermanentError: there is no such suggestion in this workspace, or it is decided already.
    """
    row = await connection.fetchrow(
        "SELECT one_id, other_id, state FROM suggestions WHERE id = $1 AND workspace_id = $2",
        suggestion_id,
        workspace_id,
    )
    if row is None:
        raise PermanentError(f"there is no suggestion {suggestion_id}")
    if row["state"] != "open":
        raise PermanentError(f"this suggestion is {row['state']} already")
    return row["one_id"], row["other_id"]


async def decide(connection: Connection, workspace_id: UUID, suggestion_id: UUID, *, state: str, by: str) -> None:
    """Record a person's answer, ``accepted`` or ``rejected``. An accepted pair is merged before.

    Raises:
        PermanentError: there is no such suggestion in this workspace, or it was decided otherwise.
    """
    decided = await connection.fetchval(
        """
        UPDATE suggestions SET state = $3, decided_at = now(), decided_by = $4
        WHERE id = $1 AND workspace_id = $2 AND (state = 'open' OR (state = 'accepted' AND $3 = 'accepted'))
        RETURNING id
        """,
        suggestion_id,
        workspace_id,
        state,
        by,
    )
    if decided is None:
        await pair_of(connection, workspace_id, suggestion_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a suggestion; ``merge_id`` is the merge that stands by it, where it was ``accepted``."""

    one_id: UUID
    other_id: UUID
    state: str
    merge_id: UUID | None


async def answer_of(connection: Connection, workspace_id: UUID, suggestion_id: UUID) -> Answer:
    """Return what was answered to a suggestion.

    Raises:
        PermanentError: there is no such suggestion in this workspace, or nothing was answered.
    """
    row = await connection.fetchrow(
        """
        SELECT one_id, other_id, state, (SELECT id FROM merges WHERE survivor_id = one_id AND merged_id = other_id
                                         AND undone_at IS NULL) AS merge_id
        FROM suggestions WHERE id = $1 AND workspace_id = $2
        """,
        suggestion_id,
        workspace_id,
    )
    if row is None:
        raise PermanentError(f"there is no suggestion {suggestion_id}")
    if row["state"] not in {"accepted", "rejected"}:
        raise PermanentError(f"this suggestion is {row['state']}: there is no answer to take back")
    return Answer(row["one_id"], row["other_id"], row["state"], row["merge_id"])


async def ask_again(connection: Connection, workspace_id: UUID, suggestion_id: UUID) -> None:
    """Let a suggestion wait for an answer again: a person has taken theirs back, and what it merged is parted.

    Raises:
        PermanentError: it waits already.
    """
    asked = await connection.fetchval(
        """
        UPDATE suggestions SET state = 'open', decided_at = NULL, decided_by = ''
        WHERE id = $1 AND workspace_id = $2 AND state = 'rejected' RETURNING id
        """,
        suggestion_id,
        workspace_id,
    )
    if asked is None:
        raise PermanentError("there is no answer to take back any more")


@dataclass(frozen=True, slots=True)
class LikelyPair:
    """An open suggestion that is likely enough to be merged without a person."""

    id: UUID
    one_id: UUID
    other_id: UUID


async def likely_enough(
    connection: Connection, workspace_id: UUID, least: float, *, besides: Sequence[str], most: int = 20
) -> list[LikelyPair]:
    """Return open suggestions of the model that reach ``least``, the likeliest first.

    Those of the rules ``besides`` are left out, and pairs that a person has parted before: that answer was taken back,
    but it is a person's again to give.
    """
    rows = await connection.fetch(
        """
        SELECT id, one_id, other_id FROM suggestions AS s
        WHERE workspace_id = $1 AND state = 'open' AND score >= $2 AND model_score IS NOT NULL AND rule <> ALL($3)
          AND NOT EXISTS (SELECT FROM merges WHERE survivor_id = s.one_id AND merged_id = s.other_id
                          AND undone_at IS NOT NULL)
        ORDER BY score DESC, id DESC LIMIT $4
        """,
        workspace_id,
        least,
        list(besides),
        most,
    )
    return [LikelyPair(row["id"], row["one_id"], row["other_id"]) for row in rows]


async def set_aside(connection: Connection, suggestion_id: UUID) -> None:
    """Take a question back that cannot be answered any more."""
    await connection.execute(
        "UPDATE suggestions SET state = 'stale', decided_at = now() WHERE id = $1 AND state = 'open'", suggestion_id
    )


async def take_back_rejection(connection: Connection, merge_id: UUID) -> None:
    """Let the pair of an undone merge be as it was before: open where it was asked about, else free to be suggested."""
    await connection.execute(
        """
        UPDATE suggestions AS s SET state = CASE s.rule WHEN 'un-merge' THEN 'stale' ELSE 'open' END, decided_at = NULL,
                                    decided_by = ''
        FROM merges AS m
        WHERE m.id = $1 AND s.one_id = least(m.survivor_id, m.merged_id) AND s.state = 'rejected'
          AND s.other_id = greatest(m.survivor_id, m.merged_id)
        """,
        merge_id,
    )


async def reject(
    connection: Connection, workspace_id: UUID, one_id: UUID, other_id: UUID, *, rule: str, by: str
) -> None:
    """Keep for good that two contacts are two."""
    await connection.execute(
        """
        INSERT INTO suggestions AS known (id, workspace_id, one_id, other_id, state, rule, opened_at, decided_at,
                                          decided_by)
        VALUES ($1, $2, $3, $4, 'rejected', $5, now(), now(), $6)
        ON CONFLICT (one_id, other_id) DO UPDATE SET state = 'rejected', decided_at = now(), decided_by = $6
        """,
        new_id(),
        workspace_id,
        min(one_id, other_id),
        max(one_id, other_id),
        rule,
        by,
    )


async def follow_merge(connection: Connection, survivor_id: UUID, merged_id: UUID, *, by: str) -> None:
    """Bring suggestions after a merge: the pair itself is answered, other pairs are the survivor's."""
    # All rows of both, in one order: who merges one of the others meanwhile takes theirs in it too, and sees the rest.
    await connection.execute(
        """
        SELECT FROM suggestions WHERE state = 'open' AND (one_id IN ($1, $2) OR other_id IN ($1, $2))
        ORDER BY id FOR UPDATE
        """,
        survivor_id,
        merged_id,
    )
    await connection.execute(
        """
        UPDATE suggestions SET state = 'accepted', decided_at = now(), decided_by = $3
        WHERE one_id = least($1::uuid, $2) AND other_id = greatest($1::uuid, $2) AND state = 'open'
        """,
        survivor_id,
        merged_id,
        by,
    )
    rows = await connection.fetch(
        """
        UPDATE suggestions SET state = 'stale', decided_at = now()
        WHERE (one_id = $1 OR other_id = $1) AND state = 'open'
        RETURNING workspace_id, one_id, other_id, rule, score, reasons, model_score
        """,
        merged_id,
    )
    for row in rows:
        other_id = row["other_id"] if row["one_id"] == merged_id else row["one_id"]
        await open_suggestion(
            connection,
            row["workspace_id"],
            survivor_id,
            other_id,
            rule=row["rule"],
            reasons=row["reasons"],
            score=row["score"],
            model_score=row["model_score"],
        )
