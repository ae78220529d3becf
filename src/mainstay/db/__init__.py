"""The database: pool, group commit, migrations, the embedded server."""

from mainstay.db.group import GroupCommit, Write
from mainstay.db.pool import Connection, Pool, Row, acquire, open_pool, storable, transact

__all__ = ["Connection", "GroupCommit", "Pool", "Row", "Write", "acquire", "open_pool", "storable", "transact"]
