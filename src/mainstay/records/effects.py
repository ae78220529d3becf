"""What workflows' calls left in other systems, kept in the very transaction that records their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import Write
from mainstay.records.keeping import Word, keep
from mainstay.records.ownership import Ownership
from mainstay.runs import Progress, settle

if TYPE_CHECKING:
    from mainstay.db import Connection

OwnershipsOf = Callable[[UUID], Mapping[str, Ownership]]
"""Which system is right about each type of record of a workspace."""


def settling_effects(ownerships: OwnershipsOf, *, locks: str) -> Write[Progress, None]:
    """Return the write of progress with effects; ``locks`` names what else is locked in an order of its own."""

    async def apply(connection: Connection, news: Sequence[Progress]) -> list[Exception | None]:
        fences = await settle(connection, news)
        alive = [item for item, fence in zip(news, fences, strict=True) if fence is None]
        await keep(connection, await _still_said(connection, list(_words(alive, ownerships))))
        return fences

    return Write("record a run's progress and its effects", 22, apply, locks=locks)


def _words(news: Iterable[Progress], ownerships: OwnershipsOf) -> Iterable[Word]:
    for item in news:
        run = item.run
        for attempt in item.attempts:
            if (effect := attempt.effect) is not None:
                yield Word(
                    run.workspace_id,
                    attempt.connection,
                    effect.state,
                    ownerships(run.workspace_id).get(effect.state.type, Ownership()),
                    run.workflow,
                    effect.contact_id,
                    run_id=run.id,
                )


async def _still_said(connection: Connection, words: Sequence[Word]) -> list[Word]:
    """Leave out what is about contacts that were deleted, and that one is gone of which nobody has heard."""
    about = {word.contact_id for word in words if word.contact_id is not None}
    deleted: set[UUID] = set()
    if about:
        rows = await connection.fetch(
            "SELECT id FROM contacts WHERE id = ANY($1) AND deleted_at IS NOT NULL", list(about)
        )
        deleted = {row["id"] for row in rows}
    gone = [word for word in words if word.state.is_gone]
    known = {_name(word) for word in words if not word.state.is_gone}
    if gone:
        rows = await connection.fetch(
            """
            SELECT asked.* FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
                AS asked (workspace_id, record_type, connection, external_id)
            WHERE EXISTS (SELECT FROM crosswalk AS known
                          WHERE known.workspace_id = asked.workspace_id AND known.connection = asked.connection
                            AND known.record_type = asked.record_type AND known.external_id = asked.external_id
                          OFFSET 0)
            """,
            *zip(*map(_name, gone), strict=True),
        )
        known |= {(row[0], row[1], row[2], row[3]) for row in rows}
    return [
        word for word in words if word.contact_id not in deleted and (not word.state.is_gone or _name(word) in known)
    ]


def _name(word: Word) -> tuple[UUID, str, str, str]:
    return word.workspace_id, word.state.type, word.connection, word.state.external_id
