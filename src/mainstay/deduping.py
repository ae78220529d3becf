"""A whole book looked through for contacts that are one person: to be reviewed, merged, and parted again by the run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from mainstay.db import acquire, transact
from mainstay.errors import MainstayError, PermanentError
from mainstay.identity import open_suggestion
from mainstay.identity.likeness import (
    ALIAS,
    ALWAYS,
    EMPLOYER,
    MODEL,
    Learned,
    contact_of,
    hold,
    learned_of,
    record_of,
    rejected_pairs,
    rules_of,
)
from mainstay.identity.suggestions.columns import Builder, Columns
from mainstay.identity.suggestions.features import features
from mainstay.identity.suggestions.reasons import reasons
from mainstay.identity.suggestions.suggest import Progress, Suggestions, suggest
from mainstay.identity.suggestions.traits import read

if TYPE_CHECKING:
    from mainstay.consequences import Routing
    from mainstay.contacts import Contacts
    from mainstay.db import Connection, Pool, Row

IDENTIFIER, CHAIN = "identifier", "chain"
"""A pair that shares an e-mail or phone, and one that follows from two others."""
_PAGE = 20_000
_CHUNK = 20_000
_FLOOR = 0.02
_OPENED_AT_ONCE = 50
_FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two contacts that may be one. ``rule`` says what brought them together."""

    one_id: UUID
    other_id: UUID
    score: float
    model_score: float
    rule: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look through a book gave: the pairs, the likeliest first, of how many contacts and comparisons."""

    pairs: Sequence[Pair]
    contacts: int
    compared: int
    decisions: int


@dataclass(slots=True)
class Done:
    """What became of pairs so far. ``skipped`` are those that were answered meanwhile; ``error`` is what stopped it."""

    changed: int = 0
    skipped: int = 0
    error: str = ""


class Deduping:
    """The verbs of one workspace.

    Attributes:
        on_progress: is told (what is being done, how far, of how much).
    """

    def __init__(self, pool: Pool, contacts: Contacts, workspace_id: UUID, routing: Routing) -> None:
        self._pool = pool
        self._contacts = contacts
        self._workspace_id = workspace_id
        self._routing = routing
        self.on_progress: Progress = lambda *_: None

    async def find(self, least: float) -> Found:
        """Compare the whole book; nothing is written. What a person has rejected is left out (R24)."""
        ids, columns = await self._read()
        async with acquire(self._pool) as connection:
            rejected = await rejected_pairs(connection, self._workspace_id)
            learned = await learned_of(connection, self._workspace_id)
        if len(ids) < 2:
            return Found((), len(ids), 0, learned.decisions)
        found = suggest(columns, least=_FLOOR, processes=os.cpu_count() or 1, on_progress=self.on_progress)
        kept = np.flatnonzero((learned.refine(found.scores) >= least) | _always(columns, found))
        pairs = [
            pair
            for pair in _pairs(ids, columns, found, kept, learned, self.on_progress)
            if (pair.one_id, pair.other_id) not in rejected
        ]
        return Found(pairs, len(ids), found.candidates, learned.decisions)

    async def open(self, pairs: Sequence[Pair], done: Done) -> None:
        """Put pairs into the reviews; those that wait there already, or were decided, stay as they are."""
        for begin in range(0, len(pairs), _OPENED_AT_ONCE):
            some = pairs[begin : begin + _OPENED_AT_ONCE]

            async def work(connection: Connection, some: Sequence[Pair] = some) -> int:
                return await self._open(connection, some)

            opened = await transact(self._pool, work)
            done.changed += opened
            done.skipped += len(some) - opened
            self.on_progress("opening reviews", begin + len(some), len(pairs))

    async def apply(self, run: str, pairs: Sequence[Pair], done: Done) -> None:
        """Merge pairs, each by itself with all that follows from it; stops at the first that fails for no known reason.

        What R18 leaves to a person is skipped; so is what a person has answered since, or is one contact already. Begun
        again under the same ``run``, it goes on where it was.
        """
        for place, pair in enumerate(pairs):
            self.on_progress("merging", place, len(pairs))
            if pair.rule in ALWAYS:
                done.skipped += 1
                continue
            note = f"{pair.score:.1%} likely: {', '.join(pair.reasons)}"
            try:
                await self._contacts.merge_unless_rejected(
                    self._workspace_id, pair.one_id, pair.other_id, rule=rule_of(run), note=note
                )
            except PermanentError:
                done.skipped += 1
            except (MainstayError, OSError) as error:
                done.error = f"{pair.one_id} and {pair.other_id}: {error}"
                return
            else:
                done.changed += 1

    async def undo(self, run: str, done: Done) -> None:
        """Part again what a run has merged, the latest first; each pair may be suggested again, as before the run.

        A merge whose contact was deleted since cannot be parted, and is skipped.
        """
        merges = await self.merges_of(run)
        for place, merge_id in enumerate(merges):
            self.on_progress("parting", place, len(merges))
            try:
                by = f"{rule_of(run)} undone"
                await self._contacts.unmerge(self._workspace_id, merge_id, by=by, is_verdict=False)
            except PermanentError:
                done.skipped += 1
            else:
                done.changed += 1

    async def merges_of(self, run: str) -> list[UUID]:
        """Return the merges of a run that stand, the latest first."""
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT id FROM merges
                WHERE workspace_id = $1 AND rule = $2 AND rule LIKE 'dedupe %' AND undone_at IS NULL ORDER BY id DESC
                """,
                self._workspace_id,
                rule_of(run),
            )
        return [row["id"] for row in rows]

    async def _read(self) -> tuple[list[UUID], Columns]:
        builder, ids = Builder(), list[UUID]()
        blocked, region = self._routing.policy.blocked, self._routing.region
        async for page in self._pages():
            for row in page:
                ids.append(row["id"])
                builder.add(read(record_of(contact_of(row), blocked), region))
            self.on_progress("reading", len(ids), len(ids))
        return ids, builder.done()

    async def _pages(self) -> AsyncIterator[Sequence[Row]]:
        # Page by page: one long query would hold back the cleaning of the whole database for as long as it takes.
        after = _FIRST_ID
        while True:
            async with acquire(self._pool) as connection:
                rows = await connection.fetch(_PAGE_QUERY, self._workspace_id, after, _PAGE)
            if not rows:
                return
            yield rows
            after = rows[-1]["id"]

    async def _open(self, connection: Connection, pairs: Sequence[Pair]) -> int:
        stand = await hold(connection, {each for pair in pairs for each in (pair.one_id, pair.other_id)})
        opened = 0
        for pair in sorted(pairs, key=lambda each: (each.one_id, each.other_id)):
            if pair.one_id in stand and pair.other_id in stand:
                opened += (
                    await open_suggestion(
                        connection,
                        self._workspace_id,
                        pair.one_id,
                        pair.other_id,
                        rule=pair.rule,
                        reasons=pair.reasons,
                        score=pair.score,
                        model_score=pair.model_score,
                    )
                    is not None
                )
        return opened


