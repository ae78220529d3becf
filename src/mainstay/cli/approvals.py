"""``mainstay approvals``: what runs ask people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.people import BY
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.app import App, Workspace
    from mainstay.insight.approvals import ApprovalRow
    from mainstay.runs import Decision

approvals = group("What runs ask people: list, approve, decline.")

_MOST = 1000
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A short or whole id.")]
NoteOption = Annotated[str, typer.Option("--note", help="What the run is told besides.")]


@approvals.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    decided: Annotated[bool, typer.Option("--decided", help="Those that were answered, or whose time passed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many.")] = 25,
) -> None:
    """List the questions that wait for an answer, the oldest first.

    Example: mainstay approvals list --decided
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[ApprovalRow, ...]:
        from mainstay.insight.approvals import decided_approvals, open_approvals

        look = decided_approvals if decided else open_approvals
        return (await look(reading.connection, reading.workspace_id, size=limit)).items

    found = read(options, work)
    from mainstay.cli.output import Column, ago, emit, identifier, table, text

    if options.as_json:
        emit({"approvals": found})
        return
    if not found:
        typer.echo("Nothing was decided yet." if decided else "Nothing waits for an answer.")
        return
    table(
        [
            Column("approval"),
            Column("state"),
            Column("asked", right=True),
            Column("until", right=True),
            Column("about"),
            Column("run"),
            Column("question", grows=True),
        ],
        [
            (
                identifier(row.id),
                text(f"{row.state} by {row.decided_by}" if row.decided_by else row.state),
                ago(row.asked_at),
                ago(row.expires_at) if row.expires_at else "",
                row.contact_name,
                identifier(row.run_id),
                text(row.question, (f"  {row.note}", "dim") if row.note else ""),
            )
            for row in found
        ],
    )


@approvals.command("approve", cls=Command)
def approve(ctx: typer.Context, approval: IdArgument, note: NoteOption = "") -> None:
    """Answer a question with yes; its run goes on at once.

    Example: mainstay approvals approve 1f00c2ab --note "go ahead"
    """
    _decide(ctx, approval, note, approved=True)


@approvals.command("decline", cls=Command)
def decline(ctx: typer.Context, approval: IdArgument, note: NoteOption = "") -> None:
    """Answer a question with no; its run goes on at once.

    Example: mainstay approvals decline 1f00c2ab --note "too dear"
    """
    _decide(ctx, approval, note, approved=False)


def _decide(ctx: typer.Context, approval: str, note: str, *, approved: bool) -> None:
    options = options_of(ctx)

    async def find(reading: Reading) -> UUID:
        return await reading.find("approvals", "approval", approval)

    found_id = read(options, find)

    async def work(app: App, workspace: Workspace) -> Decision:
        return await app.approvals.decide(workspace.id, found_id, approved=approved, by=BY, note=note)

    decision = act(options, work)
    from mainstay.cli.output import emit, identifier, say, text

    if options.as_json:
        emit({"id": found_id, "state": decision.state, "run_id": decision.run_id, "note": decision.note})
        return
    say(text((f"✓ {decision.state}", "green"), "  run ", identifier(decision.run_id), " goes on"))
