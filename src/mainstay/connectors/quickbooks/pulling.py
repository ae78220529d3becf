"""What changed in QuickBooks since a cursor: its query language, by the time of the last change.

A query knows nothing of what was deleted; webhooks tell of that. Source: developer.intuit.com, query operations.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.connectors.quickbooks.api import Api, is_id, one_of, quoted, text_of
from mainstay.connectors.quickbooks.records import changed_at, data_of, record_of, submission_of
from mainstay.kit import Event, PulledRecord, PulledRecords, RecordType, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import Cursor, after_page

BATCH = 100
LAG = timedelta(minutes=2)
_ENTITIES: dict[RecordType, str] = {"invoice": "Invoice", "payment": "Payment"}


async def pull(api: Api, realm_id: str, kind: RecordType, cursor: str) -> PulledRecords:
    """Read one batch, with who stands behind each record."""
    start, entity = Cursor.read(cursor), _ENTITIES[kind]
    since = quoted(start.since.isoformat(timespec="seconds"))
    records, response = await api.page(
        entity, f"MetaData.LastUpdatedTime >= {since} orderby MetaData.LastUpdatedTime", start.place, BATCH
    )
    times = [changed_at(record) for record in records]
    known = [each for each in times if each is not None]
    if len(known) < len(records):
        raise TransientError(f"{response.status}: a record has no time of its last change", status=response.status)
    end, has_more = after_page(start, known, BATCH, response, LAG)
    ids = sorted({each for record in records if is_id(each := text_of(record, "CustomerRef", "value"))})
    customers = {each["Id"]: each for each in await api.query("Customer", one_of("Id", ids))} if ids else {}
    return PulledRecords(
        tuple(
            PulledRecord(
                Event(
                    "",
                    time=at,
                    submission=submission_of(customers.get(text_of(record, "CustomerRef", "value"))),
                    data={"id": record["Id"], "realm_id": realm_id, "at": at.isoformat(), **data_of(kind, record)},
                    record=record_of(kind, record),
                ),
                created_at=moment(text_of(record, "MetaData", "CreateTime")),
            )
            for record, at in zip(records, known, strict=True)
        ),
        end.write(),
        has_more,
    )
