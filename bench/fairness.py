"""One client's import beside another's fresh leads: how long from the acknowledgement to the vendor's call.

    python bench/fairness.py [--rows 100000] [--leads 60] [--workers 1]

The server, the workers, PostgreSQL and the simulated CRM and chat are processes of their own. First the fresh leads
come alone, two a second; then the same beside an import of ``--rows`` lines of the other workspace, from when its first
run has ended until all leads are through. The chat's call is the lead's first: it is timed by the ledger, on the same
clock as the acknowledgement. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

from stand import Stand, percentile, tell, workspace_of

from mainstay.db import Pool, open_pool
from mainstay.kit.http import open_session
from mainstay.sandbox.process import SandboxProcess

MORE = """
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}", base_url = "{slack}", rate = "off" }}
[sources.website]
kind = "json"
"""
WORKFLOW = """\
from mainstay import Contact, Context, workflow

@workflow("speed_to_lead.v1", on="contact.created")
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.name}")
"""
_CALLED = """
SELECT extract(epoch FROM attempts.started_at)::float8 AS at, contacts.email
FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.name = 'chat.post'
JOIN contacts ON contacts.id = runs.contact_id
WHERE runs.workspace_id = $1 AND contacts.email LIKE $2 || '%'
"""


async def _fresh(pool: Pool, url: str, name: str, leads: int) -> list[float]:
    """Send leads, two a second; returns the ms from each acknowledgement to its chat call."""
    acknowledged = {}
    async with open_session() as session:
        for number in range(leads):
            email = f"{name}{number}@example.com"
            async with session.post(url, json={"email": email, "first_name": name, "last_name": "Fresh"}) as answer:
                await answer.read()
                if answer.status != 202:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")
            acknowledged[email] = time.time()
            await asyncio.sleep(0.5)
    async with pool.acquire() as connection:
        workspace = await workspace_of(connection, "fresh")
        deadline = time.monotonic() + 120
        while len(rows := await connection.fetch(_CALLED, workspace, name)) < leads:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(rows)} of {leads} leads came through")
            await asyncio.sleep(0.2)
    return [(row["at"] - acknowledged[row["email"]]) * 1000 for row in rows]


async def _imported(pool: Pool, workflow: str) -> int:
    async with pool.acquire() as connection:
        found: int = await connection.fetchval(
            """
            SELECT coalesce(sum(count), 0)::bigint FROM tallies WHERE name = 'run ' || $1
              AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'importing')
            """,
            workflow,
        )
    return found


async def measure(stand: Stand, rows: int, leads: int, workers: int) -> None:
    """Measure and print."""
    file = stand.folder / "list.csv"
    with file.open("w") as out:
        out.write("email,first_name,last_name\n")
        out.writelines(f"import{number}@example.org,Import{number},Row\n" for number in range(rows))
    server = stand.command("up", "--port", "0", "--workers", "0")
    url = next(line.split()[-1] for line in server.stdout or () if line.startswith("Mainstay runs at "))
    importing = None
    pool = await open_pool(stand.dsn, size=1)
    try:
        with stand.working(workers):
            await _fresh(pool, f"{url}/in/fresh/website", "warm", 4)
            print(f"alone (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)
            alone = await _fresh(pool, f"{url}/in/fresh/website", "alone", leads)
            tell(
                "acknowledgement to chat call, p50, p99",
                json.dumps([round(percentile(alone, s)) for s in (0.5, 0.99)]),
                "ms",
            )
            importing = stand.command("import", "contacts", str(file), "--as-leads", "--workspace", "importing")
            while not await _imported(pool, "inbound.v1"):
                await asyncio.sleep(0.1)
            started, before = time.perf_counter(), await _imported(pool, "speed_to_lead.v1")
            print(f"beside the import of {rows:,} rows", flush=True)
            beside = await _fresh(pool, f"{url}/in/fresh/website", "beside", leads)
            done = await _imported(pool, "speed_to_lead.v1") - before
            tell(
                "acknowledgement to chat call, p50, p99",
                json.dumps([round(percentile(beside, s)) for s in (0.5, 0.99)]),
                "ms",
            )
            tell("the latest", max(beside), "ms")
            tell("of the import, meanwhile", done / (time.perf_counter() - started), "leads/s")
            async with pool.acquire() as connection:
                left = await connection.fetchval("SELECT count(*) FROM runs WHERE state = 'queued'")
            tell("of the import, queued when the last fresh lead was through", left)
    finally:
        if importing:
            importing.kill()
            importing.wait()
        server.terminate()
        server.wait()
        await pool.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--leads", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with SandboxProcess(keep_requests=10) as vendors:
        stack = MORE.format(slack=vendors.url("slack"))
        with Stand({"fresh": (stack, WORKFLOW), "importing": (stack, WORKFLOW)}) as stand:
            asyncio.run(measure(stand, arguments.rows, arguments.leads, arguments.workers))


if __name__ == "__main__":
    main()
