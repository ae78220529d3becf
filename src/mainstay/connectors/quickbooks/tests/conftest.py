from __future__ import annotations

from tests.connectors.accounting import books, process, vendor

__all__ = ["books", "process", "vendor"]
