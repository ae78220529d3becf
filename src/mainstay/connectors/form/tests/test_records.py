"""Deliveries of other records than contacts: their map, and what is no such record."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.form.settings import FormSettings
from mainstay.connectors.form.webhook import parse
from mainstay.kit import Event, MalformedError
from mainstay.model import RECORD_FIELDS, RECORD_TYPES
from tests.sources import RECEIVED, request

MAP = {
    "id": "deal_id",
    "title": "name",
    "amount": ["value.net", "value.gross"],
    "currency": "'eur'",
    "status": "state",
    "contact.email": "buyer.mail",
    "contact.id": "buyer.id",
    "changed_at": "at",
    "custom.lot": "Lot",
}
SENT = {
    "deal_id": 77,
    "name": "Boiler 李",
    "value": {"gross": 120.5},
    "state": "Won",
    "buyer": {"mail": "zoe@example.com", "id": "c-1"},
    "at": "2026-03-01T09:00:00Z",
    "Lot": "B 7",
    "password": "x",
}


def source(**values: Any) -> FormSettings:
    return FormSettings.model_validate({"kind": "json", "record": "deal", **values})


def read(sent: Any, **values: Any) -> Event:
    (event,) = parse(request(sent), source(**values))
    return event


def test_a_deal_is_read_by_its_map() -> None:
    event = read(SENT, map=MAP, connection="partner")

    assert event.type == "deal.submitted"
    assert event.record is not None
    assert event.record.fields == {"title": "Boiler 李", "amount": "120.5", "currency": "EUR", "status": "won"}
    assert event.record.custom == {"lot": "B 7"}
    assert (event.record.external_id, event.record.contact_external_id) == ("77", "c-1")
    assert event.record.changed_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert event.data == {"id": "77", **event.record.fields, "custom": {"lot": "B 7"}}
    assert event.submission is not None
    assert (event.submission.email, event.submission.external_id) == ("zoe@example.com", "c-1")


def test_without_a_map_the_fields_own_names_count() -> None:
    event = read({"Deal ID": "7", "Title": "Boiler", "closes-on": "2026-05-04", "note": "left"})

    assert event.record is not None
    assert (event.record.external_id, event.record.fields) == ("7", {"title": "Boiler", "closes_on": "2026-05-04"})
    assert (event.record.changed_at, event.record.custom, event.submission) == (RECEIVED, {}, None)


def test_what_is_gone_is_said_so() -> None:
    event = read({"id": "7", "is_gone": True})

    assert event.record is not None
    assert (event.type, event.record.is_gone) == ("deal.deleted", True)
    assert read({"id": "7", "is_gone": False}).type == "deal.submitted"


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"title": "x"}, 'no id of the deal was found under "id", "deal_id", "external_id", "uuid"; the payload has'),
        ({"id": "7", "amount": "a lot"}, "deal.amount is a decimal number in whole units .* not 'a lot'"),
        ({"id": "7", "status": "gone"}, "deal.status is one of open, won, lost, not 'gone'. Mend the source's map"),
        ({"id": "7", "currency": "euro"}, "deal.currency is three letters"),
        ({"id": "7", "closes_on": "soon"}, "deal.closes_on is a day, YYYY-MM-DD"),
        ({"id": "7", "changed_at": "soon"}, "changed_at is not a time as ISO 8601"),
        ([{"id": "7"}, {"id": "8", "amount": "x"}], "entry 2 of 2: deal.amount"),
    ],
)
def test_what_a_field_cannot_have_is_named(sent: Any, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        parse(request(sent), source())


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"id": "id", "titel": "t"}, 'deal has no field "titel". Did you mean "title"?'),
        ({"id": "id", "email": "t"}, 'deal has no field "email"'),
        ({"title": "t"}, "map has no id: say by which key the sender tells one deal from another"),
        ({"id": []}, "map.id is an empty list"),
        ({"id": " "}, "map.id should be a key of the payload"),
    ],
)
def test_a_map_that_fits_no_deal_says_how_to_mend_it(made: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        source(map=made)


KEYS = sorted({"id", "contact", "email", "changed_at", "is_gone"} | {k for f in RECORD_FIELDS.values() for k in f})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
)


@given(kind=st.sampled_from(RECORD_TYPES), sent=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_is_sent_there_is_a_record_or_a_clear_error(kind: str, sent: Any) -> None:
    with suppress(MalformedError):
        for event in parse(request(json.dumps(sent)), source(record=kind)):
            assert event.record is not None
            assert event.record == event.record.canonical()
