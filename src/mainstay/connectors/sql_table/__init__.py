"""Tables of a PostgreSQL database that is not Mainstay's own."""

from mainstay.connectors.sql_table.settings import SqlConnection
from mainstay.connectors.sql_table.table import check, http_settings, make_table
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="sql_table",
    title="SQL table",
    settings=SqlConnection,
    http=http_settings,
    check=check,
    roles={"table": make_table},
    idempotency={"table.upsert_rows": "state", "table.remove_rows": "state", "table.read_rows": "state"},
    account=lambda settings: settings.place,
)

__all__ = ["CONNECTOR"]
