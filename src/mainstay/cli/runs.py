"""``mainstay runs``: what workflows did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.answering import answer
from mainstay.cli.cancelling import cancel
from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.insight import Page, RunDetail, RunFilter, RunRow, Step

runs = group("What workflows did: every run, its steps and its attempts.")
runs.command("cancel", cls=Command)(cancel)

STATES = ("queued", "running", "waiting", "open", "failed", "stopped", "done", "cancelled")
_MOST = 1000
_RETRY_PAGE = 200


@runs.command("list", cls=Command)
def list_(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)} (failed and not handled: stopped).")] = "",
    workflow: Annotated[str, typer.Option(help="Of one workflow, by its whole name.")] = "",
    incident: Annotated[str, typer.Option(metavar="ID", help="That one incident holds up.")] = "",
    contact: Annotated[str, typer.Option(metavar="ID", help="About one contact.")] = "",
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="An id, a name, e-mail or phone, or part of an error.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List runs, the newest first.

    Examples:
        mainstay runs list --state stopped
        mainstay runs list --search sarah@example.com
        mainstay runs list --workflow speed_to_lead.v1 --limit 100 --json
    """
    options = options_of(ctx)
    _require(state)

    async def work(reading: Reading) -> Page[RunRow]:
        from mainstay.insight import RunFilter, list_runs

        wanted = RunFilter(
            state,
            workflow,
            await reading.find("contacts", "contact", contact) if contact else None,
            await reading.find("incidents", "incident", incident) if incident else None,
            search,
            reading.region,
        )
        return await list_runs(reading.connection, reading.workspace_id, wanted, size=limit)

    page = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"runs": page.items, "more": page.before is not None})
        return
    show_runs(page.items)
    if page.before is not None:
        typer.echo(f"\nThere are more: --limit {min(limit * 4, _MOST)}")


