"""``mainstay workflows``: what is declared, what drains, and what runs wait on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from mainstay.app import App, Workspace

workflows = group("What the stack's workflows are: what begins them, their open runs, versions that drain.")


@workflows.callback()
def _workflows() -> None:
    """What the stack's workflows are: what begins them, their open runs, versions that drain."""


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow. ``state`` is ``active``, ``draining`` (a later version begins the new runs) or ``missing``."""

    name: str
    state: str
    begun_by: str
    open: int
    since: datetime | None
    where: str


@workflows.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List workflows with their open runs. A version that drains can be removed once none is open.

    Example: mainstay workflows list
    """
    options = options_of(ctx)
    found = act(options, _rows)
    from mainstay.cli.output import Column, ago, emit, state, table

    if options.as_json:
        emit({"workflows": found})
    elif not found:
        typer.echo("There is no workflow yet: put one into workflows/, beside stack.toml.")
    else:
        table(
            [
                Column("workflow"),
                Column("state"),
                Column("begun by"),
                Column("open", right=True),
                Column("oldest", right=True),
                Column("", grows=True),
            ],
            [
                (
                    row.name,
                    state(row.state),
                    row.begun_by,
                    f"{row.open:,}",
                    ago(row.since) if row.since else "",
                    _note(row),
                )
                for row in found
            ],
        )
    missing = [row for row in found if row.state == "missing"]
    if missing and not options.as_json:
        typer.echo("\nRuns wait on what no file declares any more. Put it back, or end them:")
        for row in missing:
            typer.echo(f"  mainstay runs cancel --workflow {row.name}")
    if missing:
        raise typer.Exit(BROKEN)


def _note(row: WorkflowRow) -> str:
    if row.state == "draining":
        return f"{row.where}: can be removed" if not row.open else f"{row.where}: keep it until none is open"
    return row.where


async def _rows(app: App, workspace: Workspace) -> list[WorkflowRow]:
    from mainstay.db import acquire
    from mainstay.engine.versions import draining
    from mainstay.insight.versions import open_runs

    async with acquire(app.pool) as connection:
        still = {each.workflow: each for each in await open_runs(connection, workspace.id, besides=app.own)}
    drained = draining(workspace.workflows.values())
    rows = []
    for name, declared in workspace.workflows.items():
        runs = still.pop(name, None)
        begun_by = declared.on or ("the clock" if declared.schedule else "others")
        where = f"{declared.file.rpartition('/')[2]}:{declared.line}"
        state = "draining" if name in drained else "active"
        rows.append(WorkflowRow(name, state, begun_by, runs.number if runs else 0, runs.since if runs else None, where))
    rows += [WorkflowRow(name, "missing", "", runs.number, runs.since, "") for name, runs in still.items()]
    return sorted(rows, key=lambda row: row.name)
