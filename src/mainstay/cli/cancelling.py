"""``mainstay runs cancel``: end runs where they stand."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN, CommandError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.insight import RunRow

_STATES = ("queued", "running", "waiting")


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Short or whole ids of runs that have not ended.")
    ] = None,
    workflow: Annotated[str, typer.Option(help="All that are open of one workflow, by its whole name.")] = "",
    contact: Annotated[str, typer.Option(metavar="ID", help="All that are open about one contact.")] = "",
    state: Annotated[str, typer.Option(help="With these: only queued, running or waiting ones.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
) -> None:
    """Cancel runs, and what they began; what waits behind them begins.

    A call that is with its vendor comes to its end there; nothing follows it. What a run has done stays done.

    Examples:
        mainstay runs cancel 7f3a91c2
        mainstay runs cancel --workflow follow_up.v1 --state waiting --dry-run
    """
    from mainstay.cli.runs import all_runs, named_runs
    from mainstay.insight import RunFilter

    options = options_of(ctx)
    if bool(ids) == bool(workflow or contact):
        raise CommandError("say which runs: their ids, or --workflow or --contact for all that are open of it")
    if state and (ids or state not in _STATES):
        raise CommandError("--state narrows --workflow and --contact", f"One of {', '.join(_STATES)}.")

    async def choose(reading: Reading) -> list[RunRow]:
        if ids:
            return await named_runs(reading, ids)
        contact_id = await reading.find("contacts", "contact", contact) if contact else None
        return await all_runs(reading, RunFilter(state or "open", workflow, contact_id))

    chosen = read(options, choose)
    able = [run for run in chosen if run.is_moving]
    done = {run.id for run in able} if dry_run else _cancel(options, [run.id for run in able])
    _tell(options.as_json, chosen, done, is_dry=dry_run)
    if any(run.id not in done for run in chosen):
        raise typer.Exit(BROKEN)


def _cancel(options: Any, ids: list[UUID]) -> set[UUID]:
    async def work(app: App, workspace: Workspace) -> set[UUID]:
        return await app.keeper.cancel(workspace.id, ids, by=getpass.getuser())

    return act(options, work) if ids else set()


def _tell(as_json: bool, chosen: list[RunRow], done: set[UUID], *, is_dry: bool) -> None:
    from mainstay.cli.output import emit, number, say, text
    from mainstay.cli.runs import show_runs

    gone = [run for run in chosen if run.id in done]
    left = [run for run in chosen if run.id not in done]
    if as_json:
        begun_by_them = done - {run.id for run in gone}
        emit(
            {
                "dry_run": is_dry,
                "cancelled": [run.id for run in gone],
                "begun_by_them": sorted(begun_by_them),
                "left": [run.id for run in left],
            }
        )
        return
    if gone:
        show_runs(gone)
        typer.echo()
    if left:
        show_runs(left)
        say(text((f"✗ {number(len(left), 'run')} had ended, or is Mainstay's own: left alone", "red")))
    if is_dry:
        say(text(f"{number(len(gone), 'run')} would be cancelled. Without --dry-run they are."))
    elif not chosen:
        say(text("No run is open that matches."))
    elif gone:
        say(text((f"→ {number(len(done), 'run')} cancelled", "blue")))
