"""The database: pool, group commit, migrations, the embedded server."""

from mainstay.db.group import GroupCommit, Write
from mainstay.db.holding import hold
from mainstay.db.pool import BROKEN_OFF, Connection, Pool, Row, acquire, encode_json, open_pool, storable, transact
from mainstay.db.repeating import repeat

__all__ = [
    "BROKEN_OFF",
    "Connection",
    "GroupCommit",
    "Pool",
    "Row",
    "Write",
    "acquire",
    "encode_json",
    "hold",
    "open_pool",
    "repeat",
    "storable",
    "transact",
]
