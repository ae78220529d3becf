"""``mainstay runs``: what workflows did."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.cancelling import cancel
from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import Reading, read
from mainstay.cli.retrying import retry

if TYPE_CHECKING:
    from mainstay.insight import Page, RunDetail, RunFilter, RunRow, Step
    from mainstay.insight.around import Around

runs = group("What workflows did: every run, its steps and its attempts.")
runs.command("cancel", cls=Command)(cancel)
runs.command("retry", cls=Command)(retry)

STATES = ("queued", "running", "waiting", "open", "failed", "stopped", "done", "cancelled")
_MOST = 1000
_RETRY_PAGE = 200
_LONGEST_SHOWN = 1000


@runs.command("list", cls=Command)
def list_(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)} (failed and not handled: stopped).")] = "",
    workflow: Annotated[str, typer.Option(help="Of one workflow, by its whole name.")] = "",
    incident: Annotated[str, typer.Option(metavar="ID", help="That one incident holds up.")] = "",
    contact: Annotated[str, typer.Option(metavar="ID", help="About one contact.")] = "",
    search: Annotated[
        str,
        typer.Option(metavar="TEXT", help="An id, here or in a system, a name, e-mail or phone, or part of an error."),
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
    """Tell the whole story of a run: its trigger, each step and attempt, where it stopped, and what is beside it.

    Example: mainstay runs show 7f3a91c2
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[RunDetail, Around]:
        from mainstay.insight import run_detail
        from mainstay.insight.around import runs_around

        found = await run_detail(reading.connection, reading.workspace_id, await reading.find("runs", "run", run))
        if found is None:
            raise MissingError(f'there is no run "{run}"')
        return found, await runs_around(reading.connection, reading.workspace_id, found.run)

    found, around = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        told = {each.name: getattr(found, each.name) for each in fields(found)}
        emit(told | {"before": around.before, "same_cause": around.same_cause})
        return
    _show_run(found, around)


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


def _show_run(found: RunDetail, around: Around) -> None:
    from mainstay.cli.output import ago, clock, facts, identifier, say, state, text

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
    if run.state != "done" and stopped is not None:
        _show_calls(stopped)
    _show_around(found, around)
    if run.state == "failed":
        _show_way_on(run, stopped)


def _show_around(found: RunDetail, around: Around) -> None:
    from mainstay.cli.output import say, text
    from mainstay.model import short_id

    for title, rows in (
        ("The same delivery also began", found.following),
        ("What ran before, about the same person", around.before),
        ("Others with the same cause", around.same_cause),
    ):
        if rows:
            say()
            say(text((title, "dim")))
            show_runs(rows)
    if around.is_more and found.run.incident_id:
        say(text("all of them: ", (f"mainstay runs list --incident {short_id(found.run.incident_id)}", "cyan")))


def _show_way_on(run: RunRow, stopped: Step | None) -> None:
    from mainstay.cli.output import say, text
    from mainstay.model import short_id

    say()
    step = f" from step {stopped.number}" if stopped else ""
    command = f"mainstay runs retry {short_id(run.id)}"
    if run.asks:
        say(text("it happened, go on: ", (f"{command} --it-happened", "cyan")))
        say(text("make the call again: ", (f"{command} --repeat", "cyan")))
    else:
        say(text(f"retry{step}: ", (command, "cyan")))
        say(text("with another input: ", (f"{command} --edit", "cyan")))
    if run.delivery_id:
        say(text("what arrived: ", (f"mainstay deliveries show {short_id(run.delivery_id)}", "cyan")))


def _show_calls(step: Step) -> None:
    """Print what the last attempt of a step sent and was answered, and when the next one is due."""
    from mainstay.cli.output import ago, say, text

    last = step.attempts[-1]
    for exchange in last.exchanges:
        answer = exchange.get("status") or exchange.get("error") or "no answer"
        say()
        say(text((f"  {exchange.get('method', '')} {exchange.get('url', '')}", "bold"), f"  {answer}"))
        for name in ("request", "response"):
            if exchange.get(name) is not None:
                said = exchange[name] if isinstance(exchange[name], str) else _json(exchange[name])
                say(text((f"    {name}: ", "dim"), said[:_LONGEST_SHOWN]))
    if last.next_at is not None and last.state in {"retry", "waiting"}:
        say(text(("  next: ", "dim"), ago(last.next_at)))


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
        if last.is_set_aside:
            said = f"set aside, to be done anew; {said}".strip("; ")
        style = "red" if last.state == "failed" and not last.is_set_aside else "dim"
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
