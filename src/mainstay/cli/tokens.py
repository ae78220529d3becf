"""``mainstay tokens``: who may use the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.errors import CommandError, MissingError
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.app import App, Workspace
    from mainstay.web.tokens import Token

tokens = group("Who may use the API: a token for each program.")


@tokens.command("create", cls=Command)
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the program is called; it stands beside whatever it writes.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it may do: read, personal, retry, write; several times. All without it."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="The same as --scope read --scope personal.")] = False,
) -> None:
    """Make a token of the workspace and show it, this once.

    Examples:
        mainstay tokens create zapier
        mainstay tokens create reports --read-only
        mainstay tokens create assistant --scope read --scope retry
    """
    options = options_of(ctx)
    from mainstay.web.tokens import NAME

    if not NAME.fullmatch(name):
        raise CommandError(
            f'"{name}" cannot be the name of a token', "Letters, digits, dots and hyphens; 40 at most, like: zapier"
        )

    scopes = _scopes(scope or [], read_only=read_only)

    async def work(app: App, workspace: Workspace) -> str:
        from mainstay.web.tokens import create_token

        return await create_token(app.pool, workspace.id, name, scopes)

    token = act(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"name": name, "token": token, "scopes": scopes})
        return
    typer.echo(token)
    typer.echo("Keep it now: it is not shown again. Send it as the header  Authorization: Bearer TOKEN", err=True)


def _scopes(given: Sequence[str], *, read_only: bool) -> list[str]:
    from mainstay.web.scopes import ALL, READ_ONLY, checked, in_order

    if given and read_only:
        raise CommandError("--read-only and --scope say the same thing twice", "Give one of them.")
    try:
        return in_order(checked(given) if given else READ_ONLY if read_only else ALL)
    except ValueError as error:
        raise CommandError(str(error), "Say it like: --scope read --scope retry") from error


@tokens.command("list", cls=Command)
def list_(ctx: typer.Context) -> None:
    """List the tokens, the newest first.

    Example: mainstay tokens list
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> Sequence[Token]:
        from mainstay.web.tokens import list_tokens

        return await list_tokens(app.pool, workspace.id)

    found = act(options, work)
    from mainstay.cli.output import Column, ago, emit, table, text

    if options.as_json:
        emit({"tokens": found})
        return
    if not found:
        typer.echo("There are no tokens. Make one: mainstay tokens create NAME")
        return
    table(
        [
            Column("name", grows=True),
            Column("token"),
            Column("may"),
            Column("made", right=True),
            Column("used", right=True),
        ],
        [
            (
                each.name,
                f"mst_…{each.hint}",
                text(("revoked", "dim")) if each.revoked_at else ", ".join(each.scopes),
                ago(each.created_at),
                ago(each.last_used_at) or text(("never", "dim")),
            )
            for each in found
        ],
    )


@tokens.command("revoke", cls=Command)
def revoke(ctx: typer.Context, name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """End a token, at once.

    Example: mainstay tokens revoke zapier
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> bool:
        from mainstay.web.tokens import revoke_token

        return await revoke_token(app.pool, workspace.id, name)

    if not act(options, work):
        raise MissingError(f'no token named "{name}" is in use', "See them: mainstay tokens list")
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"revoked": name})
        return
    typer.echo(f"Revoked: {name}")
