"""What every worker asks again and again must cost the same however long the queue is and however many runs wait."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from mainstay.app import App
from mainstay.comparing import Comparer
from mainstay.db import Pool, acquire
from mainstay.engine import dbos_engine
from mainstay.engine.orphans import Orphans
from mainstay.identity import Policy
from mainstay.intake.flood import Floods
from mainstay.mirrors import Mirror
from mainstay.model import new_id
from mainstay.pulls import Pull
from mainstay.retention import Retention
from mainstay.watch import Alerts
from tests.plans import Recorder, RecordingPool, touched

ROWS = 30_000
MOST = 5_000
"""So many rows may a statement touch: a page of orphans is the most."""

_SEED = """
INSERT INTO incidents (id, workspace_id, fingerprint, state, title, cause, first_seen, last_seen)
SELECT md5('i' || n)::uuid, $1, 'f' || n, 'open', '', '', now(), now() FROM generate_series(1, 3) AS n WHERE $2 > 0;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, lane)
SELECT md5('q' || n)::uuid, $1, 'welcome.v1', 'queued', '{}', 'q' || n, now() - interval '1 hour',
       (ARRAY['lead', 'backfill', 'backfill'])[n % 3 + 1] FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, wake_at, is_behind, key,
                  deadline_at, started_at)
SELECT md5('w' || n)::uuid, $1, 'wait.v1', 'waiting', '{}', 'w' || n, now() - interval '1 hour',
       CASE WHEN n % 2 = 0 THEN now() + interval '1 day' END, n % 3 = 0, 'k' || n, now() + interval '1 day', now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, incident_id)
SELECT md5('d' || n)::uuid, $1, 'welcome.v1', 'done', '{}', 'd' || n, now() - interval '1 hour',
       md5('i' || n % 3 + 1)::uuid FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, incident_id, handled_at)
SELECT md5('f' || n)::uuid, $1, 'welcome.v1', 'failed', '{}', 'f' || n, now() - interval '1 hour',
       md5('i' || n % 2 + 1)::uuid, CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, $2::integer) AS n;
INSERT INTO waits (workspace_id, run_id, step, event_type)
SELECT $1, md5('w' || n)::uuid, 1, 'message.received' FROM generate_series(1, $2::integer) AS n;
INSERT INTO dbos.workflow_status (workflow_uuid, status, name, queue_name, application_version, created_at, updated_at,
                                  priority, recovery_attempts, delay_until_epoch_ms)
SELECT execution_id, CASE state WHEN 'queued' THEN 'ENQUEUED' WHEN 'waiting' THEN 'DELAYED' ELSE 'SUCCESS' END,
       'mainstay.execution.v1', 'executions', '1', 0, 0, 0, 0, 4000000000000
FROM runs WHERE workspace_id = $1 AND $2 > 0;
INSERT INTO mirrors (workspace_id, name, layout, loaded_at, written_at)
SELECT $1, 'sheet', 'x', now(), now() WHERE $2 > 0;
INSERT INTO stale_in_mirror (workspace_id, mirror, record_id)
SELECT $1, 'sheet', md5('c' || n)::uuid FROM generate_series(1, $2::integer) AS n;
INSERT INTO pulls (workspace_id, connection, cursor, began_at) SELECT $1, 'hub', '', now() WHERE $2 > 0
"""


@pytest.fixture
async def seeded(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection, connection.transaction():
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        for statement in filter(str.strip, _SEED.split(";\n")):
            await connection.execute(statement, workspace_id, ROWS)
        await connection.execute("ANALYZE")
    return workspace_id


async def test_what_a_worker_asks_at_each_beat_costs_the_same_with_a_long_queue(
    pool: Pool, dsn: str, seeded: UUID
) -> None:
    async with acquire(pool) as connection, connection.transaction():
        recorder = Recorder(connection)
        recording: Any = RecordingPool(recorder)
        app = App(recording, public_url="")
        served: Any = app.workspaces
        served[seeded] = SimpleNamespace(
            stack=SimpleNamespace(
                pull=Pull("hub", timedelta(minutes=15), ("hub",)),
                canary=None,
                connections={},
                expected={},
                outcomes={},
                record_pulls={},
                alerts=Alerts(),
            ),
            routing=SimpleNamespace(policy=Policy()),
            failure_pulls={},
            mirrors={"sheet": Mirror("sheet", "sheet")},
            workflows={},
            alerts=Alerts(),
            retention=Retention(),
        )
        worker = dbos_engine.Worker(dsn, recording, app.driver)
        await worker._beat_once()
        await Orphans(recording).adopt()
        await app.watch_once()
        await Floods().look(recorder, {seeded: 100})  # type: ignore[arg-type]
        await Comparer(recording, app.contacts, app)._is_busy()
        await app.scheduler.next_moment()
        assert len(recorder.sent) > 8

        bad = {}
        for query, values in recorder.sent:
            rows = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values)
            plan = json.loads(rows[0][0])[0]["Plan"]
            if many := [(node, count) for node, count in touched(plan) if count > MOST]:
                bad[query] = many
    assert not bad, "\n".join(f"{many}\n{query}" for query, many in bad.items())
