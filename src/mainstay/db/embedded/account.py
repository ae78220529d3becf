"""Who the server runs as. PostgreSQL refuses root, so under root it needs another account.

No account is made and no folder above the data is opened up. The server is started with the data folder as its
working directory and knows it as ``/proc/self/cwd``, which Linux resolves without asking for a right on the folders
above; so the data may lie under a closed home such as root's own.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from .errors import EmbeddedServerError

CANDIDATES = ("mainstay", "nobody")
"""Accounts used under root for new data, the first that exists. Existing data keeps the account that owns it."""

WORKING_DIRECTORY = "/proc/self/cwd"


class Identity(TypedDict, total=False):
    """The part of ``subprocess.Popen``'s arguments that says who runs it."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An account other than our own; ``name`` is for messages."""

    name: str
    uid: int
    gid: int


def choose(data: Path) -> Account | None:
    """Return the account for the server of ``data`` (which may not exist yet); None: the one we run as."""
    owner = data.stat() if data.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner is not None and owner.st_uid != me:
            raise EmbeddedServerError(
                f"{data} belongs to {_name(owner.st_uid)}, and you are {_name(me)}. Run Mainstay as the user who "
                f"created it, or, with Mainstay stopped, give it to yourself: sudo chown -R {me} {data.parent}"
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return Account(_name(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        f"PostgreSQL refuses to run as root, and no account is there to run it instead ({', '.join(CANDIDATES)}). "
        "Create one (useradd --system mainstay), run Mainstay as an ordinary user, or set DATABASE_URL."
    )


def identity(account: Account | None) -> Identity:
    """Return what ``subprocess.Popen`` needs to run a program as ``account``."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def data_argument(data: Path, account: Account | None) -> str:
    """Return how a server that runs in ``data`` as ``account`` is told where its data is."""
    if account is not None and sys.platform == "linux":
        return WORKING_DIRECTORY
    return str(data)


def hand_over(data: Path, account: Account | None) -> None:
    """Give ``data`` the owner and the mode PostgreSQL insists on; a restored copy has often lost them."""
    if account is not None and data.stat().st_uid != account.uid:
        for folder, _, files in os.walk(data):
            for path in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118  # thousands of them
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if data.stat().st_mode & 0o077:
        data.chmod(0o700)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
