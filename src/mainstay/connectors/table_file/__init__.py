"""Tables as CSV or Parquet files of a folder."""

from mainstay.connectors.table_file.settings import TableFileConnection
from mainstay.connectors.table_file.table import check, http_settings, make_table
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="table_file",
    title="Table files",
    settings=TableFileConnection,
    http=http_settings,
    check=check,
    roles={"table": make_table},
    idempotency={"table.upsert_rows": "state", "table.remove_rows": "state", "table.read_rows": "state"},
    account=lambda settings: str(settings.folder),
)

__all__ = ["CONNECTOR"]
