"""Tokens of now for every call: kept in the database, renewed by one process while the others wait for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.access import endpoint, store
from mainstay.access.keys import Keys, WrongKeyError
from mainstay.access.rules import HAIR, Grant, GrantEndedError, due_after, merged
from mainstay.access.store import KeptRow, Sealed
from mainstay.db import acquire
from mainstay.errors import NeedsHumanError, TransientError, VendorError
from mainstay.kit.oauth import Access
from mainstay.model import new_id
from mainstay.model.access import CONNECTED, NEEDS_PERSON

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.kit.http import Session
    from mainstay.kit.oauth import OAuth

log = logging.getLogger(__name__)

CLAIM = 2 * endpoint.TIMEOUT + timedelta(seconds=5)
"""How long a renewal may take: two calls at most, of the newest refresh token and of the one before."""
PATIENCE_SECONDS = CLAIM.total_seconds() + 5
_LOOK_SECONDS = 0.1
_CACHED_SECONDS = 30.0
_STORM_SECONDS = 1.0
KEPT_ALIVE, UNUSED_FOR = timedelta(days=30), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Cached:
    access: Access = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class _Held:
    """An opened row: what there is to go in with, and how it is renewed."""

    row: KeptRow
    access: Access
    refresh_token: str = field(repr=False)
    previous: str = field(repr=False)


class Tokens:
    """The tokens of all connections of a process.

    ``clock`` is a test's; the database's own is used without. ``session`` gives the pool of connections to vendors.
    """

    def __init__(
        self, pool: Pool, keys: Keys, session: Callable[[], Session], *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.pool = pool
        self.keys = keys
        self.session = session
        self._clock = clock
        self._cache: dict[tuple[UUID, str], _Cached] = {}
        self._renewed: dict[tuple[UUID, str], tuple[int, float]] = {}
        self._locks: defaultdict[tuple[UUID, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unstored: dict[tuple[UUID, str], tuple[int, Grant]] = {}
        self._under_way: set[asyncio.Task[Access | None]] = set()

    async def access(self, workspace_id: UUID, name: str, oauth: OAuth, refused: str = "") -> Access:
        """Return what a call of a connection goes in with. ``refused`` is the token that its vendor did not take.

        Raises:
            NeedsHumanError: the connection is not connected, or no longer: a person must connect it.
            TransientError: the vendor's token endpoint does not answer.
        """
        key = (workspace_id, name)
        found = self._cached(key, refused)
        if found is not None:
            return found
        async with self._locks[key]:
            # Whoever was before us may have renewed it for all.
            found = self._cached(key, refused)
            if found is None:
                found = await self._obtain(workspace_id, name, oauth, refused)
            return found

    async def keep(
        self, workspace_id: UUID, name: str, oauth: OAuth, grant: Grant, callback: Mapping[str, str]
    ) -> Access:
        """Store what a person agreed to. ``callback``: what the vendor's page sent them back with."""
        facts = dict(oauth.facts(grant.answer, callback))
        sealed = self._sealed(workspace_id, name, grant, facts)
        async with acquire(self.pool) as connection:
            await store.connect(connection, workspace_id, name, sealed, callback, self._at())
        self._cache.pop((workspace_id, name), None)
        return Access(grant.access_token, facts, oauth.base_url(facts))

    async def forget(self, workspace_id: UUID, name: str) -> bool:
        """Drop a connection's tokens; False where there are none. Other processes know within half a minute."""
        self._cache.pop((workspace_id, name), None)
        async with acquire(self.pool) as connection:
            return await store.forget(connection, workspace_id, name)

    async def connected_at(self, workspace_id: UUID, name: str) -> datetime | None:
        """Return when somebody last connected an account; None where nobody did."""
        async with acquire(self.pool) as connection:
            return await store.connected_at(connection, workspace_id, name)

    async def keep_alive(self, workspace_id: UUID, declared: Mapping[str, OAuth]) -> None:
        """Use the refresh tokens that would soon end for want of use."""
        async with acquire(self.pool) as connection:
            waning = await store.waning(connection, workspace_id, KEPT_ALIVE, UNUSED_FOR, self._at())
        for name, version in waning.items():
            oauth = declared.get(name)
            if oauth is None:
                continue
            try:
                held = await self._look(workspace_id, name, oauth)
                if held is not None and held.row.version == version:
                    await self._renew(workspace_id, name, oauth, held)
            except VendorError as error:
                log.warning("the access of %s could not be prolonged: %s", name, error)

    # How one is had ---------------------------------------------------------------------------------------------------

    def _cached(self, key: tuple[UUID, str], refused: str) -> Access | None:
        cached = self._cache.get(key)
        if cached is None or self._now() >= cached.until:
            return None
        if refused and cached.access.token == refused:
            # Had a moment ago, and refused: it is not the token's age, so another one would not help either.
            token, moment = self._renewed.get(key, (0, 0.0))
            return cached.access if token == hash(refused) and time.monotonic() - moment < _STORM_SECONDS else None
        return cached.access

    async def _obtain(self, workspace_id: UUID, name: str, oauth: OAuth, refused: str) -> Access:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            asked_at = self._now()
            held = await self._look(workspace_id, name, oauth)
            if held is None:
                await self._begin(workspace_id, name, oauth)
                continue
            left, is_refused = held.row.left, held.access.token == refused
            is_good = bool(held.access.token) and not is_refused and left > HAIR
            due_in = left - (held.row.lifetime - due_after(held.row.lifetime))
            if is_good and due_in > timedelta():
                return self._take((workspace_id, name), held.access, asked_at, due_in)
            try:
                renewed = await self._renew(workspace_id, name, oauth, held)
            except TransientError:
                if is_good:
                    # It was only due: it is tried again in half a minute.
                    return self._take((workspace_id, name), held.access, asked_at, left - HAIR)
                raise
            if renewed is not None:
                return renewed
            if is_good:
                return held.access
            if time.monotonic() >= give_up:
                raise TransientError(f"another worker renews the token of {name} and has not got it yet")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _begin(self, workspace_id: UUID, name: str, oauth: OAuth) -> None:
        if oauth.needs_person:
            raise NeedsHumanError(f"{name} is not connected yet: run  mainstay connect {name}")
        async with acquire(self.pool) as connection:
            await store.begin(connection, workspace_id, name, self._at())

    async def _look(self, workspace_id: UUID, name: str, oauth: OAuth) -> _Held | None:
        """Read what is kept.

        Raises:
            NeedsHumanError: a person must connect it, or bring the key.
        """
        async with acquire(self.pool) as connection:
            row = await store.find(connection, workspace_id, name, self._at())
        if row is None:
            return None
        if row.state == NEEDS_PERSON:
            raise NeedsHumanError(_must_connect(name, row.error))
        purpose = _purpose(workspace_id, name)
        try:
            token, refresh, previous = (
                self.keys.open(each, purpose)
                for each in (row.access_token, row.refresh_token, row.previous_refresh_token)
            )
        except WrongKeyError:
            message = (
                f"the tokens of {name} were sealed with another key than MAINSTAY_SECRET_KEY (or secret.key in the "
                f"data folder) is now: put the former key behind it, after a comma, or run  mainstay connect {name}"
            )
            raise NeedsHumanError(message) from None
        return _Held(row, Access(token, row.facts, oauth.base_url(row.facts)), refresh, previous)

    async def _renew(self, workspace_id: UUID, name: str, oauth: OAuth, held: _Held) -> Access | None:
        """Renew a token and store it, before anybody uses it; None where another process does so.

        Raises:
            NeedsHumanError: the vendor takes neither refresh token, or not the app.
            TransientError: its token endpoint does not answer.
        """
        # Whoever asked may be broken off; what the vendor answers must be stored all the same.
        task = asyncio.create_task(self._renew_wholly(workspace_id, name, oauth, held))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _renew_wholly(self, workspace_id: UUID, name: str, oauth: OAuth, held: _Held) -> Access | None:
        key, row, by = (workspace_id, name), held.row, new_id()
        async with acquire(self.pool) as connection:
            if not await store.claim(connection, workspace_id, name, row.version, by, CLAIM):
                return None
        asked_at = self._now()
        try:
            version, grant = self._unstored.get(key, (0, None))
            if grant is None or version != row.version:
                grant = await self._ask(oauth, held)
                # Until it is stored: the database may go away in this very moment.
                self._unstored[key] = (row.version, grant)
            facts = _facts(oauth, grant, row)
            sealed = self._sealed(workspace_id, name, grant, facts, held.refresh_token)
        except BaseException as error:
            await self._give_back(workspace_id, name, by, error)
            if isinstance(error, GrantEndedError):
                raise NeedsHumanError(_must_connect(name, str(error)), status=error.status) from None
            if isinstance(error, NeedsHumanError):
                raise NeedsHumanError(
                    f"{name} gives no access: {error}; check the connection's app in stack.toml and .env"
                ) from None
            raise
        async with acquire(self.pool) as connection:
            is_stored = await store.renewed(connection, workspace_id, name, row.version, sealed, self._at())
        self._unstored.pop(key, None)
        if not is_stored:
            return None
        log.info("the token of %s was renewed", name)
        self._renewed[key] = (hash(grant.access_token), time.monotonic())
        access = Access(grant.access_token, facts, oauth.base_url(facts))
        return self._take(key, access, asked_at, due_after(grant.lifetime))

    async def _ask(self, oauth: OAuth, held: _Held) -> Grant:
        session = self.session()
        if not oauth.needs_person:
            return await endpoint.by_client(session, oauth)
        if not held.refresh_token:
            raise GrantEndedError("its token has ended, and the vendor gave none to renew it with")
        try:
            return await endpoint.by_refresh_token(session, oauth, held.refresh_token)
        except GrantEndedError:
            # Some vendors let the one before stand for a while: the newest may never have come into use.
            if not held.previous:
                raise
            return await endpoint.by_refresh_token(session, oauth, held.previous)

    async def _give_back(self, workspace_id: UUID, name: str, by: UUID, error: BaseException) -> None:
        state = NEEDS_PERSON if isinstance(error, GrantEndedError) else CONNECTED
        told = str(error) if isinstance(error, NeedsHumanError) else ""
        async with acquire(self.pool) as connection:
            await store.not_renewed(connection, workspace_id, name, by, state, told)

    def _sealed(
        self, workspace_id: UUID, name: str, grant: Grant, facts: Mapping[str, str], before: str = ""
    ) -> Sealed:
        purpose = _purpose(workspace_id, name)
        # Sealed anew also where it stays, so that a key that was replaced goes out of use.
        newest = grant.refresh_token or before
        return Sealed(
            self.keys.seal(grant.access_token, purpose),
            self.keys.seal(newest, purpose),
            self.keys.seal(before if newest != before else "", purpose),
            grant.lifetime,
            grant.refresh_lifetime,
            grant.is_rolling,
            grant.scopes,
            facts,
        )

    def _take(self, key: tuple[UUID, str], access: Access, asked_at: float, due_in: timedelta) -> Access:
        # Looked at again before it is due: somebody may have connected another account.
        until = asked_at + min(due_in.total_seconds(), _CACHED_SECONDS)
        self._cache[key] = _Cached(access, until)
        return access

    def _now(self) -> float:
        return self._clock().timestamp() if self._clock else time.monotonic()

    def _at(self) -> datetime | None:
        return self._clock() if self._clock else None


def _facts(oauth: OAuth, grant: Grant, row: KeptRow) -> dict[str, str]:
    """Return the facts after a renewal. An answer that a connector cannot read must not cost the token it brings."""
    try:
        told = oauth.facts(grant.answer, row.callback)
    except (LookupError, TypeError, ValueError):
        told = {}
    return merged(row.facts, told)


def _must_connect(name: str, error: str) -> str:
    return f"{name} must be connected anew, by a person: run  mainstay connect {name}  ({error})"


def _purpose(workspace_id: UUID, name: str) -> str:
    return f"{workspace_id}/{name}"
