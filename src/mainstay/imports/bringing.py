"""A file as a whole into the book: part by part, each in one transaction with how far the file is.

An import is quiet: it starts no workflow, alerts nobody, and tells the system of record nothing. An old list is no
stream of new leads.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.consequences import Cause, Consequences, Routing
from mainstay.db import Pool, transact
from mainstay.identity import ContactWrite, Dropped, Resolution
from mainstay.identity.bulk import ChunkOutcome, write_chunk
from mainstay.imports.lines import Job, Part
from mainstay.imports.store import Import, advance, finish
from mainstay.imports.worker import reading
from mainstay.records import raise_wanted

if TYPE_CHECKING:
    from mainstay.db import Connection

Progress = Callable[[Part, Import], None]


async def bring_in(
    pool: Pool, job: Job, item: Import, routing: Routing, *, before: Callable[[Part], None], after: Progress
) -> Import:
    """Bring in what is left of a file; ``before`` is told of each part ahead of its commit, ``after`` once it is in.

    Raises:
        MalformedError: the file cannot be read to its end.
        ConflictError: another process brings it in.
    """
    quiet = replace(routing, workflows={}, merge_elsewhere="never")
    async with reading(job) as readers:
        turn = 0
        # One part ahead: the next is taken in while the database works on this one.
        coming = asyncio.create_task(readers[turn].next())
        try:
            while (part := await coming) is not None:
                turn += 1
                coming = asyncio.create_task(readers[turn % job.workers].next())
                before(part)
                item = await _commit(pool, job, item, quiet, part)
                after(part, item)
        finally:
            coming.cancel()
    await transact(pool, lambda connection: finish(connection, item.id))
    return item


async def _commit(pool: Pool, job: Job, item: Import, routing: Routing, part: Part) -> Import:
    async def work(connection: Connection) -> Import:
        outcome = await write_chunk(connection, job.origin, part.chunk)
        await _follow(connection, item, routing, outcome.resolved)
        counts = Counter(item.counts)
        counts.update(counts_of(part, outcome))
        done = replace(item, records=item.records + part.records, counts=counts)
        await advance(connection, item, done.records, counts)
        return done

    return await transact(pool, work)


def counts_of(part: Part, outcome: ChunkOutcome) -> Mapping[str, int]:
    """Count what became of the lines."""
    counts = Counter(refused=len(part.refused), remarks=part.remarks, created=outcome.fresh)
    for _, resolution in outcome.resolved:
        if isinstance(resolution, Dropped):
            counts["dropped"] += 1
            continue
        if resolution.is_new:
            counts["created"] += 1
        elif resolution.is_repeated:
            counts["repeated"] += 1
        else:
            counts["updated" if resolution.changed else "unchanged"] += 1
        counts["merged"] += len(resolution.merged)
        counts["suggested"] += len(resolution.suggestion_ids)
    return {name: count for name, count in counts.items() if count}


async def _follow(
    connection: Connection,
    item: Import,
    routing: Routing,
    resolved: Sequence[tuple[ContactWrite, Resolution | Dropped]],
) -> None:
    """Do what may not be left out: ids and waiting runs follow merges, and a record elsewhere is known to be behind."""
    cause = Cause(item.workspace_id, routing, item.source)
    consequences = Consequences()
    changed: dict[UUID, int] = {}
    for _, resolution in resolved:
        if isinstance(resolution, Dropped):
            continue
        for merged in resolution.merged:
            await consequences.of_merge(connection, cause, merged)
            changed.pop(merged.merged_id, None)
        if resolution.changed or resolution.merged:
            changed[resolution.contact.id] = resolution.contact.version
    await consequences.store(connection)
    if routing.system_of_record and changed:
        await raise_wanted(connection, item.workspace_id, routing.system_of_record, changed)
