"""The folder clients name to reach the server's socket: the data folder, or a short way to it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from .errors import EmbeddedServerError
from .settings import DATABASE, PORT, SOCKET, USER

LONGEST = 103
"""Bytes a socket's path may have: 103 on macOS, 107 on Linux."""


class SocketPath:
    """``folder`` is what clients name.

    It is ``data`` itself unless its path is too long for a socket, or holds a comma, which separates hosts in a DSN;
    then it is a symbolic link in a private folder of the temporary directory.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._guard = -1
        self.folder = data
        if not _fits(data):
            name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
            self.folder = _short_root() / name

    @property
    def dsn(self) -> str:
        """What asyncpg and psycopg connect to; the port is named lest they take it from ``PGPORT``."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.folder))}&port={PORT}"

    def open(self) -> None:
        """See to it that the way is there. The caller holds the start lock."""
        if self.folder == self._data:
            return
        private = self.folder.parent
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{private} belongs to somebody else or is open to others, and {self._data} is too long for a socket. "
                "Remove it, point TMPDIR at a short folder of your own, or move the project to a shorter path."
            )
        if self._guard < 0:
            # A cleaner of temporary files leaves a folder alone while it is locked.
            self._guard = os.open(private, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._guard, fcntl.LOCK_SH)
        if not self.folder.is_symlink() or self.folder.readlink() != self._data:
            self.folder.unlink(missing_ok=True)
            self.folder.symlink_to(self._data)

    def close(self, *, remove: bool) -> None:
        """Leave the way; ``remove`` it too when nobody else uses it."""
        if self._guard >= 0:
            os.close(self._guard)
            self._guard = -1
        if remove and self.folder != self._data:
            self.folder.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Tell whether a server listens; children of a dead one do not."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.folder / SOCKET))
            except BlockingIOError:
                return True  # so busy that its queue is full
            except OSError:
                return False
        return True


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= LONGEST and "," not in str(folder)


def _short_root() -> Path:
    for base in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108  # made private and checked before use
        root = base / f"mainstay-{os.geteuid()}"
        if _fits(root / ("0" * 12)):
            return root
    raise EmbeddedServerError("No folder for a socket: its path would be too long. Point TMPDIR at a short folder.")
