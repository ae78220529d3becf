"""The limit: a bare loop that commits rows of the same number and shape as the product's, on the same PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from uuid import UUID

import asyncpg

from mainstay.db import open_pool
from mainstay.model import new_id

RUNS_PER_LEAD = 3
_LEAD = {"email": "bare@example.com", "phone": "(847) 555-0001", "first_name": "Bare", "last_name": "Bench"}


async def leads_per_second(dsn: str, size: int, leads: int) -> float:
    """Commit, for each lead, rows of the same number and shape as the product writes; returns leads a second."""
    pool = await open_pool(dsn, size=1)
    async with pool.acquire() as connection:
        workspace = await connection.fetchval("SELECT id FROM workspaces LIMIT 1")
        started = time.perf_counter()
        for first in range(0, leads, size):
            async with connection.transaction():
                await _write_rows(connection, workspace, min(size, leads - first))
        seconds = time.perf_counter() - started
    await pool.close()
    return leads / seconds


async def paced_commits(dsn: str, commits: int, per_second: float) -> list[float]:
    """Commit what an acknowledgement stands for, a delivery and its run, at a pace; returns the ms of each commit."""
    pool = await open_pool(dsn, size=1)
    times: list[float] = []
    async with pool.acquire() as connection:
        workspace = await connection.fetchval("SELECT id FROM workspaces LIMIT 1")
        started = time.perf_counter()
        for place in range(commits):
            due = started + place / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            async with connection.transaction():
                await _write_deliveries(connection, workspace, [new_id()])
                await _write_runs(connection, workspace, [new_id()])
            times.append((time.perf_counter() - due) * 1000)
    await pool.close()
    return times


async def _write_rows(connection: asyncpg.Connection, workspace: UUID, count: int) -> None:
    """Write what ``count`` leads leave behind, delivery to attempts, in one row each as the product does."""
    await connection.execute("SET LOCAL mainstay.writer = 'identity'")
    ids = [new_id() for _ in range(count)]
    await _write_deliveries(connection, workspace, ids)
    await connection.execute("SET LOCAL mainstay.writer = 'identity'")
    await connection.executemany(
        """
        INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, created_at, updated_at)
        VALUES ($1, $2, $3, '+13125550147', 'Bare', 'Bench', now(), now())
        """,
        [(id_, workspace, f"{id_}@example.com") for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
        VALUES ($1, $2, $3, $4, $4, 'owner', '', now())
        """,
        [(workspace, kind, f"{kind}{id_}", id_) for id_ in ids for kind in ("email", "phone")],
    )
    await connection.executemany(
        """
        INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, occurred_at, person,
                             before, after, at)
        VALUES ($1, $2, $1, $1, 1, 'new', 'website', 'form', now(), $3, $3, $3, now())
        """,
        [(id_, workspace, {"first_name": "Bare"}) for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO events (id, workspace_id, type, source, data, at)
        VALUES ($1, $2, 'contact.created', '', $3, now())
        """,
        [(id_, workspace, {"rule": "new"}) for id_ in ids],
    )
    await connection.executemany(
        """
        INSERT INTO crosswalk
            (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
        VALUES ($1, 'contact', $2, 'ghl', $2::uuid::text, 1, now())
        """,
        [(workspace, id_) for id_ in ids],
    )
    runs = [new_id() for _ in range(count * RUNS_PER_LEAD)]
    await _write_runs(connection, workspace, runs)
    exchange = [{"method": "POST", "url": "http://127.0.0.1", "request": _LEAD, "response": _LEAD}]
    await connection.executemany(
        """
        INSERT INTO attempts (workspace_id, run_id, step, number, name, state, exchanges, started_at)
        VALUES ($1, $2, 1, 1, 'bare', 'ok', $3, now())
        """,
        [(workspace, id_, exchange) for id_ in runs],
    )


async def _write_deliveries(connection: asyncpg.Connection, workspace: UUID, ids: list[UUID]) -> None:
    await connection.executemany(
        """
        INSERT INTO deliveries
            (id, workspace_id, source, kind, state, verified, method, url, headers, body, received_at)
        VALUES ($1, $2, 'website', 'json', 'processed', 'unsigned', 'POST', '/', $3, $4, now())
        """,
        [(id_, workspace, {"content-type": "application/json"}, json.dumps(_LEAD).encode()) for id_ in ids],
    )


async def _write_runs(connection: asyncpg.Connection, workspace: UUID, ids: list[UUID]) -> None:
    await connection.executemany(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
        VALUES ($1, $2, 'bare', 'done', $3, 'bare', now())
        """,
        [(id_, workspace, _LEAD) for id_ in ids],
    )
