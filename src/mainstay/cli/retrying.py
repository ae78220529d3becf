"""``mainstay runs retry``: one run from any of its steps, with its input or another; or many, by one order."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.answering import answer
from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN, CommandError
from mainstay.cli.moments import read_moment, read_rate
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.cli.command import Options
    from mainstay.insight import Count, RunRow
    from mainstay.insight.retries import Candidate
    from mainstay.runs import Chosen

_SHOWN = 100


def retry(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Short or whole ids of runs.")] = None,
    from_step: Annotated[
        int | None, typer.Option("--from", min=1, metavar="STEP", help="Begin again at this step.")
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin again at the start.")] = False,
    edit: Annotated[bool, typer.Option("--edit", help="Edit the input of one run first, in $EDITOR.")] = False,
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="Give one run this input, as JSON; - for stdin.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every failed run that nobody has handled.")] = False,
    failed_at: Annotated[str, typer.Option(metavar="CONNECTION", help="Those that failed at a connection.")] = "",
    since: Annotated[str, typer.Option(metavar="WHEN", help="Those that failed since: noon, 2h, 2026-03-02.")] = "",
    error: Annotated[str, typer.Option(metavar="TEXT", help="Those with this in their error.")] = "",
    incident: Annotated[str, typer.Option(metavar="ID", help="Those that one incident holds up.")] = "",
    workflow: Annotated[str, typer.Option(help="Those of one workflow.")] = "",
    rate: Annotated[str, typer.Option(metavar="RATE", help="Of many: at most so many, as 5/s or 30/m.")] = "",
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error", help="Of many: the first goes alone; stop when one fails again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which, and what would be sent.")] = False,
    it_happened: Annotated[
        bool, typer.Option("--it-happened", help="Of one that asks: the call had its effect; go on from there.")
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Of one that asks: make the call again, whether it had its effect or not.")
    ] = False,
) -> None:
    """Retry runs: from the step that failed, from any step, or from the start; with their input or another.

    What is finished before that step stands, and is not repeated. Many are retried by one order, which a worker carries
    out in the order of their ids, however long it takes: mainstay retries list.

    One whose call may have had its effect, and asks whether it did, goes on with your answer alone.

    Examples:
        mainstay runs retry 7f3a91c2
        mainstay runs retry 7f3a91c2 --from 3 --edit
        mainstay runs retry --failed-at slack --since noon --dry-run
        mainstay runs retry --failed-at slack --since noon --rate 5/s --stop-on-error
        mainstay runs retry 7f3a91c2 --it-happened
    """
    options = options_of(ctx)
    by_filter = failed or bool(failed_at or since or error or incident or workflow)
    if it_happened or repeat:
        answer(options, ids or [], happened=it_happened, is_clear=it_happened != repeat and not by_filter)
        return
    if bool(ids) == by_filter:
        raise CommandError("say which runs: their ids, or --failed, --failed-at and the like for all of them")
    if from_start and from_step is not None:
        raise CommandError("--from and --from-start say two things", "One of them.")
    if by_filter:
        if from_step is not None or edit or input_file:
            raise CommandError("--from, --edit and --input are for runs by their ids")
        brake = (read_rate(rate), stop_on_error)
        wanted = (workflow, failed_at, incident, since, error)
        _retry_many(options, wanted, brake, from_start=from_start, is_dry=dry_run)
        return
    if rate or stop_on_error:
        raise CommandError("--rate and --stop-on-error are for many runs at once")
    _retry_named(options, ids or [], 1 if from_start else from_step, edit, input_file, is_dry=dry_run)


def _retry_named(
    options: Options, ids: list[str], from_step: int | None, edit: bool, file: Path | None, *, is_dry: bool
) -> None:
    if (edit or file) and (len(ids) > 1 or (edit and file)):
        raise CommandError("--edit and --input are for one run, and one of them at a time")

    async def choose(reading: Reading) -> tuple[list[RunRow], Any]:
        from mainstay.cli.runs import named_runs
        from mainstay.insight import run_detail

        chosen = await named_runs(reading, ids)
        detail = await run_detail(reading.connection, reading.workspace_id, chosen[0].id)
        return chosen, detail.input if detail else {}

    chosen, before = read(options, choose)
    given = None
    if edit or file:
        from mainstay.cli.editing import edited_input, read_input

        given = edited_input(before) if edit else read_input(file or Path())
        if given == before:
            raise CommandError(
                "the input is as it was, so nothing was retried", "Without --edit it is retried as it is."
            )
    refused = {run.id: "" for run in chosen if is_dry and from_step is None and run.state != "failed"}
    if not is_dry:
        refused = act(options, lambda app, workspace: _send(app, workspace, chosen, from_step, given))
    done = [run for run in chosen if run.id not in refused]
    _tell(options, chosen, done, refused, from_step, is_dry=is_dry)
    if refused:
        raise typer.Exit(BROKEN)


async def _send(
    app: App, workspace: Workspace, chosen: list[RunRow], from_step: int | None, given: Any
) -> dict[UUID, str]:
    """Retry each; returns why those that cannot be were not."""
    from mainstay.errors import RetryRefusedError

    refused = {}
    for run in chosen:
        try:
            await app.retrier.retry(workspace.id, run.id, from_step=from_step, given=given, by=getpass.getuser())
        except RetryRefusedError as error:
            if len(chosen) == 1 and run.state == "failed":
                raise CommandError(f"it cannot be retried so: {error}", error.hint) from error
            refused[run.id] = f"{error}. {error.hint}".strip()
    return refused


def _tell(
    options: Options,
    chosen: list[RunRow],
    done: list[RunRow],
    refused: dict[UUID, str],
    from_step: int | None,
    *,
    is_dry: bool,
) -> None:
    from mainstay.cli.output import emit, number, say, text
    from mainstay.cli.runs import show_runs

    left = [run for run in chosen if run.id in refused]
    if options.as_json:
        emit(
            {
                "dry_run": is_dry,
                "retried": [run.id for run in done],
                "not_failed": [run.id for run in left if run.state != "failed"],
                "refused": {str(run_id): reason for run_id, reason in refused.items()},
            }
        )
        return
    if done:
        show_runs(done)
        typer.echo()
    if left:
        show_runs(left)
        for reason in sorted(set(refused.values())):
            say(text((f"✗ not retried: {reason or 'it did not fail'}", "red")))
    where = "from the step that failed" if from_step is None else f"from step {from_step}"
    if done and is_dry:
        say(text(f"{number(len(done), 'run')} would be retried, {where}. Without --dry-run they are."))
    elif done:
        say(text((f"→ {number(len(done), 'run')} queued again, {where}", "blue")))
        say(text(("See how they go: mainstay runs list", "dim")))


def _retry_many(
    options: Options,
    wanted: tuple[str, str, str, str, str],
    brake: tuple[float | None, bool],
    *,
    from_start: bool,
    is_dry: bool,
) -> None:
    from mainstay.runs import Brake, Chosen

    workflow, connection, incident, since, error = wanted

    async def work(app: App, workspace: Workspace) -> tuple[list[Candidate], tuple[Count, Count], UUID | None]:
        from mainstay.db import acquire
        from mainstay.insight.retries import count_asking, count_chosen, list_chosen

        moment = read_moment(since, datetime.now(UTC), workspace.stack.timezone) if since else None
        async with acquire(app.pool) as session:
            at = Reading(session, workspace.id, workspace.slug, workspace.stack.name, workspace.stack.region)
            incident_id = await at.find("incidents", "incident", incident) if incident else None
            _require_connection(workspace, connection)
            chosen: Chosen = Chosen(workflow, connection, incident_id, moment, error)
            found = await list_chosen(session, workspace.id, chosen, size=_SHOWN)
            counts = (
                await count_chosen(session, workspace.id, chosen),
                await count_asking(session, workspace.id),
            )
        if is_dry or not found.items:
            return list(found.items), counts, None
        order = await app.retrier.begin(
            workspace.id, chosen, Brake(*brake), from_start=from_start, by=getpass.getuser()
        )
        return list(found.items), counts, order

    found, (count, asking), order = act(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit(
            {
                "dry_run": is_dry,
                "retried": [each.run.id for each in found] if is_dry else [],
                "count": count.number,
                "bulk_retry": order,
            }
        )
        return
    _tell_many(found, count, order, from_start=from_start, is_dry=is_dry)
    if asking:
        typer.echo(f"{asking} ask whether their call happened: mainstay runs retry ID --it-happened or --repeat")


def _require_connection(workspace: Workspace, name: str) -> None:
    if name and name not in workspace.stack.connections and not name.startswith("source:"):
        known = ", ".join(workspace.stack.connections)
        raise CommandError(f'there is no connection "{name}" in stack.toml', f"There is: {known}.")


def _tell_many(found: list[Candidate], count: Count, order: UUID | None, *, from_start: bool, is_dry: bool) -> None:
    from mainstay.cli.output import Column, ago, identifier, say, table, text
    from mainstay.model import short_id

    if not found:
        say(text("No failed run matches that nobody has handled. All of them: mainstay runs list --state stopped"))
        return
    if is_dry:
        table(
            [
                Column("run"),
                Column("workflow"),
                Column("about", grows=True),
                Column("failed", right=True),
                Column("would send", grows=True),
                Column("error", grows=True),
            ],
            [
                (
                    identifier(each.run.id),
                    each.run.workflow,
                    each.run.contact_name,
                    ago(each.run.finished_at),
                    "all of it, from the start" if from_start else _what(each),
                    text((each.run.error, "red")),
                )
                for each in found
            ],
        )
        more = f", of which the first {len(found)} are shown" if count.number > len(found) else ""
        say(text(f"\n{count} would be retried{more}. Without --dry-run they are."))
        return
    say(text((f"→ {count} will be retried, by the order ", "blue"), identifier(order)))
    if order is not None:
        say(text((f"See how they go, or stop it: mainstay retries show {short_id(order)}", "dim")))


def _what(each: Candidate) -> str:
    if each.step is None:
        return "its own code again"
    return f"step {each.step}, {each.name}" + (f" at {each.connection}" if each.connection else "")
