"""What commands stand on: a database, and the workspace that is meant.

Reading commands know a stack by its name alone, so that they are quick and answer even when the rest of the file is
being edited; commands that act open the whole app.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from mainstay.cli.command import Options
from mainstay.cli.errors import CommandError, MissingError
from mainstay.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from mainstay.app import App, Workspace
    from mainstay.db import Connection
    from mainstay.settings.program import ProgramSettings

Result = TypeVar("Result")
_LONGEST_LIST = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """A workspace to read. ``region`` is how it writes local phone numbers, ``timezone`` where its clock hangs."""

    connection: Connection
    workspace_id: UUID
    slug: str
    name: str
    region: str
    timezone: str = "UTC"

    async def find(self, table: str, word: str, text: str) -> UUID:
        """Return the one id that a person means by a short or whole id; ``word`` says what of, in errors."""
        from mainstay.insight import resolve_short_id
        from mainstay.model import short_id

        found = await resolve_short_id(self.connection, table, self.workspace_id, text)
        if not found:
            listing = "drift" if table == "drifts" else table.removeprefix("bulk_")
            raise MissingError(f'there is no {word} "{text}" in {self.slug}', f"See them: mainstay {listing} list")
        if len(found) > 1:
            named = ", ".join(short_id(each) for each in found)
            raise CommandError(f'"{text}" may be several: {named}', "Give more of the id's letters.")
        return found[0]


def read(options: Options, work: Callable[[Reading], Awaitable[Result]]) -> Result:
    """Do ``work`` on the one workspace that is meant."""

    async def on_one(readings: Sequence[Reading]) -> Result:
        return await work(readings[0])

    return _on_readings(options, on_one, several=False)


def read_all(options: Options, work: Callable[[Reading], Awaitable[Result]]) -> list[Result]:
    """Do ``work`` on every workspace of the stacks, or on the one that is named."""

    async def on_each(readings: Sequence[Reading]) -> list[Result]:
        return [await work(reading) for reading in readings]

    return _on_readings(options, on_each, several=True)


def act(options: Options, work: Callable[[App, Workspace], Awaitable[Result]], *, pool_size: int = 2) -> Result:
    """Do ``work`` with the whole app and the workspace that is meant."""
    from mainstay.cli.session import load_project, open_app

    project = load_project(options.stacks)

    async def run(dsn: str) -> Result:
        async with AsyncExitStack() as opened:
            with reaching(dsn):
                app = await opened.enter_async_context(open_app(project, dsn, pool_size=pool_size))
            slug = choose(options.workspace, list(app.by_slug))
            return await work(app, app.by_slug[slug])

    with database(project.program) as dsn:
        return asyncio.run(run(dsn))


def program_settings(options: Options) -> ProgramSettings:
    """Return the settings of the program, read beside the first stack."""
    from mainstay.settings.environment import Environment
    from mainstay.settings.program import ProgramSettings

    return ProgramSettings.read(Environment.load(options.stacks[0].resolve().parent))


@contextmanager
def database(program: ProgramSettings) -> Iterator[str]:
    """Give the database's address; the embedded server runs at least as long as the block."""
    if program.database_url:
        yield program.database_url
        return
    from mainstay.db.embedded import EmbeddedServer

    with EmbeddedServer(program.home, on_wait=_tell_wait) as server:
        yield server.start()


def choose(wanted: str, slugs: Sequence[str]) -> str:
    """Return the workspace that is meant among those of the stacks."""
    if wanted:
        if wanted in slugs:
            return wanted
        raise MissingError(f'no stack here has the workspace "{wanted}"', f"There is: {_listed(slugs)}.")
    if len(slugs) > 1:
        raise CommandError(
            "the stacks make several workspaces", f"Say which: --workspace {slugs[0]} ({_listed(slugs)})"
        )
    return slugs[0]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")


def _tell_wait(sentence: str) -> None:
    from mainstay.cli.output import console

    console(stderr=True).print(sentence, style="dim")


def _on_readings(options: Options, work: Callable[[Sequence[Reading]], Awaitable[Result]], *, several: bool) -> Result:
    marks = [_mark(path) for path in options.stacks]

    async def run(dsn: str) -> Result:
        async with _connected(dsn) as connection:
            readings = await _readings(connection, marks)
            if readings is None:
                readings = await _introduce(options, dsn, connection)
            if options.workspace or not several:
                slug = choose(options.workspace, [reading.slug for reading in readings])
                readings = [reading for reading in readings if reading.slug == slug]
            return await work(readings)

    with database(program_settings(options)) as dsn:
        return asyncio.run(run(dsn))


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a stack's file says of its workspace, unchecked."""

    slug: str
    name: str
    region: str
    timezone: str


def _mark(file: Path) -> _Mark:
    try:
        table: Any = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("workspace", {})
    except (OSError, ValueError):
        table = {}
    texts = (
        {key: table.get(key, "") for key in ("slug", "name", "region", "timezone")} if isinstance(table, dict) else {}
    )
    if not texts.get("name") or not all(isinstance(value, str) for value in texts.values()):
        # What is wrong is said by the one who knows how to say it.
        from mainstay.settings.environment import Environment
        from mainstay.settings.stack import load_stack

        stack = load_stack(file, Environment.load(file.resolve().parent))
        return _Mark(stack.slug, stack.name, stack.region, str(stack.timezone))
    return _Mark(texts["slug"], texts["name"], texts["region"], texts["timezone"] or "UTC")


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    from mainstay.db import acquire, open_pool

    with reaching(dsn):
        pool = await open_pool(dsn, size=1)
    try:
        async with acquire(pool) as connection:
            yield connection
    finally:
        await pool.close()


async def _readings(connection: Connection, marks: Sequence[_Mark]) -> list[Reading] | None:
    """Return the workspaces of the stacks; None where the database does not know them all, or is not up to date."""
    from mainstay.db.migrate import is_current

    if not await is_current(connection):
        return None
    found = []
    for mark in marks:
        rows = await connection.fetch(
            "SELECT id, slug, name FROM workspaces WHERE CASE WHEN $1 = '' THEN name = $2 ELSE slug = $1 END",
            mark.slug,
            mark.name,
        )
        if len(rows) != 1:
            return None
        found.append(Reading(connection, rows[0]["id"], rows[0]["slug"], mark.name, mark.region, mark.timezone))
    return found


async def _introduce(options: Options, dsn: str, connection: Connection) -> list[Reading]:
    """Make the stacks known to the database, as a first start does."""
    from mainstay.cli.session import load_project, open_app

    async with open_app(load_project(options.stacks), dsn, pool_size=1) as app:
        return [
            Reading(connection, each.id, each.slug, each.stack.name, each.stack.region, str(each.stack.timezone))
            for each in app.workspaces.values()
        ]


@contextmanager
def reaching(dsn: str) -> Iterator[None]:
    """Turn whatever shows that the server cannot be used into one error, without the password."""
    import asyncpg

    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        parts = urlsplit(dsn)
        where = f"{parts.hostname or 'its socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
        message = f"PostgreSQL at {where} does not let us in: {str(error) or type(error).__name__}"
        raise DatabaseUnavailableError(message) from error
