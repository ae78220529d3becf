"""``mainstay drift``: where a copy was changed, and what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mainstay.cli.command import Command, Options, group, options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.people import BY
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.insight.mirrors import DriftRow
    from mainstay.mirrors import TakenOver, Undone

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
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Short or whole ids.")] = None,
    mirror: Annotated[str, typer.Option("--all", metavar="MIRROR", help="All that is open in this mirror.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Give records what somebody wrote into their copy; it goes to the system of record and to every copy.

    It can be undone: mainstay drift undo.

    Examples:
        mainstay drift take-over 1f00c2ab
        mainstay drift take-over --all sheet --dry-run
    """
    options = options_of(ctx)
    if bool(ids) == bool(mirror):
        raise CommandError("say which: ids, or all of a mirror", "mainstay drift take-over --all sheet --dry-run")
    wanted = {mirror: None} if mirror else _by_mirror(options, ids or ())

    async def work(app: App, workspace: Workspace) -> list[TakenOver]:
        done = []
        for name, chosen in wanted.items():
            done += await app.copies.take_over_all(workspace.id, name, chosen, by=BY, is_dry=dry_run)
        return done

    _tell_taken(options, _act(options, work), is_dry=dry_run)


def _by_mirror(options: Options, ids: Sequence[str]) -> dict[str, list[UUID] | None]:
    async def work(reading: Reading) -> dict[str, list[UUID] | None]:
        from mainstay.insight.mirrors import find_drift

        found: dict[str, list[UUID]] = {}
        for text in ids:
            row = await find_drift(
                reading.connection, reading.workspace_id, await reading.find("drifts", "difference", text)
            )
            if row is None or row.kind != "changed" or row.state not in {"open", "left"}:
                raise CommandError(f"{text} is no difference that waits for a decision", "mainstay drift list")
            found.setdefault(row.mirror, []).append(row.id)
        return dict(found)

    return read(options, work)


def _tell_taken(options: Options, found: Sequence[TakenOver], *, is_dry: bool) -> None:
    from mainstay.cli.output import Column, emit, identifier, table

    able = [each for each in found if not each.refusal]
    if options.as_json:
        emit({"would_take_over" if is_dry else "taken_over": found})
    else:
        lines = []
        for each in found:
            remark = each.refusal or "; ".join(
                [f"{title} goes back" for title in each.reverted]
                + [f"{field} goes to {owner} first" for field, owner in each.forwarded.items()]
            )
            for place, (field, (before, after)) in enumerate(each.fields.items() or [("", ("", ""))]):
                is_first = place == 0
                head = identifier(each.drift_id) if is_first else ""
                lines.append((head, field, before, after, remark if is_first else ""))
        names = ("drift", "field", "was", "would be" if is_dry else "is", "")
        table([Column(name, grows=name in {"was", "would be", "is", ""}) for name in names], lines)
        told = "would be taken over" if is_dry else "taken over"
        typer.echo(f"{len(able)} of {len(found)} {told}.")
    if len(able) < len(found) and not is_dry:
        raise typer.Exit(BROKEN)


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
    """Undo what was decided: a reverted row is again what somebody had made of it, a contact again what it was.

    What was said of the contact besides, before and since, stands again. What was left is open again.

    Example: mainstay drift undo sheet 1f00c2ab
    """
    options = options_of(ctx)
    chosen = _find(options, ids)
    done: Undone = _act(options, lambda app, workspace: app.copies.undo(workspace.id, mirror, chosen, by=BY))
    from mainstay.model import short_id

    written = f"; the copy is written in run {short_id(done.run_id)}" if done.run_id else ""
    _tell(options, {"undone": done.count, "run_id": done.run_id}, f"{done.count} undone{written}")


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
                    (("proposed" if row.is_proposed else "") if row.state == "open" else decided) if is_first else "",
                    ago(row.found_at) if is_first else "",
                )
            )
    names = ("drift", "mirror", "record", "what", "Mainstay wrote", "there it says", "", "found")
    table([Column(name, grows=name in {"Mainstay wrote", "there it says"}) for name in names], lines)
