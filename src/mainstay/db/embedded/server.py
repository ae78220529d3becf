"""A project's own PostgreSQL, shared by the processes that work in its folder."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from .cluster import Cluster
from .errors import EmbeddedServerError
from .locks import Lock, OnWait, wait_until


class EmbeddedServer:
    """One process's use of the PostgreSQL in ``<home>/postgres``.

    Any number of processes use one server: the first to come starts it, the last to leave stops it, and one that
    died without leaving does not count. A server that everybody left by dying is taken over by the next to come.

    Blocking, and quick enough for a start-up: call it before the event loop runs. ``on_wait`` is told in a sentence
    what a wait of more than two seconds is for.
    """

    def __init__(self, home: Path, *, on_wait: OnWait | None = None) -> None:
        self.home = home.resolve() / "postgres"
        self._on_wait = on_wait
        self._cluster: Cluster | None = None
        self._users: Lock | None = None

    def start(self) -> str:
        """Return the DSN of the database ``mainstay``, for asyncpg and psycopg, once the server accepts connections.

        A second call is cheap, and brings back a server that has died since. Recovery after an unclean end is
        waited for, however long it takes.

        Raises:
            EmbeddedServerError: what is wrong, where, and how to mend it.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                return self._start()
        except OSError as error:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL in {self.home} cannot be started: {error}. Mend that (it must be a folder "
                "that you may write to), or set DATABASE_URL."
            ) from error

    def stop(self) -> None:
        """Leave the server, and stop it when nobody else uses it; no more than that when called again."""
        atexit.unregister(self.stop)
        if self._users is None or self._users.closed:  # closed: this process was forked from the one that joined
            return
        if not self.home.exists():
            self._leave()
            return
        with self._alone():
            self._leave()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> str:
        if self._users is None or self._users.closed:
            self._users = Lock(self.home / "users.lock")
            self._users.try_shared()  # held exclusively only by one who holds the start lock, which is us
            self._cluster = None
        if self._cluster is None:
            self._cluster = Cluster(self.home, self._on_wait)
        try:
            self._cluster.start()
        except BaseException:
            self._leave()
            raise
        atexit.unregister(self.stop)
        atexit.register(self.stop)
        return self._cluster.socket.dsn

    def _leave(self) -> None:
        if self._users is None or self._cluster is None:
            return
        try:
            last = self._users.try_exclusive()
            if last:
                self._cluster.stop()
            else:
                self._cluster.leave()
            self._cluster.socket.close(remove=last)
        finally:
            self._users.close()
            self._users = self._cluster = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the start lock: nobody else comes or leaves meanwhile."""
        lock = Lock(self.home / "start.lock")
        try:
            wait_until(
                lock.try_exclusive,
                on_wait=self._on_wait,
                text=f"Waiting for another process that starts or stops PostgreSQL in {self.home}",
            )
            yield
        finally:
            lock.release()
