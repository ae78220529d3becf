"""Schema versions. Forward only; run by ``mainstay db migrate`` and at the start of ``up``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.db.pool import Connection

HEAD = "0001"
_LOCK = 0x6D61696E73746179  # "mainstay": two processes that start together migrate one after the other


async def is_current(connection: Connection) -> bool:
    """Tell whether the schema is at this program's version."""
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return False
    return bool(await connection.fetchval("SELECT version_num FROM public.alembic_version") == HEAD)


def migrate(dsn: str) -> None:
    """Bring the schema to this program's version. Safe to call from several processes at once."""
    # Imported here: a start that finds a current schema is spared a third of a second.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, pool, text  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


def sqlalchemy_url(dsn: str) -> str:
    """Return the same address in the form that SQLAlchemy's psycopg driver takes."""
    scheme, _, rest = dsn.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else dsn