@runs.command("show", cls=Command)
def show(
    ctx: typer.Context, run: Annotated[str, typer.Argument(metavar="ID", help="A run's short or whole id.")]
) -> None:
    """Tell the whole story of a run: its trigger, each step and attempt, and where it stopped.

    Example: mainstay runs show 7f3a91c2
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> RunDetail:
        from mainstay.insight import run_detail

        found = await run_detail(reading.connection, reading.workspace_id, await reading.find("runs", "run", run))
        if found is None:
            raise MissingError(f'there is no run "{run}"')
        return found

    found = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit(found)
        return
    _show_run(found)


@runs.command("retry", cls=Command)
def retry(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Short or whole ids of failed runs.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every failed run that nobody has handled.")] = False,
    incident: Annotated[str, typer.Option(metavar="ID", help="With --failed: of one incident.")] = "",
    workflow: Annotated[str, typer.Option(help="With --failed: of one workflow.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    it_happened: Annotated[
        bool, typer.Option("--it-happened", help="Of one that asks: the call had its effect; go on from there.")
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Of one that asks: make the call again, whether it had its effect or not.")
    ] = False,
) -> None:
    """Retry failed runs from the step that failed; finished steps are not repeated.

    One whose call may have had its effect, and asks whether it did, goes on with your answer alone.

    Examples:
        mainstay runs retry 7f3a91c2
        mainstay runs retry --failed --incident 9be01d44 --dry-run
        mainstay runs retry 7f3a91c2 --it-happened
    """
    from mainstay.insight import RunFilter
    from mainstay.model import short_id

    options = options_of(ctx)
    if it_happened or repeat:
        answer(options, ids or [], happened=it_happened, is_clear=it_happened != repeat and not failed)
        return
    if bool(ids) == failed:
        raise CommandError("say which runs: their ids, or --failed for all of them")
    if (incident or workflow) and not failed:
        raise CommandError("--incident and --workflow narrow --failed", "Add --failed.")

    async def choose(reading: Reading) -> list[RunRow]:
        if not failed:
            return await named_runs(reading, ids or [])
        incident_id = await reading.find("incidents", "incident", incident) if incident else None
        return await all_runs(reading, RunFilter("stopped", workflow, incident_id=incident_id))

    chosen = read(options, choose)
    asking = [run for run in chosen if run.asks]
    if asking and not failed:
        raise CommandError(
            f"run {short_id(asking[0].id)} asks whether its call happened: {asking[0].error}",
            "Look there, then answer with --it-happened or --repeat.",
        )
    able = [run for run in chosen if run.state == "failed" and not run.asks]
    done = [] if dry_run else _retry(options, [run.id for run in able])
    left = [run for run in chosen if run.state != "failed"]
    _tell_retried(options.as_json, able if dry_run else [run for run in able if run.id in done], left, is_dry=dry_run)
    if asking:
        typer.echo(f"{len(asking)} ask whether their call happened: mainstay runs retry ID --it-happened or --repeat")
    if left or (not dry_run and len(done) < len(able)):
        raise typer.Exit(BROKEN)


def _require(state: str) -> None:
    if state and state not in STATES:
        raise CommandError(f'runs have no state "{state}"', f"One of {', '.join(STATES)}.")


async def named_runs(reading: Reading, ids: list[str]) -> list[RunRow]:
    """Return the runs that short or whole ids mean."""
    from mainstay.insight import run_detail

    found = []
    for text in ids:
        detail = await run_detail(reading.connection, reading.workspace_id, await reading.find("runs", "run", text))
        if detail is not None:
            found.append(detail.run)
    return found


async def all_runs(reading: Reading, wanted: RunFilter) -> list[RunRow]:
    """Return every run that a filter matches, the newest first."""
    from mainstay.insight import list_runs

    found: list[RunRow] = []
    before: UUID | None = None
    while True:
        page = await list_runs(reading.connection, reading.workspace_id, wanted, before=before, size=_RETRY_PAGE)
        found += page.items
        before = page.before
        if before is None:
            return found


def _retry(options: Any, ids: list[UUID]) -> set[UUID]:
    async def work(app: App, workspace: Workspace) -> set[UUID]:
        return {run_id for run_id in ids if await app.retry_run(workspace.id, run_id)}

    return act(options, work) if ids else set()


def _tell_retried(as_json: bool, done: list[RunRow], left: list[RunRow], *, is_dry: bool) -> None:
    from mainstay.cli.output import emit, number, say, text

    if as_json:
        emit({"dry_run": is_dry, "retried": [run.id for run in done], "not_failed": [run.id for run in left]})
        return
    if done:
        show_runs(done)
        typer.echo()
    if left:
        show_runs(left)
        say(text((f"✗ {number(len(left), 'run')} did not fail, so there is nothing to retry", "red")))
    if not done and not left:
        say(text("No run has failed that nobody has handled."))
    elif is_dry:
        say(text(f"{number(len(done), 'run')} would be retried. Without --dry-run they are."))
    elif done:
        say(text((f"→ {number(len(done), 'run')} queued again, from the step that failed", "blue")))
        say(text(("See how they go: mainstay runs list", "dim")))


def show_runs(rows: Any) -> None:
    """Print runs as a table."""
    from mainstay.cli.output import Column, ago, identifier, state, table, text

    if not rows:
        typer.echo("No runs match. Send a lead: mainstay send website --email you@example.com")
        return
    table(
        [
            Column("run"),
            Column("state"),
            Column("workflow"),
            Column("about", grows=True),
            Column("began", right=True),
            Column("", grows=True),
        ],
        [
            (
                identifier(row.id),
                state("handled" if row.handled_at else row.state),
                row.workflow,
                row.contact_name,
                ago(row.created_at),
                text((row.error or row.waiting_for, "red" if row.needs_person else "dim")),
            )
            for row in rows
        ],
    )


def _show_run(found: RunDetail) -> None:
    from mainstay.cli.output import ago, clock, facts, identifier, say, state, text
    from mainstay.model import short_id

    run = found.run
    steps = len(found.steps)
    stopped = found.stopped_at
    at = f" at step {stopped.number} of {steps}" if stopped and run.state == "failed" else ""
    about = f" · {run.contact_name}" if run.contact_name else ""
    say(
        text(
            (run.workflow, "bold"),
            f"{about} · ",
            state(run.state),
            f"{at} · {clock(run.created_at)} ({ago(run.created_at)})",
        )
    )
    pairs: list[tuple[str, Any]] = [("run", text((str(run.id), "cyan")))]
    if found.delivery is not None:
        delivery = found.delivery
        pairs.append(
            (
                "trigger",
                text(
                    f"{delivery.source} ({delivery.kind}), delivery ",
                    identifier(delivery.id),
                    f" ({delivery.verified})",
                ),
            )
        )
    if run.contact_id:
        pairs.append(("contact", text(f"{run.contact_name or 'unnamed'} ", identifier(run.contact_id))))
    if run.waiting_for:
        pairs.append(("waits for", f"{run.waiting_for} {ago(run.wake_at)}".strip()))
    if found.result is not None:
        pairs.append(("returned", found.result if isinstance(found.result, str) else _json(found.result)))
    if run.error:
        pairs.append(("why" if run.state == "cancelled" else "error", text((run.error, "red"))))
    facts(pairs)
    if found.steps:
        say()
        _show_steps(found.steps)
    if not found.has_all_attempts:
        say(text(("  Only the first attempts are shown.", "dim")))
    if found.following:
        say()
        say(text(("The same delivery also began", "dim")))
        show_runs(found.following)
    if run.state == "failed":
        say()
        step = f" from step {stopped.number}" if stopped else ""
        command = f"mainstay runs retry {short_id(run.id)}"
        if run.asks:
            say(text("it happened, go on: ", (f"{command} --it-happened", "cyan")))
            say(text("make the call again: ", (f"{command} --repeat", "cyan")))
        else:
            say(text(f"retry{step}: ", (command, "cyan")))
        if run.delivery_id:
            say(text("what arrived: ", (f"mainstay deliveries show {short_id(run.delivery_id)}", "cyan")))


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value).decode()


def _show_steps(steps: tuple[Step, ...]) -> None:
    from mainstay.cli.output import Column, lasted, number, state, table, text
    from mainstay.insight import guard_words

    rows: list[Any] = []
    for step in steps:
        last = step.attempts[-1]
        tries = number(len(step.attempts), "attempt") if len(step.attempts) > 1 else ""
        said = last.error or (str(last.result) if last.result and not isinstance(last.result, dict | list) else "")
        if last.guard:
            said = f"{guard_words(last.guard, step.connection)} {said}".strip()
        style = "red" if last.state == "failed" else "dim"
        rows.append(
            (
                text((f"  {step.number}", "dim")),
                step.name,
                step.connection,
                state(str(step.state)),
                lasted(step.duration_ms),
                tries,
                text((said, style)),
            )
        )
    table(
        [
            Column(""),
            Column("step"),
            Column("at"),
            Column("state"),
            Column("took", right=True),
            Column(""),
            Column("", grows=True),
        ],
        rows,
    )
