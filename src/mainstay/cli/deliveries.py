"""``mainstay deliveries``: what arrived, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.app import App, Workspace
    from mainstay.insight import DeliveryRow, Page, RawDelivery, RunRow
    from mainstay.model import Lane

deliveries = group("What arrived: each request as it came, and what became of it.")

STATES = ("accepted", "processed", "ignored", "rejected", "failed")
_MOST = 1000


@deliveries.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}.")] = "",
    source: Annotated[str, typer.Option(help="From one source.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List deliveries, the newest first.

    Examples:
        mainstay deliveries list --source website
        mainstay deliveries list --state rejected
    """
    options = options_of(ctx)
    if state and state not in STATES:
        raise CommandError(f'deliveries have no state "{state}"', f"One of {', '.join(STATES)}.")

    async def work(reading: Reading) -> Page[DeliveryRow]:
        from mainstay.insight import list_deliveries

        return await list_deliveries(reading.connection, reading.workspace_id, state=state, source=source, size=limit)

    page = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"deliveries": page.items, "more": page.before is not None})
        return
    _show_list(page.items)
    if page.before is not None:
        typer.echo(f"\nThere are more: --limit {min(limit * 4, _MOST)}")


@deliveries.command("show", cls=Command)
def show(
    ctx: typer.Context,
    delivery: Annotated[str, typer.Argument(metavar="ID", help="A delivery's short or whole id.")],
) -> None:
    """Show a delivery as it arrived, its secrets masked, and the runs it began.

    Example: mainstay deliveries show 91c2ab07
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[DeliveryRow, RawDelivery, tuple[RunRow, ...]]:
        from mainstay.insight import delivery_detail, runs_of_delivery

        at = (reading.connection, reading.workspace_id, await reading.find("deliveries", "delivery", delivery))
        found = await delivery_detail(*at)
        if found is None:
            raise MissingError(f'there is no delivery "{delivery}"')
        return *found, await runs_of_delivery(*at)

    row, raw, runs = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"delivery": row, "request": raw, "runs": runs})
        return
    _show(row, raw, runs)


@deliveries.command("replay", cls=Command)
def replay(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Short or whole ids of deliveries.")
    ] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Every delivery that could not be read.")] = False,
    source: Annotated[str, typer.Option(help="With --rejected: from one source.")] = "",
) -> None:
    """Read kept deliveries again with today's settings: after a source's map was mended, say.

    Examples:
        mainstay deliveries replay 91c2ab07
        mainstay deliveries replay --rejected --source website
    """
    options = options_of(ctx)
    if bool(ids) == rejected:
        raise CommandError("say which deliveries: their ids, or --rejected for all that could not be read")

    async def choose(reading: Reading) -> list[UUID]:
        if not rejected:
            return [await reading.find("deliveries", "delivery", text) for text in ids or []]
        return await _all_rejected(reading, source)

    chosen = read(options, choose)

    async def work(app: App, workspace: Workspace) -> list[dict[str, Any]]:
        from mainstay.model import Lane

        # One that somebody looks after goes first; many may take their time.
        lane = Lane.LEAD if len(chosen) == 1 else Lane.BACKFILL
        return [await _replay(app, workspace, delivery_id, lane) for delivery_id in chosen]

    done = act(options, work) if chosen else []
    _tell(options.as_json, done)
    if any(each["error"] for each in done):
        raise typer.Exit(BROKEN)


async def _all_rejected(reading: Reading, source: str) -> list[UUID]:
    from mainstay.insight import list_deliveries

    found: list[UUID] = []
    before: UUID | None = None
    while True:
        page = await list_deliveries(
            reading.connection, reading.workspace_id, state="rejected", source=source, before=before, size=_MOST
        )
        found += [row.id for row in page.items]
        before = page.before
        if before is None:
            # The oldest first, as they came.
            return found[::-1]


async def _replay(app: App, workspace: Workspace, delivery_id: UUID, lane: Lane) -> dict[str, Any]:
    from mainstay.errors import MalformedError

    try:
        run_id = await app.replay_delivery(workspace.id, delivery_id, lane=lane)
    except (LookupError, MalformedError) as error:
        return {"delivery": delivery_id, "run": None, "error": str(error)}
    return {"delivery": delivery_id, "run": run_id, "error": ""}


def _tell(as_json: bool, done: list[dict[str, Any]]) -> None:
    from mainstay.cli.output import Column, emit, identifier, number, say, state, table, text

    if as_json:
        emit({"replayed": done})
        return
    if not done:
        say("Nothing to replay: every delivery could be read.")
        return
    table(
        [Column("delivery"), Column("state"), Column("run"), Column("", grows=True)],
        [
            (
                identifier(each["delivery"]),
                state("rejected" if each["error"] else "queued"),
                identifier(each["run"]),
                each["error"],
            )
            for each in done
        ],
    )
    read_again = sum(not each["error"] for each in done)
    say(text((f"{number(read_again, 'delivery', 'deliveries')} of {len(done)} read again", "bold")))


def _show_list(rows: tuple[DeliveryRow, ...]) -> None:
    from mainstay.cli.output import Column, ago, identifier, size, state, table, text

    if not rows:
        typer.echo("No deliveries match. Send one: mainstay send website --email you@example.com")
        return
    table(
        [
            Column("delivery"),
            Column("state"),
            Column("source"),
            Column("kind"),
            Column("came", right=True),
            Column("size", right=True),
            Column("", grows=True),
        ],
        [
            (
                identifier(row.id),
                state(row.state),
                row.source,
                row.kind,
                ago(row.received_at),
                size(row.size),
                text((row.reason, "red") if row.reason else (row.verified, "dim")),
            )
            for row in rows
        ],
    )


def _show(row: DeliveryRow, raw: RawDelivery, runs: tuple[RunRow, ...]) -> None:
    from mainstay.cli.output import ago, clock, facts, say, state, text
    from mainstay.cli.runs import show_runs
    from mainstay.model import short_id

    say(
        text(
            (row.source, "bold"),
            f" · {row.kind} · ",
            state(row.state),
            f" · {clock(row.received_at)} ({ago(row.received_at)})",
        )
    )
    pairs: list[tuple[str, Any]] = [("delivery", text((str(row.id), "cyan"))), ("sender", row.verified)]
    if row.reason:
        pairs.append(("reason", text((row.reason, "red"))))
    facts(pairs)
    show_request(raw)
    if runs:
        say()
        say(text(("It began", "dim")))
        show_runs(runs)
    if row.state in {"rejected", "failed"}:
        say()
        say(text("read it again: ", (f"mainstay deliveries replay {short_id(row.id)}", "cyan")))


def show_request(raw: RawDelivery) -> None:
    """Print a request as it arrived."""
    from mainstay.cli.output import facts, pretty, say, size, text

    say()
    say(text((f"{raw.method} {raw.url}", "bold")), indent=2)
    facts([(name, value) for name, value in raw.headers.items()])
    say()
    say(text(pretty(raw.body, raw.headers.get("content-type", ""))), indent=2)
    if raw.is_cut:
        say(text((f"The first {size(len(raw.body))} of {size(raw.size)}.", "dim")), indent=2)
