"""A second PostgreSQL that follows the first, and takes its place when told to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

from mainstay.db.embedded import account as accounts
from mainstay.db.embedded.binaries import program_folder_for
from mainstay.db.embedded.settings import SOCKET, USER, arguments


class Standby:
    """A hot standby of the server whose data is in ``primary``; nothing is acknowledged there that is not here too."""

    def __init__(self, primary: Path, home: Path) -> None:
        self._primary = primary
        self.data = home / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Copy the first server, follow it, and make its commits wait for us."""
        account = accounts.choose(self._primary)
        programs = program_folder_for(account)
        copy = ["pg_basebackup", "--pgdata", str(self.data), "--write-recovery-conf", "--checkpoint=fast"]
        where = ["--host", str(self._primary), "--username", USER, "--no-password"]
        subprocess.run([str(programs / copy[0]), *copy[1:], *where], check=True, capture_output=True)
        (self.data / f"{SOCKET}.lock").unlink()
        accounts.hand_over(self.data, account)
        self._process = subprocess.Popen(
            [str(programs / "postgres"), "-D", accounts.data_argument(self.data, account), *arguments(self.data)],
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **accounts.identity(account),
        )
        with self._connect(self._primary) as primary:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")

    def is_synchronous(self) -> bool:
        """Tell whether the first server waits for us by now."""
        with self._connect(self._primary) as primary:
            found = primary.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
        return found == ("sync",)

    def promote(self) -> None:
        """Take the first server's place."""
        with self._connect(self.data) as standby:
            assert standby.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _connect(self, data: Path) -> psycopg.Connection:
        return psycopg.connect(host=str(data), user=USER, dbname="postgres", autocommit=True)


def either(dsn: str, first: Path, second: Path) -> str:
    """Return an address that leads to whichever of the two servers takes writes."""
    database = dsn.partition("?")[0].rpartition("/")[2]
    return f"postgresql://{USER}@/{database}?host={first},{second}&port=5432,5432&target_session_attrs=read-write"
