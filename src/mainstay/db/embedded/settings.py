"""The embedded server's settings, each other than PostgreSQL's own for a reason.

They are given on the command line: so they follow Mainstay's version and not the day the data was made, and nothing
is written into a folder that belongs to another account.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

DATABASE = "mainstay"
USER = "postgres"
PORT = 5432
"""No port is opened; it is part of the socket's name."""
SOCKET = f".s.PGSQL.{PORT}"

SETTINGS = {
    # Reached by the socket in the data folder alone, which only its owner and root can enter.
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "cluster_name": "mainstay",
    # What was acknowledged is on disk, whatever a file from elsewhere says.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # Several web and worker processes, each with pools of its own.
    "max_connections": "200",
    # Fewer checkpoints, so fewer full pages in the log: a page goes into it whole when it is first touched after one.
    "checkpoint_timeout": "15min",
    # The statements are short: helpers would only take the second core from the workers, and their shared memory
    # does not fit in the 64 MB that a container has.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # Statistics grow in memory taken at the start, not in /dev/shm, which a logout may sweep (RemoveIPC).
    "min_dynamic_shared_memory": "16MB",
    # The data fits in memory; reader processes would be there for nothing, and so would replication's.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One file a weekday, emptied when its day comes again. Neither statements nor details of errors: both quote
    # customers' data.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


def arguments(data: Path) -> list[str]:
    """Return the settings as ``postgres`` takes them, for the machine that it runs on and the disk of its data."""
    settings = SETTINGS | sized(_memory(), disk_usage(data).free)
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def sized(memory: int, free: int) -> dict[str, str]:
    """Return the settings that follow from a machine's memory and the room on its disk, in bytes.

    Both matter where a book outgrows them: each new line then touches a handful of index pages that nothing touched
    lately. Of the buffers only what is used takes memory. The log is as long as this under a bulk import alone; else
    the timeout ends it sooner. Recovery reads a third to a half of it, at some hundred megabytes a second.
    """
    return {
        "shared_buffers": f"{_between(128, memory // 16 // _MB, 1024)}MB",
        "max_wal_size": f"{_between(512, free // 10 // _MB, 8192)}MB",
    }


def _between(least: int, wished: int, most: int) -> int:
    return max(least, min(wished, most))


def _memory() -> int:
    """Return how much memory there is, or as much as the container may have, in bytes."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in _LIMITS:
        with suppress(OSError, ValueError):  # no such file; "max"
            whole = min(whole, int(limit.read_text(encoding="ascii")))
    return whole


_MB = 1 << 20
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
