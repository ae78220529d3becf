"""What PostgreSQL's refusals mean, by SQLSTATE."""

from __future__ import annotations

import asyncpg

from mainstay.kit import NeedsHumanError, PermanentError, TransientError, VendorError

# Connection, transaction rolled back, no resources, an operator's doing, locks, the system's own.
_TRANSIENT = ("08", "25", "40", "53", "55", "57", "58", "XX")
_MEND = {
    "28": "put a user and password of this database that may log in into the dsn",
    "3D000": "there is no such database: correct the dsn",
    "3F000": "there is no such schema: create it, or correct schema",
    "42501": "grant the user USAGE on the schema and SELECT, INSERT, UPDATE, DELETE on the table",
    "42P10": "make the key column unique: CREATE UNIQUE INDEX ON the table (the column)",
}


def explain(error: Exception, *, connected: bool) -> VendorError:
    """Turn what the library raised into the fate of the step; ``connected`` says that a statement may have run."""
    state = str(getattr(error, "sqlstate", None) or "")
    if isinstance(error, asyncpg.PostgresError) and state:
        text = f"PostgreSQL {state}: {str(error)[:300]}"
        mend = _MEND.get(state) or _MEND.get(state[:2])
        if mend:
            return NeedsHumanError(f"{text}; {mend}")
        # Two who create the same table at once: the slower finds it.
        if state[:2] in _TRANSIENT or state in {"42P07", "42701"} or "pg_type_typname" in text:
            # A server that goes away in the middle of a commit may have committed.
            return TransientError(text, unsure=connected and state[:2] in {"08", "57"})
        return PermanentError(text)
    if isinstance(error, TimeoutError):
        return TransientError("no answer in time" if connected else "could not connect in time", unsure=connected)
    if isinstance(error, OSError | asyncpg.InterfaceError):
        what = "the connection broke" if connected else "could not connect"
        return TransientError(f"{what}: {str(error) or type(error).__name__}", unsure=connected)
    return PermanentError(f"the table cannot be written: {str(error)[:300] or type(error).__name__}")
