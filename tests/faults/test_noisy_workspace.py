"""One workspace floods the workers that another shares: the other's few leads need not wait for the flood's end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit_many

STACK = """
[workspace]
name = "{slug}"
slug = "{slug}"
timezone = "America/Chicago"
region = "US"
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}" }}
[sources.website]
kind = "form"
"""
WORKFLOW = """
from mainstay import Contact, Context, workflow

@workflow("post.v1", on="contact.created")
async def post(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", contact.email)
"""
# Many times what one workspace may have in the lane of leads, so that half of it is far more than may go first.
FLOOD = 2000
OWN = {"noisy": "people-of-noisy.example", "quiet": "people-of-quiet.example"}
_POSTS = """
SELECT slug, count(*) FROM runs JOIN workspaces ON workspaces.id = workspace_id
WHERE workflow = 'post.v1' AND state = 'done' GROUP BY slug
"""

# For each fresh lead: how many of the flood's posts were still to be made when it came, and how many when its own was.
# By the database's clock: to open a stack takes time, of which the flood makes use.
_OVERTAKEN = """
SELECT fresh.came, count(*) AS waited, count(*) FILTER (WHERE flood.finished_at > fresh.ended) AS waited_on
FROM (SELECT delivery_id, min(runs.created_at) AS came, max(finished_at) FILTER (WHERE workflow = 'post.v1') AS ended
      FROM runs JOIN workspaces ON workspaces.id = workspace_id WHERE slug = 'quiet' GROUP BY delivery_id) AS fresh
JOIN runs AS flood ON flood.workflow = 'post.v1' AND flood.finished_at > fresh.came
     AND flood.workspace_id = (SELECT id FROM workspaces WHERE slug = 'noisy')
GROUP BY fresh.delivery_id, fresh.came
"""


def _stacks_in(folder: Path) -> dict[str, Path]:
    stacks = {slug: folder / slug for slug in OWN}
    for slug, each in stacks.items():
        (each / "workflows").mkdir(parents=True)
        (each / "stack.toml").write_text(STACK.format(slug=slug))
        (each / "workflows" / "workflow.py").write_text(WORKFLOW)
    return stacks


async def test_a_flood_keeps_nobody_else_waiting(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    stacks = _stacks_in(tmp_path)
    flood = [f"lead{number}@{OWN['noisy']}" for number in range(FLOOD)]
    fresh = [f"fresh{number}@{OWN['quiet']}" for number in range(8)]

    async def posted() -> dict[str, int]:
        return {row["slug"]: row["count"] for row in await books.rows(_POSTS)}

    async def has_begun() -> bool:
        return bool(await posted())

    async def fresh_are_done() -> bool:
        return (await posted()).get("quiet") == len(fresh)

    await submit_many(dsn, sandbox, flood, stack=stacks["noisy"], slug="noisy")
    both = os.pathsep.join(map(str, stacks.values()))
    workers = [fleet.start(dsn, stack=both) for _ in range(2)]
    await asyncio.gather(*(each.ready() for each in workers))
    await until(has_begun, "the flood is under way")
    await submit_many(dsn, sandbox, fresh, stack=stacks["quiet"], slug="quiet")
    await until(fresh_are_done, "the fresh leads are done")

    await books.all_done(deliveries=FLOOD + len(fresh))
    leads = await books.rows(_OVERTAKEN)
    assert len(leads) == len(fresh)
    for lead in leads:
        assert lead["waited_on"] > lead["waited"] / 2, dict(lead)
    for each in workers:
        await each.kill()
    assert await posted() == {"noisy": FLOOD, "quiet": len(fresh)}
    assert sorted(message["text"] for message in sandbox.messages("slack")) == sorted(flood + fresh)
    assert not sandbox.repeated("slack")
    assert not await books.rows("SELECT FROM runs WHERE state <> 'done'")
    assert not await invariants.problems(books, sandbox, owners={slug: [domain] for slug, domain in OWN.items()})
