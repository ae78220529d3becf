"""Notes, kept as tasks that are done.

A task appears in the activity timeline of contacts and leads alike, and is one call that is whole or absent; a
ContentNote is two records, needs a feature switched on, and stands apart from the timeline.
"""

from __future__ import annotations

from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.connectors.salesforce.soql import is_id, query, quoted, record_id
from mainstay.kit import Http, Sent, TransientError
from mainstay.kit.lookup import is_of_this_try, same_text

_SUBJECT = 80
_LOOKED_THROUGH = 100


async def add(http: Http, settings: SalesforceConnection, contact_id: str, text: str) -> None:
    """Add a note."""
    lines = text.strip().splitlines() or [""]
    subject = lines[0].strip() or "Note"
    response = await http.request(
        "POST",
        f"{settings.data}/sobjects/Task",
        json={
            "WhoId": record_id(contact_id, settings.record),
            "Subject": subject if len(subject) <= _SUBJECT else f"{subject[: _SUBJECT - 1]}…",
            "Description": text,
            "Status": settings.note_status,
        },
    )
    if not isinstance(response.data, dict) or not is_id(response.data.get("id")):
        raise TransientError(f"{response.status}: the answer has no id in it", status=response.status, unsure=True)


async def find(http: Http, settings: SalesforceConnection, contact_id: str, text: str) -> Sent | None:
    """Look for a note of this text, no older than this step's first try, among the record's newest tasks."""
    who = quoted(record_id(contact_id, settings.record))
    rows, answer = await query(
        http,
        settings.data,
        f"SELECT Id, Description, CreatedDate FROM Task WHERE WhoId = {who} "  # noqa: S608 every value is quoted
        f"ORDER BY CreatedDate DESC, Id DESC LIMIT {_LOOKED_THROUGH}",
    )
    for row in rows:
        if same_text(row.get("Description"), text) and is_of_this_try(row.get("CreatedDate"), answer, http):
            return Sent(str(row["Id"]))
    return None
