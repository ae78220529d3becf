"""Foresees the end of access to accounts: uses what would lapse unused, and tells people of what they must renew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.access import store
from mainstay.db import acquire, repeat
from mainstay.watch import Trouble, resolve_foreseen

if TYPE_CHECKING:
    from mainstay.access import Tokens
    from mainstay.db import Pool
    from mainstay.kit.oauth import OAuth
    from mainstay.watch import Alerter

log = logging.getLogger(__name__)

_LOOK_SECONDS = 60.0


class Connected(Protocol):
    """A workspace, as far as its access goes."""

    @property
    def oauth(self) -> Mapping[str, OAuth]:
        """Its connections by OAuth 2."""
        ...


class Foreseer:
    """Looks ahead for the workspaces of a process, once a minute. ``clock`` is a test's."""

    def __init__(
        self,
        pool: Pool,
        tokens: Tokens,
        alerter: Alerter,
        workspaces: Mapping[UUID, Connected],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._pool = pool
        self._tokens = tokens
        self._alerter = alerter
        self._workspaces = workspaces
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        await repeat(self.look, _LOOK_SECONDS, "foreseeing")

    async def look(self) -> None:
        """Use what would lapse, then raise an incident for each access that ends soon all the same."""
        at = self._clock() if self._clock else None
        for workspace_id, workspace in self._workspaces.items():
            if not workspace.oauth:
                continue
            await self._tokens.keep_alive(workspace_id, workspace.oauth)
            async with acquire(self._pool) as connection, connection.transaction():
                for name, ends_at in (await store.to_warn_of(connection, workspace_id, at)).items():
                    trouble = trouble_of_end(name, ends_at)
                    await self._alerter.raise_trouble(connection, workspace_id, trouble)
                for name in await store.to_clear(connection, workspace_id, at):
                    await resolve_foreseen(connection, workspace_id, name)


def trouble_of_end(name: str, ends_at: datetime) -> Trouble:
    """Describe access that ends soon."""
    return Trouble(
        fingerprint=f"access|{name}",
        title=f"The access to {name} ends on {ends_at:%d %B %Y}",
        cause="Its vendor lets nobody in for longer without a person who agrees again. Until then all goes on.",
        mend=f"Before that day run  mainstay connect {name}",
        connection=name,
    )
