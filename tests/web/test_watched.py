"""The pages of what is watched without pings: a source's rhythm, an outcome's leads, a canary's flights."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mainstay.db import Pool, acquire
from mainstay.model import new_id
from mainstay.monitors.calendars import DaysOff
from tests.web.conftest import Browser, Site

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


async def test_what_is_watched_has_a_page(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}/monitors"
    await fill(site.backend.pool, site.story.card.id)
    page = (await operator.get(root)).text
    assert page.index("speed-to-lead") < page.index("nightly.v1"), "what is down comes first"
    assert "[monitors.nightly-backup]" in page, "how to watch a job stands there until one is"
    assert "11 a day" in page
    source = (await operator.get(f"{root}/source/website")).text
    assert "Mon 15, Tue 15" in source
    assert source.count('class="level-') == 7 * 24
    assert "A lead is expected by" in source
    assert "Holidays are not known here" in source
    declared = (await operator.get(f"{root}/source/ads")).text
    assert "expect</code> in" in declared
    assert "Holidays are not known here" in declared
    today = datetime.now(UTC).date()
    cards = site.backend.cards
    cards[0] = replace(cards[0], days_off=DaysOff("", ((today + timedelta(days=3), today + timedelta(days=3)),)))
    source = (await operator.get(f"{root}/source/website")).text
    assert "Holidays are not known here" not in source
    assert f"The next: {today + timedelta(days=3):%a %d %b}." in source
    outcome = (await operator.get(f"{root}/outcome/speed-to-lead")).text
    assert "40 of 42 had all of it in time" in outcome
    assert "Came late" in outcome
    assert "Missing" in outcome
    canary = (await operator.get(f"{root}/canary/canary")).text
    assert "chat slack" in canary
    assert "&lt;b&gt;HTTP 503" in canary
    assert "Fired last" in (await operator.get(f"{root}/schedule/nightly.v1")).text
    assert (await operator.get(f"{root}/source/no-such")).status == 404
    assert (await operator.get(f"{root}/ping/website")).status == 404
    assert (await site.stranger.get(f"{root}/source/website")).status == 303
