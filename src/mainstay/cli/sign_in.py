"""``mainstay sign-in``: a way into the pages."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError
from mainstay.cli.reading import database, program_settings, reaching


def sign_in(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Who it is for: stands beside what they decide.")
    ] = "",
    may: Annotated[
        str | None,
        typer.Option("--may", metavar="SCOPES", help="What they may do, of read,personal,retry,write. All without it."),
    ] = None,
) -> None:
    """Make a new one-time link to the pages; it opens one session.

    Examples:
        mainstay sign-in --as Dana
        mainstay sign-in --as Sam --may read,retry
    """
    from mainstay.cli.session import ensure_schema
    from mainstay.db import open_pool
    from mainstay.web.sign_in import LINK_LIFE, create_sign_in_link

    options = options_of(ctx)
    scopes = _scopes(may)
    program = program_settings(options)
    host = "127.0.0.1" if program.host in {"0.0.0.0", "::"} else program.host  # noqa: S104 - compared, not bound
    base = program.public_url or f"http://{f'[{host}]' if ':' in host else host}:{program.port}"

    async def make(dsn: str) -> str:
        with reaching(dsn):
            await ensure_schema(dsn)
            pool = await open_pool(dsn, size=1)
        try:
            return await create_sign_in_link(pool, base, name=name, scopes=scopes)
        finally:
            await pool.close()

    with database(program) as dsn:
        link = asyncio.run(make(dsn))
    minutes = int(LINK_LIFE.total_seconds() // 60)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"url": link, "minutes": minutes, "scopes": scopes})
        return
    typer.echo(link)
    typer.echo(f"Good for one session, within {minutes} minutes, while `mainstay up` runs.", err=True)


def _scopes(may: str | None) -> list[str]:
    from mainstay.web.scopes import ALL, checked, in_order

    try:
        # Empty is a variable that is not set, and no wish for everything.
        return in_order(ALL if may is None else checked(each.strip() for each in may.split(",")))
    except ValueError as error:
        raise CommandError(str(error), "Say it like: --may read,retry") from error
