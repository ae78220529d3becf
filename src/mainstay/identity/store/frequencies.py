"""How often names, employers and places occur in a book, kept so that a single contact can be judged by its own book.

A book of up to 200,000 contacts is counted; of a larger one a sample of the table's pages is, a few hundred thousand
contacts whatever the size. What the sample does not hold twice counts as rare.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.suggestions.columns import Frequencies
from mainstay.identity.suggestions.traits import read

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

_COUNTED_WHOLE = 200_000
_SAMPLE = 300_000
_GROWN = 0.1
_MOST_VALUES = 60_000


@dataclass(frozen=True, slots=True)
class BookFrequencies:
    """The frequencies of a book, and of when they are."""

    at: datetime
    known: Frequencies


async def are_outdated(connection: Connection, workspace_id: UUID) -> bool:
    """Tell whether a book has grown by a tenth since it was counted, or a whole list was brought in."""
    outdated: bool = await connection.fetchval(
        """
        SELECT coalesce((
            SELECT compared > greatest(20, total * $2::float8) OR EXISTS (
                SELECT FROM imports WHERE workspace_id = $1 AND finished_at > book.at)
            FROM book_frequencies AS book WHERE workspace_id = $1), true)
        """,
        workspace_id,
        _GROWN,
    )
    return outdated


async def note_compared(connection: Connection, workspace_id: UUID, number: int) -> None:
    """Note that as many contacts were compared: by this a book's growth is told."""
    await connection.execute(
        "UPDATE book_frequencies SET compared = compared + $2 WHERE workspace_id = $1", workspace_id, number
    )


async def read_frequencies(
    connection: Connection, workspace_id: UUID, known: BookFrequencies | None = None
) -> BookFrequencies | None:
    """Return the frequencies of a book, ``known`` itself where those are of today; None where it was never counted."""
    row = await connection.fetchrow(
        """
        SELECT at, total, CASE WHEN at IS DISTINCT FROM $2 THEN counts END AS counts
        FROM book_frequencies WHERE workspace_id = $1
        """,
        workspace_id,
        known.at if known else None,
    )
    if row is None or (row["counts"] is None and known is not None):
        return known if row is not None else None
    counts = row["counts"]
    return BookFrequencies(row["at"], Frequencies(row["total"], counts["values"], counts["initials"], counts["words"]))


async def count_frequencies(connection: Connection, workspace_id: UUID) -> None:
    """Count a book, or a sample of it, and keep what was found."""
    size = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL
                              AND deleted_at IS NULL LIMIT $2) AS capped
        """,
        workspace_id,
        _COUNTED_WHOLE + 1,
    )
    share = 1.0
    if size > _COUNTED_WHOLE:
        rows = await connection.fetchval(
            "SELECT greatest(reltuples, $1) FROM pg_class WHERE relname = 'contacts'", size
        )
        share = min(1.0, _SAMPLE / rows)
    sample = "" if share == 1.0 else f"TABLESAMPLE SYSTEM ({share * 100:.6f}) REPEATABLE (7)"
    found = await connection.fetch(_COUNT.format(sample=sample), workspace_id, _MOST_VALUES)
    total, counts = await asyncio.to_thread(_told, found, 1 / share)
    await connection.execute(
        """
        INSERT INTO book_frequencies (workspace_id, total, counts, at) VALUES ($1, $2, $3, clock_timestamp())
        ON CONFLICT (workspace_id) DO UPDATE
        SET total = excluded.total, counts = excluded.counts, compared = 0, at = excluded.at
        """,
        workspace_id,
        total,
        counts,
    )


# Every value is grouped in one pass over the rows that are looked at; single ones are left out, as most of a book is.
_COUNT = """
    WITH looked_at AS MATERIALIZED (
        SELECT lower(first_name) AS first, lower(last_name) AS last, lower(company) AS company,
               split_part(email, '@', 1) AS local, split_part(email, '@', 2) AS domain,
               lower(custom ->> 'city') AS city, lower(coalesce(custom ->> 'postcode', custom ->> 'zip')) AS postcode
        FROM contacts {sample} WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL
    ), words AS (
        SELECT word FROM looked_at, unnest(string_to_array(company, ' ')) AS word WHERE company <> '' AND word <> ''
    )
    SELECT 'total' AS what, '' AS one, '' AS two, count(*) AS number FROM looked_at
    UNION ALL SELECT 'employed', '', '', count(*) FROM looked_at WHERE company <> ''
    UNION ALL (SELECT 'name', first, last, count(*) FROM looked_at WHERE first <> '' OR last <> '' GROUP BY first, last
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'first', first, '', count(*) FROM looked_at WHERE first <> '' GROUP BY first
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'last', '', last, count(*) FROM looked_at WHERE last <> '' GROUP BY last
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'company', company, '', count(*) FROM looked_at WHERE company <> '' GROUP BY company
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'word', word, '', count(*) FROM words GROUP BY word
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'local', local, '', count(*) FROM looked_at WHERE local <> '' GROUP BY local
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'domain', domain, '', count(*) FROM looked_at WHERE domain <> '' GROUP BY domain
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'city', city, '', count(*) FROM looked_at WHERE city <> '' GROUP BY city
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL (SELECT 'postcode', postcode, '', count(*) FROM looked_at WHERE postcode <> '' GROUP BY postcode
               HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT $2)
    UNION ALL SELECT 'initial of first', left(first, 1), '', count(*) FROM looked_at WHERE first <> ''
              GROUP BY left(first, 1)
    UNION ALL SELECT 'initial of last', left(last, 1), '', count(*) FROM looked_at WHERE last <> ''
              GROUP BY left(last, 1)
"""


def _told(rows: Sequence[Row], factor: float) -> tuple[int, dict[str, Any]]:
    """Fold what was counted to the forms that are compared."""
    values: dict[str, Counter[str]] = {}
    initials: dict[str, Counter[str]] = {"first": Counter(), "last": Counter()}
    words: Counter[str] = Counter()
    total = 0
    for what, one, two, found in (tuple(row) for row in rows):
        number = round(found * factor)
        if what == "total":
            total = number
        elif what == "employed":
            words[""] += number
        elif what == "word":
            words[one] += number
        elif what.startswith("initial of "):
            initials[what.removeprefix("initial of ")][one] += number
        else:
            values.setdefault(what, Counter())[_folded(what, one, two)] += number
    return total, {"values": values, "initials": initials, "words": words}


def _folded(what: str, one: str, two: str) -> str:
    if what in {"local", "domain"}:
        return one
    if what in {"name", "first", "last"}:
        traits = read({"first_name": one, "last_name": two}, "")
    else:
        traits = read({what: one}, "")
    value: str = getattr(traits, what)
    return value
