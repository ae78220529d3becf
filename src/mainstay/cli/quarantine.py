"""``mainstay quarantine``: requests whose sender could not be proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN, MissingError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.insight import Page, QuarantineRow, RawDelivery

quarantine = group("Requests whose sender could not be proven: kept for 48 hours, never run by themselves.")

_MOST = 1000


@quarantine.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    source: Annotated[str, typer.Option(help="From one source.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List what is in quarantine, the newest first.

    Example: mainstay quarantine list --source facebook
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> Page[QuarantineRow]:
        from mainstay.insight import list_quarantine

        return await list_quarantine(reading.connection, reading.workspace_id, source=source, size=limit)

    page = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, size, table

    if options.as_json:
        emit({"quarantine": page.items, "more": page.before is not None})
        return
    if not page.items:
        typer.echo("Nothing is in quarantine.")
        return
    table(
        [
            Column("id"),
            Column("source"),
            Column("came", right=True),
            Column("size", right=True),
            Column("why", grows=True),
        ],
        [(identifier(row.id), row.source, ago(row.received_at), size(row.size), row.reason) for row in page.items],
    )


@quarantine.command("show", cls=Command)
def show(
    ctx: typer.Context, request: Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
) -> None:
    """Show a request in quarantine as it arrived.

    Example: mainstay quarantine show 1f00c2ab
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[QuarantineRow, RawDelivery]:
        from mainstay.insight import quarantine_detail

        found_id = await reading.find("quarantine", "request in quarantine", request)
        found = await quarantine_detail(reading.connection, reading.workspace_id, found_id)
        if found is None:
            raise MissingError(f'there is nothing "{request}" in quarantine')
        return found

    row, raw = read(options, work)
    from mainstay.cli.deliveries import show_request
    from mainstay.cli.output import ago, emit, facts, say, text
    from mainstay.model import short_id

    if options.as_json:
        emit({"quarantined": row, "request": raw})
        return
    say(text((row.source, "bold"), f" · in quarantine · {ago(row.received_at)}"))
    facts([("id", text((str(row.id), "cyan"))), ("why", text((row.reason, "red")))])
    show_request(raw)
    say()
    say(text("if it is genuine: ", (f"mainstay quarantine release {short_id(row.id)}", "cyan")))


@quarantine.command("release", cls=Command)
def release(
    ctx: typer.Context, ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Short or whole ids.")]
) -> None:
    """Take requests out of quarantine on your word: they run as deliveries.

    Look at them first (`quarantine show`), and mend the secret, so that the next ones are proven.

    Example: mainstay quarantine release 1f00c2ab
    """
    options = options_of(ctx)

    async def find(reading: Reading) -> list[Any]:
        return [await reading.find("quarantine", "request in quarantine", text) for text in ids]

    chosen = read(options, find)

    async def work(app: App, workspace: Workspace) -> list[dict[str, Any]]:
        done = []
        for quarantine_id in chosen:
            try:
                receipt = await app.release_quarantined(workspace.id, quarantine_id)
            except LookupError as error:
                done.append({"id": quarantine_id, "state": "failed", "delivery": None, "error": str(error)})
            else:
                done.append(
                    {
                        "id": quarantine_id,
                        "state": receipt.state,
                        "delivery": receipt.delivery_id,
                        "error": receipt.reason,
                    }
                )
        return done

    done = act(options, work)
    from mainstay.cli.output import Column, emit, identifier, state, table

    if options.as_json:
        emit({"released": done})
    else:
        table(
            [Column("id"), Column("state"), Column("delivery"), Column("", grows=True)],
            [
                (identifier(each["id"]), state(each["state"]), identifier(each["delivery"]), each["error"])
                for each in done
            ],
        )
    if any(each["error"] for each in done):
        raise typer.Exit(BROKEN)
