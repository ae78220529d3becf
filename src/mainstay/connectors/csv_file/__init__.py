"""CSV files, brought in by hand with ``mainstay import contacts FILE.csv``."""

from mainstay.connectors.csv_file.webhook import CsvSettings, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="csv_file",
    title="CSV file",
    sources=(
        SourceKind(
            name="csv",
            title="CSV file",
            settings=CsvSettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)
