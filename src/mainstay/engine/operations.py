"""An operation of a role's object: called, or looked for where it may have happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mainstay.errors import PermanentError


async def call_operation(vendor: Any, operation: str, *arguments: Any) -> Any:
    """Call an operation; returns its outcome as the ledger keeps it."""
    outcome = await getattr(vendor, operation)(*arguments)
    return None if outcome is None else asdict(outcome)


async def find_operation(vendor: Any, operation: str, *arguments: Any) -> Any:
    """Look whether an operation has happened (``find_<operation>``); returns its outcome, or None where it has not.

    Raises:
        VendorError: by the look-up; PermanentError where this connection has none.
    """
    look = getattr(vendor, f"find_{operation}", None)
    if look is None:
        message = f"with this connection it cannot be looked up whether {operation} happened"
        raise PermanentError(message)
    found = await look(*arguments)
    return None if found is None else asdict(found)
