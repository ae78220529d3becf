"""What happened at Stripe since a cursor: its list of events, the oldest first, as an endpoint would have got them.

Stripe keeps events for 30 days: what happened before is not to be had. Its list is the newest first, and its cursors
are ids, which end with their events; so it is read by time, in windows that hold no more than a page.
Source: docs.stripe.com/api/events/list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.connectors.stripe.api import PAGE, Api, objects, whole
from mainstay.connectors.stripe.events import ASKED, events_of, fetch
from mainstay.connectors.stripe.settings import StripeConnection, StripeSource
from mainstay.kit import Event, Http, MalformedError, PulledRecord, PulledRecords, RecordType, Response
from mainstay.kit.pulling import Cursor

EVENTS = "/v1/events"
LAG = timedelta(minutes=2)
KEPT = timedelta(days=30)
Item = Mapping[str, Any]


async def pull(http: Http, settings: StripeConnection, kind: RecordType, cursor: str) -> PulledRecords:
    """Read the events of one window. Each record is as it stood with its event."""
    start = Cursor.read(cursor)
    asked = {f"types[{number}]": name for number, name in enumerate(ASKED[kind])}
    found, until, answer = await _window(Api(http), asked, int(start.since.timestamp()))
    end = Cursor(datetime.fromtimestamp(until, UTC)) if until else Cursor.caught_up(answer, LAG)
    # As a source of this connection would read them; whose name the connection has, its source says.
    source = StripeSource.model_construct(kind="stripe", connection="stripe", payments=settings.payments)
    told = [each for body in reversed(found) for each in _told(body, source) if _is_of(each, kind)]
    people: dict[str, Event] = {}
    return PulledRecords(
        tuple([PulledRecord(await _with_person(each, source, http, people)) for each in told]),
        end.write(),
        bool(until),
        _lost(cursor, start.since, answer.moment - KEPT),
    )


def _lost(cursor: str, since: datetime, kept: datetime) -> tuple[datetime, datetime] | None:
    """Return the time after a cursor of which Stripe keeps no events; before the beginning nothing was lost."""
    return (since, kept) if cursor and since < kept else None


async def _window(api: Api, asked: Mapping[str, str], since: int) -> tuple[Sequence[Item], int, Response]:
    """Return all events from ``since`` to a second, the newest first, and that second; 0 where there are no more."""
    page, answer = await api.page(EVENTS, _query(asked, since, 0))
    found = objects(page)
    if page.get("has_more") is not True or not found:
        return found, 0, answer
    until = max(int(answer.moment.timestamp()), whole(found[0], "created")) + 1
    while until - since > 1:
        middle = since + (until - since) // 2
        page, _ = await api.page(EVENTS, _query(asked, since, middle))
        found = objects(page)
        if page.get("has_more") is True:
            until = middle
        elif found:
            return found, middle, answer
        else:
            since = middle
    return [each async for each in api.listed(EVENTS, _query(asked, since, until))], until, answer


def _query(asked: Mapping[str, str], since: int, until: int) -> dict[str, str]:
    bounds = {"created[gte]": str(since)} | ({"created[lt]": str(until)} if until else {})
    return {**asked, **bounds, "limit": str(PAGE)}


def _told(body: Item, source: StripeSource) -> Sequence[Event]:
    """Return what an event tells; nothing of one that cannot be read, which its webhook shows refused.

    A pull that stopped at it would never bring what comes after it.
    """
    try:
        return events_of(body, source)
    except MalformedError:
        return ()


def _is_of(event: Event, kind: RecordType) -> bool:
    return event.record is not None and event.record.type == kind


async def _with_person(event: Event, source: StripeSource, http: Http, known: dict[str, Event]) -> Event:
    """Add who is behind an event that names its customer by the id alone; each is read once."""
    customer = event.data.get("customer")
    if event.submission is not None or not isinstance(customer, str) or not customer:
        return event
    if customer not in known:
        known[customer] = await fetch(Event("unsupported", data={"customer": customer}), source, http)
    return replace(event, submission=known[customer].submission)
