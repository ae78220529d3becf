"""``mainstay db``: the database."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import typer

from mainstay.cli.command import Command, group, options_of
from mainstay.cli.reading import database, program_settings, reaching

db = group("The database.")


@db.command("migrate", cls=Command)
def migrate(ctx: typer.Context) -> None:
    """Bring the database's schema to this program's version. `mainstay up` does it too, before it serves.

    Example: mainstay db migrate
    """
    from mainstay.cli.session import ensure_schema
    from mainstay.db.migrate import HEAD

    options = options_of(ctx)
    with database(program_settings(options)) as dsn, reaching(dsn):
        is_changed = asyncio.run(ensure_schema(dsn))
    from mainstay.cli.output import emit, say, text

    if options.as_json:
        emit({"version": HEAD, "changed": is_changed})
    else:
        said = "now at version" if is_changed else "was at this version already:"
        say(text(("✓ ", "green"), f"The schema {said} {HEAD}"))


@db.command("url", cls=Command)
def url(ctx: typer.Context) -> None:
    """Say which database is used, without its password. The embedded server runs only while a command does.

    Example: mainstay db url
    """
    options = options_of(ctx)
    program = program_settings(options)
    with database(program) as dsn:
        parts = urlsplit(dsn)
    shown = dsn.replace(f":{parts.password}@", ":•••@") if parts.password else dsn
    from mainstay.cli.output import emit

    if options.as_json:
        emit({"url": shown, "embedded": not program.database_url})
    else:
        typer.echo(shown)
