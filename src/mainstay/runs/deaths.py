"""SQL of runs whose worker died under them: counted, set apart from the others, and given up after a few."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection

MOST_DEATHS = 5
"""As many deaths of its worker, without a step done between, and a run is given up: it may be what kills them."""

SUSPECTS = "suspects"
"""The queue of runs under which workers have died twice, or more often."""


async def count_deaths(connection: Connection, execution_ids: Collection[str]) -> None:
    """Count a worker's death against what it ran of these executions, before they are enqueued again.

    Most had no part in it. So from the second time on each is driven alone, by a queue that gives one at a time.
    """
    rows = await connection.fetch(
        """
        UPDATE runs SET done_at_death = counted.done,
               deaths = CASE WHEN runs.deaths > 0 AND runs.done_at_death = counted.done THEN runs.deaths + 1 ELSE 1 END
        FROM (SELECT held.id, (SELECT count(*) FROM attempts
                               WHERE run_id = held.id AND state = 'ok' AND NOT is_set_aside) AS done
              FROM (SELECT id FROM runs WHERE execution_id = ANY($1) AND state = 'running'
                    ORDER BY id FOR NO KEY UPDATE) AS held) AS counted
        WHERE runs.id = counted.id
        RETURNING runs.id, deaths
        """,
        list(execution_ids),
    )
    for row in rows:
        if row["deaths"] < 2:
            continue
        execution_id = str(new_id())
        await connection.execute("UPDATE runs SET execution_id = $2 WHERE id = $1", row["id"], execution_id)
        await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, SUSPECTS)
