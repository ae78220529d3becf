"""What became of a write, and the answers that are kept so that a repeated key gives the first one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.errors import ConflictError
from mainstay.identity import ContactWrite, Dropped, Resolution
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection

KEYS_ARE_KEPT = timedelta(days=7)
"""How long a repeated idempotency key gives the first answer again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write: ``created``, ``updated``, ``unchanged`` or ``dropped``; JSON-able, to be given again.

    Attributes:
        contact_id: the contact it belongs to; None when it was dropped.
        rule: by which rule it was found.
        changed: the fields that changed.
        merged: ids that this write showed to be the same person.
        suggestions: questions for a person that it opened.
        flags: words for what a person should know.
        note: the same in a sentence, and why something was not used.
        is_repeat: this answer was given before, under the same key.
        contact: as it is after the write; None where it was dropped or repeated. Not kept with the answer.
    """

    outcome: str
    contact_id: UUID | None
    rule: str = ""
    changed: tuple[str, ...] = ()
    merged: tuple[UUID, ...] = ()
    suggestions: tuple[UUID, ...] = ()
    flags: tuple[str, ...] = ()
    note: str = ""
    is_repeat: bool = False
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One write that waits for its transaction. ``besides`` is as in :class:`mainstay.consequences.Cause`."""

    workspace_id: UUID
    write: ContactWrite
    key: str
    digest: bytes
    besides: str = ""


def outcome_of(resolution: Resolution | Dropped) -> Outcome:
    """Return what a resolution comes to."""
    if isinstance(resolution, Dropped):
        return Outcome("dropped", None, note=resolution.reason)
    sent = [f"{name} is sent to {owner}, which owns it: here it stands once it is there"
            for name, owner in resolution.forwarded]  # fmt: skip
    known = "updated" if resolution.changed or resolution.merged else "unchanged"
    return Outcome(
        "created" if resolution.is_new else known,
        resolution.contact.id,
        resolution.rule,
        resolution.changed,
        tuple(merged.merged_id for merged in resolution.merged),
        resolution.suggestion_ids,
        resolution.flags,
        "; ".join(filter(None, (resolution.note, *sent))),
        contact=resolution.contact,
    )


def same(request: Request, digest: bytes, answer: Outcome | Exception | None) -> Outcome | Exception:
    """Return the first answer for a repeated key, or the refusal where it came with another write."""
    if request.digest != digest:
        return ConflictError(
            f'the Idempotency-Key "{request.key}" was used for another write; use a new key for each write'
        )
    return (
        replace(answer, is_repeat=True, contact=None)
        if isinstance(answer, Outcome)
        else ConflictError("the first write failed")
    )


async def answers_before(connection: Connection, requests: Sequence[Request]) -> list[Outcome | Exception | None]:
    """Hold the keys of these requests, and return what was answered to them before."""
    keyed = [request for request in requests if request.key]
    if not keyed:
        return [None] * len(requests)
    rows = await connection.fetch(
        "SELECT workspace_id, key, digest, answer FROM hold_answers($1, $2)",
        [request.workspace_id for request in keyed],
        [request.key for request in keyed],
    )
    known = {(row["workspace_id"], row["key"]): row for row in rows}
    found: list[Outcome | Exception | None] = []
    for request in requests:
        row = known.get((request.workspace_id, request.key)) if request.key else None
        found.append(same(request, row["digest"], outcome_from_json(row["answer"])) if row else None)
    return found


async def forget_old_keys(connection: Connection) -> None:
    """Drop idempotency keys that are older than a week, some at a time: no one repeats a write for so long."""
    await connection.execute(
        """
        DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
            SELECT workspace_id, key FROM idempotency_keys WHERE at < now() - $1::interval ORDER BY at LIMIT 5000
            FOR UPDATE SKIP LOCKED)
        """,
        KEYS_ARE_KEPT,
    )


async def keep_answers(connection: Connection, answered: Sequence[tuple[Request, Any]]) -> None:
    """Keep what was answered to these requests, where they had a key."""
    rows = [
        (request.workspace_id, request.key, request.digest, outcome_to_json(answer))
        for request, answer in answered
        if request.key
    ]
    if rows:
        await connection.executemany(
            "INSERT INTO idempotency_keys (workspace_id, key, digest, answer, at) VALUES ($1, $2, $3, $4, now())", rows
        )


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the API gives it."""
    return {
        "outcome": outcome.outcome,
        "contact_id": str(outcome.contact_id) if outcome.contact_id else None,
        "rule": outcome.rule,
        "changed": list(outcome.changed),
        "merged": [str(each) for each in outcome.merged],
        "suggestions": [str(each) for each in outcome.suggestions],
        "flags": list(outcome.flags),
        "note": outcome.note,
    }


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """Read what :func:`outcome_to_json` wrote."""
    return Outcome(
        data["outcome"],
        UUID(data["contact_id"]) if data["contact_id"] else None,
        data["rule"],
        tuple(data["changed"]),
        tuple(UUID(each) for each in data["merged"]),
        tuple(UUID(each) for each in data["suggestions"]),
        tuple(data["flags"]),
        data["note"],
    )
