"""The rows of a table are mapped as single payloads are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import MalformedError
from mainstay.kit.columns import map_of
from mainstay.kit.mapping import FieldMap
from mainstay.model import Submission

COLUMNS = (
    "Email",
    "E-Mail 2",
    "Work Email",
    "Phone",
    "mobile",
    "Name",
    "First Name",
    "surname",
    "Company",
    "Tags",
    "label",
    "lead source",
    "City",
    "Plan.Name",
    "Unsubscribed",
    "Changed",
    "Agreed",
    "_csrf",
    "x" * 120,
)
LONG = f"{'y' * 499} {'z' * 99}"
MAPS: Sequence[Mapping[str, str | list[str]]] = (
    {},
    {"email": "Email"},
    {"email": ["email", "e-mail 2"], "custom.town": "City", "tags": ["label", "Tags"]},
    {"phone": "mobile", "name": "Name", "source": "'list'"},
    {"email": "gone", "name": "Name"},
    {"first_name": ["First Name", "Name"], "phone": "PHONE", "custom.plan": "Plan.Name"},
    {"name": "Name"},
    {"email": "Email", "occurred_at": "Changed", "consent": "Agreed", "do_not_contact": ["gone", "Unsubscribed"]},
)


@given(
    columns=st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True),
    entries=st.sampled_from(MAPS),
    cell=st.data(),
)
def test_a_row_is_read_as_a_payload(
    columns: list[str], entries: Mapping[str, str | list[str]], cell: st.DataObject
) -> None:
    field_map = FieldMap(entries)
    texts = st.sampled_from(
        ("", "", "a@b.co", "no", "2020-02-30", "2020-02-29T12:00:00Z", "VIP, gold,vip", ",", f"{'y' * 499} {'z' * 99}")
    )
    row: dict[str, Any] = {column: cell.draw(texts) for column in columns}
    read = map_of(field_map, columns)
    assert outcome(read, row) == outcome(field_map.apply, row)


def outcome(read: Callable[[Mapping[str, Any]], Submission], row: Mapping[str, Any]) -> Submission | str:
    try:
        found = read(row)
    except MalformedError as error:
        return str(error)
    return replace(found, custom=dict(found.custom))
