"""Google Sheets: a spreadsheet's sheets as tables."""

from mainstay.connectors.google_sheets.settings import GoogleSheetsConnection, oauth
from mainstay.connectors.google_sheets.table import check, http_settings, make_table
from mainstay.kit import Connector, Rate

CONNECTOR = Connector(
    name="google_sheets",
    title="Google Sheets",
    settings=GoogleSheetsConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"table": make_table},
    idempotency={"table.upsert_rows": "state", "table.remove_rows": "state", "table.read_rows": "state"},
    # 60 reads and 60 writes a minute for each user of a project; one figure holds both.
    rates=lambda _settings: (Rate(60, 60.0),),
    account=lambda settings: settings.who if settings.key else settings.client_id or settings.spreadsheet_id,
)

__all__ = ["CONNECTOR"]
