from __future__ import annotations

import pytest

from mainstay.errors import MalformedError
from mainstay.model import RECORD_FIELDS, RecordState, RecordType


def test_values_are_brought_into_canonical_form() -> None:
    state = RecordState(
        "invoice",
        "in_1",
        {"total": "1e2", "currency": "usd", "due": "2026-05-04T10:00:00Z", "number": " A-1\0 ", "url": ""},
        {"po": " 77 "},
    ).canonical()

    assert state.fields == {"total": "100", "currency": "USD", "due": "2026-05-04", "number": "A-1", "url": ""}
    assert state.custom == {"po": "77"}
    assert RecordState.from_json(state.to_json()) == state


def test_a_moment_is_kept_by_utc() -> None:
    state = RecordState("appointment", "a1", {"starts_at": "2026-05-04T09:30:00-05:00"}).canonical()

    assert state.fields["starts_at"] == "2026-05-04T14:30:00+00:00"


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("invoice", {"total": "much"}, "invoice.total is a decimal number"),
        ("invoice", {"total": "NaN"}, "invoice.total is a decimal number"),
        ("invoice", {"total": "1e99"}, "invoice.total is a decimal number"),
        ("invoice", {"currency": "US$"}, "invoice.currency is three letters"),
        ("invoice", {"due": "soon"}, "invoice.due is a day"),
        ("invoice", {"reference": "j" * 201}, "invoice.reference is a text of 200 characters at the most"),
        ("invoice", {"colour": "red"}, "invoice: there is no field 'colour'; known: reference, number"),
        ("task", {"status": "begun"}, "task.status is one of open, done"),
        ("appointment", {"starts_at": "2026-05-04T09:30:00"}, "appointment.starts_at is a time with its offset"),
    ],
)
def test_what_is_no_value_of_its_field_is_told(kind: RecordType, fields: dict[str, str], told: str) -> None:
    with pytest.raises(MalformedError, match=told):
        RecordState(kind, "1", fields).canonical()


def test_without_an_id_it_is_no_record() -> None:
    with pytest.raises(MalformedError, match="deal: it has no readable id"):
        RecordState("deal", "").canonical()


@pytest.mark.parametrize("kind", RECORD_FIELDS)
def test_every_field_takes_an_empty_value(kind: RecordType) -> None:
    fields = dict.fromkeys(RECORD_FIELDS[kind], "")

    assert RecordState(kind, "1", fields).canonical().fields == fields
