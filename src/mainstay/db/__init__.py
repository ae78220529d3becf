"""The database: pool, group commit, migrations, the embedded server."""

from mainstay.db.group import GroupCommit, Write
from mainstay.db.pool import Connection, Pool, acquire, open_pool

__all__ = ["Connection", "GroupCommit", "Pool", "Write", "acquire", "open_pool"]
