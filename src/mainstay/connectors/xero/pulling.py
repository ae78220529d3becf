"""What changed in Xero since a cursor: its lists, by ``If-Modified-Since``, in the order of the last change.

Source: Xero's OpenAPI file of accounting; developer.xero.com, requests and responses.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.connectors.xero.api import Api, Record, inner, read_time, text_of
from mainstay.connectors.xero.records import invoice_data, invoice_record, payment_data, payment_record, submission_of
from mainstay.kit import Event, PulledRecord, PulledRecords, RecordType, TransientError
from mainstay.kit.pulling import Cursor, after_page

BATCH = 100
LAG = timedelta(minutes=2)
_KINDS: dict[RecordType, tuple[str, str]] = {
    "invoice": ("Invoices", 'Type=="ACCREC"'),
    "payment": ("Payments", 'PaymentType=="ACCRECPAYMENT"'),
}


async def pull(api: Api, kind: RecordType, cursor: str) -> PulledRecords:
    """Read one batch, with who stands behind each record; what suppliers ask for is left alone."""
    start = Cursor.read(cursor)
    name, where = _KINDS[kind]
    # Pages have numbers: two of half the size, of which the first is where the second was, overlap with those before.
    half = BATCH // 2
    number = start.place // half + 1
    records, response = await api.changed(name, start.since, where, page=number, size=half)
    if len(records) == half:
        more, response = await api.changed(name, start.since, where, page=number + 1, size=half)
        records += more
    times = [at for record in records if (at := read_time(record.get("UpdatedDateUTC"))) is not None]
    if len(times) < len(records):
        raise TransientError(f"{response.status}: a record has no UpdatedDateUTC", status=response.status)
    end, has_more = after_page(start, times, BATCH, response, LAG)
    tenant = await api.tenant()
    people = await api.contacts({text_of(_contact(kind, record), "ContactID") for record in records})
    read_data, read_record = (invoice_data, invoice_record) if kind == "invoice" else (payment_data, payment_record)
    return PulledRecords(
        tuple(
            PulledRecord(
                Event(
                    "",
                    time=at,
                    submission=submission_of(people.get(text_of(_contact(kind, each), "ContactID"), {})),
                    data={
                        "id": text_of(each, f"{kind.capitalize()}ID"),
                        "tenant_id": tenant,
                        "at": at.isoformat(),
                        **read_data(each),
                    },
                    record=read_record(each),
                )
            )
            for each, at in zip(records, times, strict=True)
        ),
        end.write(),
        has_more,
    )


def _contact(kind: RecordType, record: Record) -> Record:
    return inner(record if kind == "invoice" else inner(record, "Invoice"), "Contact")
