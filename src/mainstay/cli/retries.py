"""``mainstay retries``: orders to retry many runs, and how far they are."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.app import App, Workspace
    from mainstay.cli.command import Options
    from mainstay.insight.retries import BulkRetry

retries = group("Orders to retry many runs (mainstay runs retry --failed ...): how far they are; stop them, go on.")
_MOST = 1000
Order = Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]


@retries.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List orders, the newest first.

    Example: mainstay retries list
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[BulkRetry, ...]:
        from mainstay.insight.retries import list_bulk_retries

        return (await list_bulk_retries(reading.connection, reading.workspace_id, size=limit)).items

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, state, table

    if options.as_json:
        emit({"retries": found})
        return
    if not found:
        typer.echo("No order was given yet. Give one: mainstay runs retry --failed --dry-run")
        return
    table(
        [
            Column("order"),
            Column("state"),
            Column("sent", right=True),
            Column("began", right=True),
            Column("by"),
            Column("which", grows=True),
            Column("", grows=True),
        ],
        [
            (
                identifier(each.id),
                state(each.state),
                f"{each.sent:,}",
                ago(each.begun_at),
                each.by,
                each.which,
                each.note,
            )
            for each in found
        ],
    )


@retries.command("show", cls=Command)
def show(ctx: typer.Context, order: Order) -> None:
    """Show an order: which runs it means, how many it has sent, and what became of them.

    Example: mainstay retries show 9be01d44
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> BulkRetry:
        from mainstay.insight.retries import bulk_retry

        found_id = await reading.find("bulk_retries", "order", order)
        found = await bulk_retry(reading.connection, reading.workspace_id, found_id)
        if found is None:
            raise MissingError(f'there is no order "{order}"')
        return found

    found = read(options, work)
    from mainstay.cli.output import ago, clock, emit, facts, say, state, text
    from mainstay.model import short_id

    if options.as_json:
        emit(found)
        return
    say(text(("Retry of many runs", "bold"), " · ", state(found.state), f" · {found.which}"))
    went = ", ".join(f"{count:,} {name}" for name, count in sorted(found.went.items()))
    pairs: list[tuple[str, Any]] = [
        ("order", text((str(found.id), "cyan"))),
        ("began", f"{clock(found.begun_at)} ({ago(found.begun_at)}){f' by {found.by}' if found.by else ''}"),
        ("brake", brake(found)),
        ("sent", f"{found.sent:,}{f': {went}' if went else ''}"),
    ]
    if found.state != "done":
        pairs.append(("left", str(found.left)))
    if found.note:
        pairs.append(("why it stopped", text((found.note, "red"))))
    facts(pairs)
    verb = {"running": "stop", "stopped": "resume"}.get(found.state)
    if verb:
        say()
        say(text(f"{verb} it: ", (f"mainstay retries {verb} {short_id(found.id)}", "cyan")))


@retries.command("stop", cls=Command)
def stop(ctx: typer.Context, order: Order) -> None:
    """Send nothing more of an order; what has been sent goes on.

    Example: mainstay retries stop 9be01d44
    """
    options = options_of(ctx)
    order_id = _find(options, order)

    async def work(app: App, workspace: Workspace) -> bool:
        return await app.retrier.stop(workspace.id, order_id, by=getpass.getuser())

    if not act(options, work):
        raise CommandError(f'the order "{order}" is not running')
    _tell(options, order_id, "stopped")


@retries.command("resume", cls=Command)
def resume(ctx: typer.Context, order: Order) -> None:
    """Let a stopped order go on where it stopped.

    Example: mainstay retries resume 9be01d44
    """
    options = options_of(ctx)
    order_id = _find(options, order)

    async def work(app: App, workspace: Workspace) -> bool:
        return await app.retrier.resume(workspace.id, order_id)

    if not act(options, work):
        raise CommandError(f'the order "{order}" is not stopped')
    _tell(options, order_id, "running")


def _find(options: Options, order: str) -> UUID:
    async def find(reading: Reading) -> UUID:
        return await reading.find("bulk_retries", "order", order)

    return read(options, find)


def _tell(options: Options, order_id: UUID, state: str) -> None:
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit({"order": order_id, "state": state})
    else:
        say(text((f"✓ {state}", "green")))


def brake(order: BulkRetry) -> str:
    """Return in words how an order is held back."""
    rate = f"{order.per_second:g} a second" if order.per_second else "no limit to the rate"
    return f"{rate}; {'stops when one fails again' if order.stops_on_error else 'goes on whatever fails'}"
