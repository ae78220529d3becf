"""Locks that the operating system takes back when their holder dies, by whatever death."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet

from .errors import EmbeddedServerError

OnWait = Callable[[str], None]

FIRST_WORD = 2.0
"""Seconds of waiting before the user is told, and then again after each ``NEXT_WORD``."""
NEXT_WORD = 5.0


class Lock:
    """One ``flock`` on one file.

    Two Lock objects on a file exclude each other, in one process or in many. A process made by ``fork`` holds none of
    its parent's locks; a program it starts inherits one only if handed ``fd`` on purpose, and then keeps it alive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        _open.add(self)

    @property
    def closed(self) -> bool:
        return self.fd < 0

    def try_exclusive(self) -> bool:
        """Take it for this holder alone; a shared hold is given up, even where that fails."""
        return self._flock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def try_shared(self) -> bool:
        return self._flock(fcntl.LOCK_SH | fcntl.LOCK_NB)

    def release(self) -> None:
        """Unlock for every process that inherited it, and close."""
        if not self.closed:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        self.close()

    def close(self) -> None:
        """Close here; a program that inherited the lock keeps it."""
        if not self.closed:
            os.close(self.fd)
            self.fd = -1

    def _flock(self, operation: int) -> bool:
        try:
            fcntl.flock(self.fd, operation)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
                raise
            raise EmbeddedServerError(
                f"{self.path} cannot be locked ({error.strerror}): its file system has no file locks. "
                "Move the project to a local disk, or set DATABASE_URL."
            ) from error
        return True


_open: WeakSet[Lock] = WeakSet()


def _drop_inherited() -> None:
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_drop_inherited)


def wait_until(
    done: Callable[[], bool], *, seconds: float | None = None, on_wait: OnWait | None = None, text: str = ""
) -> bool:
    """Ask ``done`` until it says yes; False when ``seconds`` have passed (None: as long as it takes).

    ``on_wait`` is told ``text`` and the seconds so far, first after two of them and then every five.
    """
    began = time.monotonic()
    pause = 0.002
    word = FIRST_WORD
    while not done():
        waited = time.monotonic() - began
        if seconds is not None and waited >= seconds:
            return False
        if on_wait is not None and waited >= word:
            on_wait(f"{text} ({waited:.0f} s so far)")
            word = waited + NEXT_WORD
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return True
