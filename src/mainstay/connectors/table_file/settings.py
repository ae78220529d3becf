"""What stack.toml says of a folder that tables are kept in as files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from mainstay.kit import ConnectionSettings

# DuckDB would read these in a path as a pattern.
_PATTERN = set("*?[]{}")


class TableFileConnection(ConnectionSettings):
    """``{ connector = "table_file", folder = "tables", format = "csv" }``."""

    folder: Path = Field(
        Path("tables"),
        validate_default=True,
        description="Where the files are: below stack.toml; anywhere else as a whole path, from / on.",
    )
    format: Literal["csv", "parquet"] = Field("csv", description="csv or parquet; a table is one file.")
    delimiter: Literal[",", ";", "\t", "|"] = Field(",", description="What stands between two cells of a CSV file.")
    spreadsheet_safe: bool = Field(
        default=True, description="Put ' before cells of a CSV file that a spreadsheet would run as a formula."
    )
    create: Literal["nothing", "columns", "tables"] = Field(
        "tables", description="What is added where it is missing: nothing, columns, or also whole tables."
    )

    @field_validator("folder")
    @classmethod
    def _is_allowed(cls, value: Path, info: ValidationInfo) -> Path:
        found = _resolved(value, info)
        if _PATTERN & set(str(found)):
            message = "the folder's path has one of * ? [ ] { } in it: choose another"
            raise ValueError(message)
        return found


def _resolved(folder: Path, info: ValidationInfo) -> Path:
    if folder.is_absolute():
        return folder.resolve()
    stack = Path((info.context or {}).get("folder") or ".").resolve()
    found = (stack / folder).resolve()
    if not found.is_relative_to(stack):
        message = "leads out of the stack's folder: write the whole path, from / on, if that is meant"
        raise ValueError(message)
    return found
