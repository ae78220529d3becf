"""What stack.toml says of a database that tables are kept in."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from mainstay.kit import ConnectionSettings

MOST_BYTES_IN_A_NAME = 63
_SCHEMES = {"postgresql", "postgres"}


class SqlConnection(ConnectionSettings):
    """``{ connector = "sql_table", dsn = "${REPORTING_DSN}", schema = "mirror" }``."""

    dsn: SecretStr = Field(description="The database's address: postgresql://USER:PASSWORD@HOST/DATABASE.")
    schema_name: str = Field("public", alias="schema", description="The schema that the tables are in.")
    create: Literal["nothing", "columns", "tables"] = Field(
        "nothing", description="What is added where it is missing: nothing, columns, or also whole tables."
    )

    @field_validator("dsn")
    @classmethod
    def _is_dsn(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            is_good = parts.scheme in _SCHEMES and bool(parts.path.strip("/")) and (parts.port or 1) > 0
        except ValueError:
            is_good = False
        if not is_good:
            message = "is no address of a PostgreSQL database: postgresql://USER:PASSWORD@HOST:5432/DATABASE"
            raise ValueError(message)
        return value

    @field_validator("schema_name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not value or "\0" in value or len(value.encode()) > MOST_BYTES_IN_A_NAME:
            message = "a schema's name has 1 to 63 characters"
            raise ValueError(message)
        return value

    @property
    def place(self) -> str:
        """The database without its password, as people may see it."""
        parts = urlsplit(self.dsn.get_secret_value())
        host = parts.hostname or "localhost"
        return f"{host}{f':{parts.port}' if parts.port else ''}/{parts.path.strip('/')}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be recorded."""
        dsn = self.dsn.get_secret_value()
        return tuple(each for each in (dsn, urlsplit(dsn).password) if each)
