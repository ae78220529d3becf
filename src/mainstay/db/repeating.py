"""A look that a process takes again and again, whatever the look before it came to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mainstay.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)


async def repeat(look: Callable[[], Awaitable[object]], seconds: float, what: str) -> None:
    """Look every so many seconds until cancelled. What goes wrong is logged as ``what``, and may be mended in time.

    That the database is away is said by those who need it more.
    """
    while True:
        try:
            await look()
        except DatabaseUnavailableError:
            log.debug("PostgreSQL is away: %s waits", what)
        except Exception:
            log.exception("a round of %s failed", what)
        await asyncio.sleep(seconds)
