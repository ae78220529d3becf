"""The embedded server's settings, each other than PostgreSQL's own for a reason.

They are given on the command line: so they follow Mainstay's version and not the day the data was made, and nothing
is written into a folder that belongs to another account.
"""

from __future__ import annotations

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
    "shared_buffers": "128MB",
    # Fewer checkpoints, so fewer full pages in the log; half a gigabyte of it is recovered in seconds.
    "checkpoint_timeout": "15min",
    "max_wal_size": "512MB",
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


def arguments() -> list[str]:
    """Return the settings as ``postgres`` takes them."""
    return [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
