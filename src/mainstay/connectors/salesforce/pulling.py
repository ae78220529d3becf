"""What changed in Salesforce since a cursor: one ordered stream of changes and deletions, by ``SystemModstamp``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mainstay.connectors.salesforce.contact import read_fields, select, to_submission
from mainstay.connectors.salesforce.soql import query, quoted, record_id
from mainstay.kit import Http, Pulled, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import Cursor, utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mainstay.connectors.salesforce.settings import SalesforceConnection

BATCH = 500
# A record has the time at which it was saved, and is seen when its transaction ends: some minutes later at most.
LAG = timedelta(minutes=10)


async def pull(http: Http, settings: SalesforceConnection, cursor: str) -> Pulled:
    """Read one batch.

    The next begins behind the last record, by time and id: so it does not matter how many changed in one instant, nor
    what changes meanwhile. What was deleted is known for the 15 days that it lies in the recycle bin.
    """
    start = Cursor.read(cursor)
    where = f"SystemModstamp >= {utc(start.since)}"
    if start.after:
        where += f" AND (SystemModstamp > {utc(start.since)} OR Id > {quoted(record_id(start.after))})"
    soql = select(settings, [*read_fields(settings), "IsDeleted", "CreatedDate", "SystemModstamp"], where)
    rows, answer = await query(
        http, settings.data, f"{soql} ORDER BY SystemModstamp, Id LIMIT {BATCH}", deleted_too=True
    )
    stamps = [_stamp(row) for row in rows]
    has_more = len(rows) >= BATCH
    end = Cursor(stamps[-1], str(rows[-1]["Id"])) if has_more else Cursor.caught_up(answer, LAG)
    return Pulled(
        contacts=tuple(
            replace(to_submission(settings, row), occurred_at=stamp)
            for row, stamp in zip(rows, stamps, strict=True)
            if row.get("IsDeleted") is not True
        ),
        removed=tuple(str(row["Id"]) for row in rows if row.get("IsDeleted") is True),
        cursor=end.write(),
        has_more=has_more,
        created={str(row["Id"]): created for row in rows if (created := moment(row.get("CreatedDate")))},
    )


def _stamp(row: Mapping[str, Any]) -> datetime:
    stamp = moment(row.get("SystemModstamp"))
    if stamp is None:
        raise TransientError("a record of the answer has no SystemModstamp")
    return stamp
