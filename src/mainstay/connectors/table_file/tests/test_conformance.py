from __future__ import annotations

from tests.connectors.table_conformance import TableConformance


class TestConformance(TableConformance):
    """The fixture ``bench`` is the folder's."""
