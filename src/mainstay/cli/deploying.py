"""What is asked before new code takes over: does anything wait on a workflow that it no longer has?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.db import acquire
from mainstay.engine.versions import version_of
from mainstay.errors import ConfigError, Problem
from mainstay.insight.versions import OpenRuns, open_runs
from mainstay.model import short_id

if TYPE_CHECKING:
    from mainstay.app import App, Workspace

log = logging.getLogger(__name__)

AllowMissing = Annotated[
    bool,
    typer.Option(
        "--allow-missing-workflows", help="Start although runs wait on a workflow that is gone; they fail when due."
    ),
]


async def require_workflows(app: App, *, allow_missing: bool) -> None:
    """Refuse to start while runs wait on workflows that the stacks no longer have.

    Raises:
        ConfigError: names each, how many wait and since when, and how to mend it.
    """
    problems = []
    for workspace in app.workspaces.values():
        known = {*workspace.workflows, *app.own}
        async with acquire(app.pool) as connection:
            missing = await open_runs(connection, workspace.id, besides=known)
        problems += [_problem(workspace, each) for each in missing]
    if not problems:
        return
    if not allow_missing:
        raise ConfigError(*problems)
    for problem in problems:
        log.warning("%s: %s", problem.key, problem.message)


def _problem(workspace: Workspace, found: OpenRuns) -> Problem:
    runs = "1 run waits" if found.number == 1 else f"{found.number:,} runs wait"
    named = ", ".join(short_id(run_id) for run_id in found.oldest)
    more = "" if found.number <= len(found.oldest) else ", ..."
    base, _ = version_of(found.workflow)
    others = [name for name in workspace.workflows if version_of(name)[0] == base]
    kept = f" beside {others[-1]}" if others else ""
    return Problem(
        f"{workspace.slug}: workflows/",
        f'@workflow("{found.workflow}")',
        f"{runs} on it since {found.since:%Y-%m-%d %H:%M} UTC ({named}{more}), and no file declares it any more",
        f"put it back{kept}: its runs go on, and it begins no new ones once a later version does. Or end them: "
        f"mainstay runs cancel --workflow {found.workflow}. Or start with --allow-missing-workflows",
    )
