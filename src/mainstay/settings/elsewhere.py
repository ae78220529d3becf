"""``[[elsewhere]]``: logic that lives in another system."""

from __future__ import annotations

from mainstay.settings.document import Document
from mainstay.settings.schema import ElsewhereTable
from mainstay.settings.wording import check


def read_elsewhere(document: Document) -> tuple[ElsewhereTable, ...]:
    """Return what is declared to live elsewhere."""
    entries = document.data.get("elsewhere", [])
    if not isinstance(entries, list):
        document.add(("elsewhere",), "should be a list of tables", "write [[elsewhere]], with two brackets")
        return ()
    found = (check(document, ("elsewhere", index), ElsewhereTable, entry) for index, entry in enumerate(entries))
    return tuple(entry for entry in found if entry is not None)