_PAGE_QUERY = """
    SELECT id, workspace_id, email, phone, first_name, last_name, company, source, tags, custom, flags, do_not_contact,
           version, created_at, updated_at
    FROM contacts WHERE workspace_id = $1 AND id > $2 AND merged_into IS NULL AND deleted_at IS NULL
    ORDER BY id LIMIT $3
"""


def rule_of(run: str) -> str:
    """Return the rule that the merges of a run carry."""
    return f"dedupe {run}"


def _always(columns: Columns, found: Suggestions) -> NDArray[np.bool_]:
    """Tell which pairs are asked about whatever their probability (R18)."""

    def same(trait: str) -> NDArray[np.bool_]:
        codes = columns.codes[trait]
        return np.asarray((codes[found.left] == codes[found.right]) & (codes[found.left] != 0), dtype=bool)

    return same("alias") | (same("first") & same("last") & same("company"))


def _pairs(
    ids: Sequence[UUID],
    columns: Columns,
    found: Suggestions,
    kept: NDArray[np.int64],
    learned: Learned,
    say: Progress,
) -> Iterator[Pair]:
    scores = learned.refine(found.scores)
    for begin in range(0, len(kept), _CHUNK):
        say("giving reasons", begin, len(kept))
        part = kept[begin : begin + _CHUNK]
        left, right = found.left[part], found.right[part]
        matrix = features(columns, left, right)
        is_alias, is_employer = rules_of(matrix)
        for row, place in enumerate(part.tolist()):
            rule = MODEL
            if found.has_identifier[place]:
                rule = IDENTIFIER
            elif is_alias[row]:
                rule = ALIAS
            elif is_employer[row]:
                rule = EMPLOYER
            elif found.via[place] >= 0:
                rule = CHAIN
            told = reasons(matrix[row])
            if rule == CHAIN:
                told = ["both match a third contact", *told]
            one, other = ids[int(left[row])], ids[int(right[row])]
            yield Pair(
                min(one, other), max(one, other), float(scores[place]), float(found.scores[place]), rule, tuple(told)
            )
