from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.model import Contact, RawRequest, first_id_at, made_at, new_id, short_id


def test_ids_sort_by_time() -> None:
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(ids, key=str)
    assert len(set(ids)) == len(ids)
    assert {each.version for each in ids} == {7}


def test_a_short_id_is_its_last_digits() -> None:
    value = new_id()
    assert short_id(value) == short_id(str(value)) == value.hex[-8:]


@given(st.integers(0, 7_000_000_000_000))
def test_an_id_tells_its_millisecond(milliseconds: int) -> None:
    began = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert made_at(first_id_at(began + timedelta(microseconds=500))) == began


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"first_name": "Sarah", "last_name": "Johnson", "email": "s@example.com"}, "Sarah Johnson"),
        ({"last_name": "Johnson"}, "Johnson"),
        ({"email": "s@example.com", "phone": "+13125550147"}, "s@example.com"),
        ({"phone": "+13125550147"}, "+13125550147"),
        ({}, ""),
    ],
)
def test_a_contact_has_the_name_that_is_known(fields: dict[str, str], name: str) -> None:
    assert Contact(UUID(int=1), UUID(int=2), **fields).name == name  # type: ignore[arg-type]


def request(url: str, content_type: str = "") -> RawRequest:
    return RawRequest("POST", url, {"content-type": content_type}, b"", datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize("header", ["Application/JSON; charset=utf-8", " application/json ", "application/json;"])
def test_a_media_type_is_bare(header: str) -> None:
    assert request("/", header).content_type == "application/json"


@given(st.text())
def test_any_query_is_read(query: str) -> None:
    assert isinstance(request(f"/in/acme/website?{query}").query, dict)
    assert request("/in/acme/website?a=1&a=2&b=").query == {"a": "2", "b": ""}
