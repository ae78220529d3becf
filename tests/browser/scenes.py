"""What the story leaves out, written when a page is about it: jobs that ping, alerts, mirrors that drift."""

from __future__ import annotations

from mainstay.db import acquire
from mainstay.model import new_id
from tests.browser.conftest import Served

MONITORS = (
    "monitors",
    "monitors/nightly-backup",
    "monitors/source/website",
    "monitors/outcome/speed-to-lead",
    "monitors/canary/canary",
    "monitors/schedule/nightly.v1",
    "monitors/queue/leads",
)
"""The pages of what is watched: the list, and one of each kind."""


async def watched(served: Served) -> None:
    """Let four jobs of the story's workspace ping, each in its own state."""
    workspace_id = served.story.card.id
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO monitors (workspace_id, kind, name, rule, state, seen_at, started_at, took, expected_at,
                                  alert_at)
            VALUES
                ($1, 'ping', 'nightly-backup', 'At 03:00 AM, America/Chicago', 'down', now() - interval '30 hours',
                 NULL, interval '4 minutes', now() - interval '6 hours', NULL),
                ($1, 'ping', 'invoices-to-the-bookkeeper', 'Every 1 hour, within business hours', 'up',
                 now() - interval '10 minutes', NULL, NULL, now() + interval '50 minutes', now() + interval '2 hours'),
                ($1, 'ping', 'n8n-reviews', 'Every 15 minutes', 'up', now() - interval '16 minutes', NULL, NULL,
                 now() - interval '1 minute', now() + interval '4 minutes'),
                ($1, 'ping', 'yearly', 'Every 365 days', 'new', NULL, NULL, NULL, NULL, NULL)
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO incidents (id, workspace_id, fingerprint, state, title, cause, mend, first_seen, last_seen)
            VALUES (gen_random_uuid(), $1, 'monitor|ping|nightly-backup', 'open', 'nightly-backup failed',
                    'It ended with exit code 137. out of memory', 'Look at the job where it runs.', now(), now())
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO pings (workspace_id, monitor, number, at, signal, method, exit_status, took, body)
            SELECT $1, 'nightly-backup', n, now() - make_interval(hours => 12 * (6 - n)),
                   CASE WHEN n = 6 THEN 'fail' WHEN n % 2 = 1 THEN 'start' ELSE 'success' END, 'POST',
                   CASE WHEN n = 6 THEN 137 WHEN n % 2 = 0 THEN 0 END,
                   CASE WHEN n % 2 = 0 THEN interval '4 minutes' END,
                   CASE WHEN n = 6 THEN repeat('dumping table contacts ... ', 20) || 'out of memory' ELSE '' END
            FROM generate_series(1, 6) AS t (n)
            """,
            workspace_id,
        )


async def told(served: Served) -> None:
    """Let the story's incident be critical, and told over three channels."""
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            "UPDATE incidents SET severity = 'critical', reopened = 2 WHERE id = $1", served.story.incident
        )
        await connection.execute(
            """
            INSERT INTO alerts (id, workspace_id, incident_id, run_id, kind, route, begun_at, told_at, error)
            SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), kind, jsonb_build_object('written', route),
                   now() - ago, CASE WHEN error = '' AND kind <> 'escalated' THEN now() - ago END, error
            FROM (VALUES ('opened', 'slack:#alerts', interval '20 minutes', '503: the service is away'),
                         ('opened', 'email:operations-of-the-whole-company@acme.example', interval '19 minutes', ''),
                         ('escalated', 'sms:+13125550111', interval '1 second', '')) AS v (kind, route, ago, error)
            """,
            served.story.card.id,
            served.story.incident,
        )


async def drift(served: Served) -> None:
    """Let three contacts of the story differ in two mirrors, each in its own way."""
    workspace_id = served.story.card.id
    phone = {"ours": "+13125550147", "theirs": "555-0199 (after six, ask for the elder of the two)"}
    said = [("double", {}), ("missing", {}), ("changed", {"Phone": phone, "Company": {"ours": "", "theirs": "Acme"}})]
    async with acquire(served.backend.pool) as connection:
        people = await connection.fetch(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL ORDER BY id LIMIT 3", workspace_id
        )
        await connection.executemany(
            """
            INSERT INTO mirrors (workspace_id, name, layout, loaded_at, written_at, compared_at)
            VALUES ($1, $2, 'x', now() - interval '2 days', now() - interval '1 hour', now() - interval '5 minutes')
            """,
            [(workspace_id, "sheet"), (workspace_id, "warehouse")],
        )
        await connection.executemany(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            VALUES ($1, $2, 'sheet', $3::uuid::text, $3, $4, 'open', $5, 1)
            """,
            [
                (new_id(), workspace_id, person["id"], kind, fields)
                for person, (kind, fields) in zip(people, said, strict=True)
            ],
        )


async def swap(served: Served) -> None:
    """Let a swap be under way: the new system is half filled, and does not take one contact."""
    workspace_id = served.story.card.id
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO mirrors (workspace_id, name, layout, loaded, to_load)
            VALUES ($1, 'hubspot', 'x', 41200, 98000)
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO swaps (id, workspace_id, record_type, old, new, state, began_by)
            VALUES (gen_random_uuid(), $1, 'contact', 'ghl', 'hubspot', 'running', 'dana')
            """,
            workspace_id,
        )
        reason = "the contact has no e-mail and no phone, so HubSpot could not find it again and would double it"
        await connection.execute(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            SELECT gen_random_uuid(), $1, 'hubspot', id::text, id, 'refused', 'open', $2, 0 FROM contacts
            WHERE workspace_id = $1 AND merged_into IS NULL ORDER BY contacts.id LIMIT 1
            """,
            workspace_id,
            {"": {"ours": reason, "theirs": ""}},
        )
