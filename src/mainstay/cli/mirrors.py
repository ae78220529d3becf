"""``mainstay mirrors``: the copies of records that the stack keeps alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import Reading, act, read
from mainstay.errors import MirrorRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mainstay.app import App, Workspace
    from mainstay.insight.mirrors import MirrorRow

mirrors = group("Copies of records, which are kept alike: list, compare.")


@mirrors.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List the copies: whether all is in them, what is still to be written, where they were changed.

    Example: mainstay mirrors list
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> Sequence[MirrorRow]:
        from mainstay.insight.mirrors import list_mirrors

        return await list_mirrors(reading.connection, reading.workspace_id)

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, table, text

    if options.as_json:
        emit({"mirrors": found})
        return
    if not found:
        typer.echo('No mirrors yet: add mirrors = ["sheet"] to [records.contact] in stack.toml')
        return
    table(
        [
            Column("mirror"),
            Column("holds"),
            Column("state", grows=True),
            Column("behind", right=True),
            Column("drifted", right=True),
            Column("written", right=True),
            Column("compared", right=True),
        ],
        [
            (
                row.name,
                row.record_type,
                text((state_of(row), "red" if row.run_state == "failed" else "")),
                str(row.behind),
                text((str(row.drifts), "yellow" if row.drifts.number else "")),
                ago(row.written_at) if row.written_at else "",
                ago(row.compared_at) if row.compared_at else "",
            )
            for row in found
        ],
    )


@mirrors.command("compare", cls=Command)
def compare(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="The mirror's name in stack.toml.")]
) -> None:
    """Look now whether somebody changed a copy; a worker reads it, row by row.

    Example: mainstay mirrors compare sheet
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> UUID:
        if name not in workspace.stack.mirrors:
            raise MissingError(f'the stack has no mirror "{name}"', "See them: mainstay mirrors list")
        try:
            return await app.copies.compare(workspace.id, name)
        except MirrorRefusedError as error:
            raise CommandError(str(error), error.hint) from None

    run_id = act(options, work)
    from mainstay.cli.output import emit, identifier, say, text

    if options.as_json:
        emit({"mirror": name, "run_id": run_id})
        return
    say(text(("✓ ", "green"), f"{name} is being compared in run ", identifier(run_id)))
    say(text((f"  What it finds: mainstay drift list {name}", "dim")))


def state_of(row: MirrorRow) -> str:
    """Say how a mirror is."""
    if row.run_state == "failed":
        return f"stopped: {row.error}"
    if row.loaded_at is None:
        return "being filled" + (f", {row.loaded:,} of {row.to_load:,}" if row.to_load else "")
    if row.run_id is not None:
        return "being written"
    if row.behind:
        return "waits a moment for more"
    return "changed there" if row.drifts else "alike"
