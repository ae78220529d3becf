"""The server's process: started, adopted, waited for, stopped. The caller holds the start lock throughout.

What says that a server lives is ``server.lock``: each of its processes inherits the lock, so it is free exactly when
the last of them is gone, however they went. Numbers of processes are believed only to send a signal, and then only
to a ``postgres`` whose working directory is the data folder.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import account as accounts
from . import data as data_folder
from .binaries import program_folder_for
from .errors import EmbeddedServerError
from .locks import Lock, OnWait, wait_until
from .settings import arguments
from .socket_path import SocketPath

if TYPE_CHECKING:
    import psutil

ORPHANS_MAY = 5.0
"""Seconds that children of a dead server have to end by themselves, and an old server to end its shutdown."""
RETRY_FOR = 10.0
"""Seconds to try again while the kernel still counts a dead server's shared memory as used."""
FAST, IMMEDIATE, KILL = 60.0, 10.0, 10.0
"""Seconds for each way of stopping: with a checkpoint; without (the next start recovers); by SIGKILL."""

_left_running: list[subprocess.Popen[bytes]] = []
"""Servers started here that others still use: children until they or we end, so never forgotten."""


class Cluster:
    """The data folder in ``home`` and the server on it."""

    def __init__(self, home: Path, on_wait: OnWait | None) -> None:
        self.data = home / "data"
        self._start_log = home / "start.log"
        self._lock_path = home / "server.lock"
        self._on_wait = on_wait
        self._child: subprocess.Popen[bytes] | None = None
        self.socket = SocketPath(self.data)

    def start(self) -> None:
        """Return when a server accepts connections: the one that runs, or a new one."""
        self.socket.open()
        account = accounts.choose(self.data)
        give_up = time.monotonic() + RETRY_FOR
        while True:
            lock = Lock(self._lock_path)
            try:
                if not lock.try_exclusive():
                    if self._adopt():
                        return
                    continue
                if self._child is not None:
                    self._child.wait()  # it died, or the lock would be its own; a zombie of it would stay
                child = self._launch(account, lock)
            finally:
                lock.close()
            self._child = child
            if self._became_ready(child):
                return
            if b"shared memory block" not in self._start_log.read_bytes() or time.monotonic() > give_up:
                raise EmbeddedServerError(
                    f"PostgreSQL ended with code {child.returncode} while it started. It said, in {self._start_log} "
                    f"and {self.data / 'log'}:\n" + data_folder.last_words(self.data, self._start_log)
                )

    def stop(self) -> None:
        """Stop the server, gently at first; nothing happens where none runs."""
        try:
            lock = Lock(self._lock_path)
        except FileNotFoundError:  # the folder was deleted under the server
            self._stop_child()
            return

        def gone() -> bool:
            return lock.try_exclusive() and (self._child is None or self._child.poll() is not None)

        try:
            for number, seconds in ((signal.SIGINT, FAST), (signal.SIGQUIT, IMMEDIATE), (signal.SIGKILL, KILL)):
                if gone():
                    break
                if number == signal.SIGKILL:
                    self._kill()
                else:
                    self._interrupt(number)
                text = f"Waiting for PostgreSQL in {self.data} to stop"
                if wait_until(gone, seconds=seconds, on_wait=self._on_wait, text=text):
                    break
            else:
                raise EmbeddedServerError(
                    f"PostgreSQL in {self.data} does not stop, not even by SIGKILL: its disk may hang. "
                    "Look for it with: ps -C postgres -o pid,stat,wchan,args"
                )
        finally:
            lock.close()
        self._child = None

    def leave(self) -> None:
        """Let go of the server and leave it to the others who use it."""
        if self._child is not None:
            _left_running.append(self._child)
            self._child = None

    def _launch(self, account: accounts.Account | None, lock: Lock) -> subprocess.Popen[bytes]:
        programs = program_folder_for(account)
        if not self.data.exists() or not any(self.data.iterdir()):
            data_folder.make(self.data, programs, account, lock.fd)
        data_folder.check(self.data)
        accounts.hand_over(self.data, account)
        if (self.data / "postmaster.pid").exists():
            if (other := self._postmaster()) is not None:
                raise EmbeddedServerError(
                    f"A PostgreSQL server that Mainstay did not start runs on {self.data}. "
                    f"Stop it: kill -INT {other.pid}"
                )
            data_folder.clear_leftovers(self.data)
        data_folder.prune_logs(self.data)
        with self._start_log.open("wb") as log:
            return subprocess.Popen(
                [
                    str(programs / "postgres"),
                    "-D",
                    accounts.data_argument(self.data, account),
                    *arguments(self.data),
                ],
                cwd=self.data,
                env=data_folder.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock.fd,),
                start_new_session=True,  # out of reach of the terminal's Ctrl-C and hang-up
                **accounts.identity(account),
            )

    def _became_ready(self, child: subprocess.Popen[bytes]) -> bool:
        """Wait until ``child`` answers, for as long as its recovery takes; False when it has ended."""
        wait_until(
            lambda: child.poll() is not None or (self._state() == (child.pid, "ready") and self.socket.answers()),
            on_wait=self._on_wait,
            text=f"Waiting for PostgreSQL in {self.data} to recover from an unclean end",
        )
        return child.poll() is None

    def _adopt(self) -> bool:
        """Wait until the server that runs answers; False when it has ended.

        It may be starting, recovering or stopping, or be no more than children of a dead one.
        """
        patience = time.monotonic() + ORPHANS_MAY

        def settled() -> bool:
            nonlocal patience
            if self._answers() or self._gone():
                return True
            if time.monotonic() > patience:
                patience += ORPHANS_MAY
                self._push()
            return False

        wait_until(settled, on_wait=self._on_wait, text=f"Waiting for the PostgreSQL that ran in {self.data}")
        return self._answers()

    def _push(self) -> None:
        """Hurry a server that does not answer: clients that stay hold up its end, a long statement its orphans'."""
        _, state = self._state()
        if self._postmaster() is None:
            self._kill()
        elif state != "starting":
            self._interrupt(signal.SIGINT)

    def _answers(self) -> bool:
        _, state = self._state()
        return state == "ready" and self.socket.answers()

    def _gone(self) -> bool:
        lock = Lock(self._lock_path)
        try:
            return lock.try_exclusive()
        finally:
            lock.close()

    def _state(self) -> tuple[int, str]:
        """Return number and state as the server wrote them: starting, ready, stopping; (0, "") for none."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
            return int(lines[0]), lines[7].strip()
        except (FileNotFoundError, IndexError, ValueError):
            return 0, ""

    def _interrupt(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)
        elif (postmaster := self._postmaster()) is not None:
            _send(postmaster, number)

    def _kill(self) -> None:
        for process in self._processes():
            _send(process, signal.SIGKILL)

    def _postmaster(self) -> psutil.Process | None:
        pid, _ = self._state()
        return next((process for process in self._processes() if process.pid == pid), None)

    def _processes(self) -> Iterator[psutil.Process]:
        """Yield the server's processes, known by name and working directory."""
        import psutil  # noqa: PLC0415  # a tenth of a second, and seldom needed

        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres":
                with contextlib.suppress(psutil.Error, OSError):
                    if self.data.samefile(process.cwd()):
                        yield process

    def _stop_child(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGQUIT)
            self._child.wait()
            self._child = None


def _send(process: psutil.Process, number: signal.Signals) -> None:
    import psutil  # noqa: PLC0415  # as above

    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
