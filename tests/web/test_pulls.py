"""What the pages say of pulls: how far the system of record is read, and what its webhooks miss."""

from __future__ import annotations

from mainstay.db import acquire
from tests.web.conftest import Browser, Site
from tests.web.story import CONNECTIONS


async def test_what_no_webhook_brought_is_shown(site: Site, operator: Browser) -> None:
    root, name = f"/w/{site.story.card.slug}", CONNECTIONS[0].name
    assert "what changed there" not in (await operator.get(f"{root}/connections")).text
    async with acquire(site.backend.pool) as connection:
        await connection.execute(
            "INSERT INTO pulls (workspace_id, connection, cursor, began_at) VALUES ($1, $2, '', now())",
            site.story.card.id,
            name,
        )
    assert "what changed there is not read yet" in (await operator.get(f"{root}/connections")).text

    async with acquire(site.backend.pool) as connection:
        await connection.execute("UPDATE pulls SET pulled_at = now()")
        await connection.execute(
            """
            INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
            VALUES ($1, date_trunc('hour', now()), 'pull ' || $2, 'missed', 1, 3)
            """,
            site.story.card.id,
            name,
        )

    shown = (await operator.get(f"{root}/connections")).text
    assert "in 7 days 3 changes that no webhook had brought" in shown
    overview = (await operator.get(root)).text
    assert f"<b>{name}</b>: 3 changes came by the pull that no webhook had brought, since" in overview
