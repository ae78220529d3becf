"""The data folder: made once and whole, or not at all; its logs and what a dead server left in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .account import Account, data_argument, hand_over, identity
from .binaries import MAJOR
from .errors import EmbeddedServerError
from .settings import DATABASE, SOCKET, USER

_NEW = "data-new-"
_LOG_AGE = 6 * 24 * 3600
_LOG_SIZE = 16 * 1024 * 1024


def environment() -> dict[str, str]:
    """Return all that the server is given of our environment: no secrets, no ``PGPORT``, messages in English."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def make(data: Path, programs: Path, account: Account | None, lock: int) -> None:
    """Make the data folder with the database ``mainstay`` in it.

    It is built beside its place and moved there when it is complete and on disk: a process killed half-way leaves
    nothing that the next one could take for a database. The programs inherit ``lock``, a descriptor, so that the next
    one waits for those that outlive us.
    """
    for leftover in data.parent.glob(f"{_NEW}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=data.parent))
    try:
        hand_over(new, account)
        where = data_argument(new, account)
        _run(
            [
                str(programs / "initdb"),
                f"--pgdata={where}",
                f"--username={USER}",
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                # The built-in locale is the same on every system and every version of its C library; an index
                # built here is right elsewhere.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                "--no-sync",  # once, below, when all is written
            ],
            new,
            account,
            lock,
        )
        _run(
            [str(programs / "postgres"), "--single", "-F", "-c", "exit_on_error=on", "-D", where, USER],
            new,
            account,
            lock,
            typed=f"CREATE DATABASE {DATABASE}\n",
        )
        _run([str(programs / "initdb"), f"--pgdata={where}", "--sync-only"], new, account, lock)
        new.rename(data)
        _sync_folder(data.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def check(data: Path) -> None:
    """Refuse data that these programs cannot read."""
    version = data / "PG_VERSION"
    if not version.exists():
        raise EmbeddedServerError(
            f"{data} holds no PostgreSQL data (PG_VERSION is missing). Restore it from a backup, or move it away to "
            "start with an empty database."
        )
    found = version.read_text(encoding="ascii").strip()
    if found != MAJOR:
        raise EmbeddedServerError(
            f"{data} was written by PostgreSQL {found}; this version of Mainstay brings PostgreSQL {MAJOR}. Dump it "
            f"with the Mainstay that wrote it, or upgrade it with pg_upgrade."
        )


def clear_leftovers(data: Path) -> None:
    """Remove the lock files of a server that is known to be gone.

    A process that took over its number would make PostgreSQL believe it still runs.
    """
    for name in ("postmaster.pid", f"{SOCKET}.lock", SOCKET):
        (data / name).unlink(missing_ok=True)


def prune_logs(data: Path) -> None:
    """Remove log files of last week or of great size; a server that runs for short times never rotates them."""
    with contextlib.suppress(FileNotFoundError):
        folder = os.open(data / "log", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for name in os.listdir(folder):  # noqa: PTH208  # by descriptor: no link leads out of it
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if time.time() - found.st_mtime > _LOG_AGE or found.st_size > _LOG_SIZE:
                    os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)


def last_words(data: Path, start_log: Path) -> str:
    """Return the last lines that the server said, for an error message."""
    logs = sorted((data / "log").glob("postgresql-*.log"), key=lambda path: path.stat().st_mtime)
    lines: list[str] = []
    for path in (start_log, *logs[-1:]):
        if path.exists():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    return "\n".join(f"    {line}" for line in lines)


def _run(command: list[str], folder: Path, account: Account | None, lock: int, typed: str = "") -> None:
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        input=typed.encode(),
        cwd=folder,
        env=environment(),
        start_new_session=True,  # a Ctrl-C is ours to handle
        pass_fds=(lock,),
        **identity(account),
    )
    if done.returncode != 0:
        said = "\n".join(f"    {line}" for line in done.stdout.decode(errors="replace").splitlines()[-8:])
        raise EmbeddedServerError(
            f"The database could not be made in {folder.parent}: {Path(command[0]).name} ended with code "
            f"{done.returncode}. Mend what it names (often a full disk or a file system without Unix permissions), "
            f"or set DATABASE_URL.\n{said}"
        )


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
