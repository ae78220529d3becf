"""A process that wants a token: ``python -m tests.access.renewing DSN BASE WORKSPACE KEY REFUSED [die]``.

It prints the token that it gets. With ``die`` it is killed between the vendor's answer and our commit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from uuid import UUID

from mainstay.access import Keys, Tokens, store
from mainstay.access import tokens as tokens_module
from mainstay.db import open_pool
from mainstay.kit.http import open_session
from mainstay.kit.oauth import OAuth


async def _die(*_args: object) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


async def _want(dsn: str, base: str, workspace: str, key: str, refused: str) -> str:
    vendor = OAuth(f"{base}/oauth/chooselocation", f"{base}/oauth/token", "our app", "s3cret/+")
    pool = await open_pool(dsn, size=2)
    async with open_session() as session:
        access = await Tokens(pool, Keys([key]), lambda: session).access(UUID(workspace), "ghl", vendor, refused)
    await pool.close()
    return access.token


if __name__ == "__main__":
    if sys.argv[6:] == ["die"]:
        store.renewed = _die  # type: ignore[assignment]
        tokens_module.CLAIM = timedelta(seconds=1)
    print(asyncio.run(_want(*sys.argv[1:6])))  # noqa: T201 - a script prints
