"""A whole project: settings, stacks, workflows, and the app on a migrated database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.access import Keys
from mainstay.app import App, Bundle
from mainstay.cli.command import stack_files
from mainstay.cli.reading import reaching
from mainstay.db.migrate import is_current, migrate
from mainstay.errors import Problem
from mainstay.settings.environment import Environment
from mainstay.settings.policy import require_policy
from mainstay.settings.program import ProgramSettings
from mainstay.settings.stack import load_stack
from mainstay.settings.workflows import load_workflows

if TYPE_CHECKING:
    from mainstay.db import Connection

log = logging.getLogger(__name__)

START_PATIENCE_SECONDS = 30.0
"""A machine that starts brings PostgreSQL and us up together: so long do we wait for it."""
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a stack, read but not yet running."""

    program: ProgramSettings
    bundles: tuple[Bundle, ...]
    warnings: tuple[Problem, ...] = ()


def load_project(stacks: tuple[Path, ...]) -> Project:
    """Read the settings, every stack and its workflows.

    Raises:
        ConfigError: with every problem found.
    """
    files = [path.resolve() for path in stack_files(stacks)]
    program = ProgramSettings.read(Environment.load(files[0].parent))
    bundles = [
        Bundle(load_stack(path, Environment.load(path.parent)), tuple(load_workflows(path.parent))) for path in files
    ]
    warnings = [each for bundle in bundles for each in require_policy(bundle.stack, bundle.workflows)]
    return Project(program, tuple(bundles), tuple(warnings))


async def ensure_schema(dsn: str, *, patience: float = 0.0) -> bool:
    """Migrate where the schema is behind this program; returns whether it was.

    A server that does not let anybody in yet is tried again for ``patience`` seconds.

    Raises:
        DatabaseUnavailableError: it still does not.
    """
    with reaching(dsn):
        connection = await _connect(dsn, patience)
    try:
        current = await is_current(connection)
    finally:
        await connection.close()
    if not current:
        await asyncio.to_thread(migrate_all, dsn)
    return not current


async def _connect(dsn: str, patience: float) -> Connection:
    import asyncpg

    until = time.monotonic() + patience
    is_told = False
    while True:
        try:
            return await asyncpg.connect(dsn)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            if time.monotonic() + _PAUSE_SECONDS > until:
                raise
            if not is_told:
                log.warning("PostgreSQL does not let us in yet (%s); trying for %d s", error, patience)
                is_told = True
            await asyncio.sleep(_PAUSE_SECONDS)


def migrate_all(dsn: str) -> None:
    """Bring both schemas, ours and the engine's, to this program's version."""
    # Imported here: a start on a current schema is spared the engine's import.
    from mainstay.engine.dbos_engine import migrate_engine

    # The engine first: our own version row then says that both are done.
    migrate_engine(dsn)
    migrate(dsn)


@asynccontextmanager
async def open_app(
    project: Project, dsn: str, *, public_url: str = "", pool_size: int = 4, patience: float = 0.0
) -> AsyncIterator[App]:
    """Give an app on a migrated database; see :func:`ensure_schema`."""
    await ensure_schema(dsn, patience=patience)
    program = project.program
    keys = Keys(program.secret_keys, program.home)
    url = public_url or program.public_url
    app = await App.open(dsn, project.bundles, public_url=url, pool_size=pool_size, keys=keys)
    try:
        yield app
    finally:
        await app.close()
