"""``mainstay drift``: where a copy was changed, and what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.command import Command, Options, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.people import BY
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.insight.mirrors import DriftRow

drift = group("Where a copy was changed: list, revert, take-over, leave, undo.")

_MOST = 1000
_WORDS = {
    "changed": "changed",
    "missing": "the row is gone",
    "unknown": "its id is no record's",
    "double": "there are two rows",
    "refused": "not taken there",
}
MirrorArgument = Annotated[str, typer.Argument(metavar="MIRROR", help="The mirror's name in stack.toml.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Short or whole ids.")]


@drift.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    mirror: Annotated[str, typer.Argument(metavar="MIRROR", help="Of this mirror alone.")] = "",
    decided: Annotated[bool, typer.Option("--decided", help="Those that were dealt with, or came right.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many.")] = 25,
) -> None:
    """List where copies are not what Mainstay wrote, column by column.

    Example: mainstay drift list sheet
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> Sequence[DriftRow]:
        return await _rows(reading, mirror, decided=decided, size=limit)

    found = read(options, work)
    from mainstay.cli.output import emit

    if options.as_json:
        emit({"drift": found})
    elif found:
        _show(found)
    else:
        typer.echo("Nothing was decided yet." if decided else "Every copy is what Mainstay wrote.")


@drift.command("revert", cls=Command)
def revert(
    ctx: typer.Context,
    mirror: MirrorArgument,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Short or whole ids; else all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
) -> None:
    """Write rows again as they were. It can be undone: mainstay drift undo.

    Examples:
        mainstay drift revert sheet --dry-run
        mainstay drift revert sheet 1f00c2ab
    """
    options = options_of(ctx)
    chosen = _find(options, ids) if ids else None
    if dry_run:
        rows = read(options, lambda reading: _rows(reading, mirror, decided=False, size=_MOST))
        wanted = [row for row in rows if (chosen is None or row.id in chosen) and row.kind != "double"]
        from mainstay.cli.output import emit

        if options.as_json:
            emit({"would_revert": wanted})
            return
        _show(wanted)
        typer.echo(f"{len(wanted)} would be written again as they were.")
        return
    count = _act(options, lambda app, workspace: app.copies.revert(workspace.id, mirror, chosen, by=BY))
    _tell(options, {"reverted": count}, f"{count} will be written again as they were")


@drift.command("take-over", cls=Command)
def take_over(
    ctx: typer.Context, id_: Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
) -> None:
    """Give the record what somebody wrote into its copy; it goes to the system of record and to every copy.

    Example: mainstay drift take-over 1f00c2ab
    """
    options = options_of(ctx)
    (chosen,) = _find(options, [id_])
    values = _act(options, lambda app, workspace: app.copies.take_over(workspace.id, chosen, by=BY))
    _tell(options, {"taken_over": dict(values)}, f"the record has it now: {', '.join(values)}")


@drift.command("leave", cls=Command)
def leave(ctx: typer.Context, ids: IdsArgument) -> None:
    """Let differences be; they are told of again only when they change.

    Example: mainstay drift leave 1f00c2ab
    """
    options = options_of(ctx)
    chosen = _find(options, ids)
    count = _act(options, lambda app, workspace: app.copies.leave(workspace.id, chosen, by=BY))
    _tell(options, {"left": count}, f"{count} may stay as they are")


@drift.command("undo", cls=Command)
def undo(ctx: typer.Context, mirror: MirrorArgument, ids: IdsArgument) -> None:
    """Let rows that were reverted be again what somebody had made of them.

    Example: mainstay drift undo sheet 1f00c2ab
    """
    options = options_of(ctx)
    chosen = _find(options, ids)
    run_id = _act(options, lambda app, workspace: app.copies.undo(workspace.id, mirror, chosen))
    from mainstay.model import short_id

    _tell(options, {"run_id": run_id}, f"they are written in run {short_id(run_id)}")


async def _rows(reading: Reading, mirror: str, *, decided: bool, size: int) -> Sequence[DriftRow]:
    from mainstay.insight.mirrors import list_drifts

    found = await list_drifts(reading.connection, reading.workspace_id, mirror=mirror, decided=decided, size=size)
    return found.items


def _find(options: Options, ids: Sequence[str]) -> list[UUID]:
    async def work(reading: Reading) -> list[UUID]:
        return [await reading.find("drifts", "difference", each) for each in ids]

    return read(options, work)


def _act(options: Options, verb: Callable[[App, Workspace], Coroutine[Any, Any, Any]]) -> Any:
    from mainstay.errors import MirrorRefusedError, PermanentError, WorkflowError

    try:
        return act(options, verb)
    except MirrorRefusedError as error:
        raise CommandError(str(error), error.hint) from None
    except PermanentError as error:
        raise CommandError(str(error), "Revert it, or edit the record.") from None
    except WorkflowError as error:
        raise MissingError(str(error), "See them: mainstay mirrors list") from None


def _tell(options: Options, told: Mapping[str, Any], sentence: str) -> None:
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit(told)
    else:
        say(text(("✓ ", "green"), sentence))


def _show(found: Sequence[DriftRow]) -> None:
    from mainstay.cli.output import Column, ago, identifier, table

    lines = []
    for row in found:
        decided = f"{row.state} by {row.decided_by}" if row.decided_by else row.state
        differences = [
            (title or _WORDS[row.kind], str(said.get("ours", "")), str(said.get("theirs", "")))
            for title, said in row.fields.items()
        ] or [(_WORDS[row.kind], "", "")]
        for place, (title, ours, theirs) in enumerate(differences):
            is_first = place == 0
            lines.append(
                (
                    identifier(row.id) if is_first else "",
                    row.mirror if is_first else "",
                    (row.record_name or row.key) if is_first else "",
                    title,
                    ours,
                    theirs,
                    ("" if row.state == "open" else decided) if is_first else "",
                    ago(row.found_at) if is_first else "",
                )
            )
    names = ("drift", "mirror", "record", "what", "Mainstay wrote", "there it says", "", "found")
    table([Column(name, grows=name in {"Mainstay wrote", "there it says"}) for name in names], lines)
