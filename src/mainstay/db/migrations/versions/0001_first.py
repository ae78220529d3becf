"""The first schema: intake, identity, records, runs, watching, sign-in."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.execute(files("mainstay.db").joinpath("migrations/versions/0001_first.sql").read_text())


def downgrade() -> None:
    """Refuse: the way back is a backup."""
    message = "the first migration cannot be undone; restore a backup instead"
    raise RuntimeError(message)
