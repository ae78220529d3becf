"""What it costs that a call becomes a record: steps recorded with what they left elsewhere, and without.

    python bench/effects.py [--steps 4000]

The limit is the same number of steps that leave nothing. Ten runs go into one transaction, as a worker's commits hold
them; rounds of the kinds alternate, so that whatever else the machine does strikes all alike. CPU is that of this
process and of its PostgreSQL connection's process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psutil

from mainstay.db import Connection, open_pool
from mainstay.db.embedded import EmbeddedServer
from mainstay.db.migrate import migrate
from mainstay.engine.calls.effects import effect_of
from mainstay.engine.dbos_engine import migrate_engine
from mainstay.identity import IDENTITY
from mainstay.kit.roles import EmailMessage
from mainstay.model import Attempt, AttemptState, Run, RunState, new_id
from mainstay.records import settling_effects
from mainstay.runs import NewRun, Progress, Settlement, add_runs, settle

AT_ONCE = 10
ROUND = 200
MAIL = EmailMessage("sarah@example.com", "Your request", "Hi Sarah")
KINDS = {"chat.post, no record": ("chat", "post", ("#leads", "New lead")), "email.send": ("email", "send", (MAIL,))}
KEEPING = settling_effects(lambda _: {}, locks=IDENTITY)


def news(run: Run, role: str, operation: str, arguments: tuple[object, ...]) -> Progress:
    """Return a run's step and its end."""
    now, result = datetime.now(UTC), {"id": str(new_id())}
    effect = effect_of(role, operation, arguments, result, now, run=run, contact=None)
    step = Attempt(
        run.id, 1, f"{role}.{operation}", 1, AttemptState.OK, now, 40, "vendor", result=result, effect=effect
    )
    return Progress(run, (step,), Settlement(RunState.DONE))


async def one_round(connection: Connection, workspace: UUID, kind: str) -> None:
    """Make and end the runs of one round."""
    for _ in range(ROUND // AT_ONCE):
        claim = new_id()
        contact = {"contact": {"email": "sarah@example.com"}}
        new = [NewRun(new_id(), workspace, "speed_to_lead.v1", contact, "execution") for _ in range(AT_ONCE)]
        async with connection.transaction():
            await add_runs(connection, new, claims={run.id: claim for run in new})
        runs = [Run(each.id, workspace, each.workflow, each.input, "execution", claim) for each in new]
        progress = [news(run, *KINDS[kind]) for run in runs]
        async with connection.transaction():
            await (KEEPING.apply if progress[0].attempts[0].effect else settle)(connection, progress)


async def measure(dsn: str, steps: int) -> dict[str, dict[str, float]]:
    """Return for each kind what a step cost, in microseconds."""
    spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    pool = await open_pool(dsn, size=1)
    async with pool.acquire() as connection:
        workspace = new_id()
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace)
        own, server = psutil.Process(), psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
        for kind in KINDS:
            await one_round(connection, workspace, kind)
        for _ in range(max(steps // ROUND, 1)):
            for kind in KINDS:
                wall, ours, its = time.perf_counter(), sum(own.cpu_times()[:2]), sum(server.cpu_times()[:2])
                await one_round(connection, workspace, kind)
                spent[kind]["wall"] += time.perf_counter() - wall
                spent[kind]["worker"] += sum(own.cpu_times()[:2]) - ours
                spent[kind]["database"] += sum(server.cpu_times()[:2]) - its
    await pool.close()
    done = max(steps // ROUND, 1) * ROUND
    return {kind: {name: seconds / done * 1e6 for name, seconds in each.items()} for kind, each in spent.items()}


def main() -> None:
    """Measure, and print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=4000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as folder:
        server = EmbeddedServer(Path(folder))
        dsn = server.start()
        try:
            migrate(dsn)
            migrate_engine(dsn)
            found = asyncio.run(measure(dsn, arguments.steps))
        finally:
            server.stop()
    first = next(iter(found.values()))
    limit = first["worker"] + first["database"]
    for kind, each in found.items():
        cpu = each["worker"] + each["database"]
        print(
            f"{kind:<22}{cpu:7.0f} µs of CPU a run (worker {each['worker']:.0f}, database {each['database']:.0f}), "
            f"{cpu / limit:.2f} of the limit; wall {each['wall']:.0f} µs"
        )


if __name__ == "__main__":
    main()
