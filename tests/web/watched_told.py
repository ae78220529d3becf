"""What is watched without pings, each in a state of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from mainstay.db import Pool, acquire
from mainstay.model import new_id

RATES = [[0.0] * 8 + [1.5] * 10 + [0.0] * 6] * 5 + [[0.1] * 24] * 2


async def fill(pool: Pool, workspace_id: UUID) -> None:
    """Let a workspace watch a source, an outcome, a canary, and what is checked by itself."""
    facts: dict[str, dict[str, Any]] = {"source": {"rates": RATES, "spread": 8.0}}
    async with acquire(pool) as connection:
        for kind, name, rule, state in (
            ("source", "website", "As it usually comes, learned", "down"),
            ("source", "ads", "At least 1 in 4 business hours", "up"),
            ("outcome", "speed-to-lead", "Every new lead: a CRM record and a message within 5 minutes", "down"),
            (
                "canary",
                "canary",
                "Every 1 hour through website, hubspot, its workflows, slack, within 5 minutes",
                "down",
            ),
            ("schedule", "nightly.v1", "At 03:00 AM, America/Chicago", "up"),
            ("queue", "leads", "A lead is begun within 10 minutes", "up"),
            ("connection", "hubspot", "Calls are answered, and it is used once a week", "up"),
        ):
            await connection.execute(
                """
                INSERT INTO monitors (workspace_id, kind, name, rule, state, seen_at, expected_at, facts)
                VALUES ($1, $2, $3, $4, $5, now() - interval '5 hours',
                        CASE WHEN $2 IN ('source', 'schedule') THEN now() - interval '20 minutes' END, $6)
                """,
                workspace_id,
                kind,
                name,
                rule,
                state,
                facts.get(kind, {}) if name == "website" else {},
            )
        contact_id = await connection.fetchval(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1", workspace_id
        )
        await connection.executemany(
            """
            INSERT INTO outcome_breaches (workspace_id, outcome, event_id, contact_id, source, at, due_at, missing,
                                          is_met, closed_at)
            VALUES ($1, 'speed-to-lead', $2, $3, 'website', now() - interval '1 hour', now() - interval '55 minutes',
                    '{message}', $4, CASE WHEN $4 THEN now() END)
            """,
            [(workspace_id, new_id(), contact_id, is_met) for is_met in (False, True)],
        )
        await connection.executemany(
            """
            INSERT INTO canaries (id, workspace_id, source, state, sent_at, ended_at, hop, error, hops)
            VALUES ($1, $2, 'website', $3, now() - interval '1 hour', now(), $4, $5, $6)
            """,
            [
                (
                    new_id(),
                    workspace_id,
                    "arrived",
                    "",
                    "",
                    [{"name": "website", "ms": 340}, {"name": "slack", "ms": 900}],
                ),
                (new_id(), workspace_id, "lost", "chat slack", "<b>HTTP 503</b>", [{"name": "website", "ms": 310}]),
            ],
        )
        await connection.execute(
            """
            INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
            SELECT $1, date_trunc('hour', now()), 'outcome speed-to-lead', label, 0, count
            FROM (VALUES ('met', 40), ('missed', 2)) AS t (label, count)
            """,
            workspace_id,
        )
