"""``mainstay worker``: drives runs. Any number of them may work on one database."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from mainstay.cli.command import StackOption
from mainstay.cli.deploying import AllowMissing, require_workflows
from mainstay.cli.logs import LogFormatOption, set_up_telemetry
from mainstay.cli.memory import settle_memory
from mainstay.cli.parent import leave_with_parent
from mainstay.cli.reading import database
from mainstay.cli.session import START_PATIENCE_SECONDS, Project, load_project, open_app
from mainstay.settings.policy import log_warnings


def worker(
    stack: StackOption = None,
    pool: Annotated[
        int, typer.Option(min=4, help="Connections to PostgreSQL that it may hold at most; at rest it holds few.")
    ] = 10,
    log_format: LogFormatOption = "",
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    *,
    allow_missing_workflows: AllowMissing = False,
) -> None:
    """Drive runs until stopped. On SIGTERM or Ctrl-C it takes no more, finishes what is under way, and leaves.

    Examples:
        mainstay worker --stack clients/acme/stack.toml
        mainstay worker --pool 6
    """
    project = load_project(tuple(stack or [Path("stack.toml")]))
    set_up_telemetry(project.program, log_format)
    if not until_stdin_closes:  # else whoever started it has said so
        log_warnings(project.warnings)
    with database(project.program) as dsn, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        work = _work(project, dsn, pool, watch_stdin=until_stdin_closes, allow_missing=allow_missing_workflows)
        runner.run(work)


async def _work(project: Project, dsn: str, pool: int, *, watch_stdin: bool, allow_missing: bool) -> None:
    # Imported here: the engine and the model are the dearest imports, and no other command needs both.
    from mainstay.comparing import Comparer
    from mainstay.engine.dbos_engine import Worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if watch_stdin:
        leave_with_parent(stop.set)
    # The queue's threads take turns at theirs; runs, the heartbeat and what looks after schedules share the others.
    queue = min(4, pool // 2)
    async with open_app(project, dsn, pool_size=pool - queue, patience=START_PATIENCE_SECONDS) as app:
        await require_workflows(app, allow_missing=allow_missing)
        own = Worker(dsn, app.pool, app.driver, on_beat=app.watch_once, pool_size=queue)
        await own.start()
        beside = [
            asyncio.create_task(Comparer(app.pool, app.contacts, app).run()),
            asyncio.create_task(app.scheduler.run()),
            asyncio.create_task(app.gates.tend()),
            asyncio.create_task(app.foreseer.run()),
            asyncio.create_task(app.heart.run()),
        ]
        settle_memory()
        typer.echo(f"worker {own.id[-8:]} is ready")
        await stop.wait()
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await own.stop()
