"""What a workflow may return."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay import Sent, WorkflowError
from mainstay.db import encode_json
from mainstay.engine.result import MOST_BYTES, result_of


@dataclass
class Quote:
    price: int
    at: date


class Size(StrEnum):
    SMALL = "small"


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        (None, None),
        ({"price": 3, "ok": True, "note": None}, {"price": 3, "ok": True, "note": None}),
        ([1, (2, "x")], [1, [2, "x"]]),
        (Quote(3, date(2026, 1, 2)), {"price": 3, "at": "2026-01-02"}),
        (Sent("m-1"), {"id": "m-1"}),
        ({"id": UUID(int=1), "at": datetime(2026, 1, 2, tzinfo=UTC)}, None),
        (Size.SMALL, "small"),
        ("", ""),
        (0, 0),
    ],
)
def test_what_json_has_is_kept(returned: Any, kept: Any) -> None:
    found = result_of("quote.v1", returned)
    assert orjson.loads(encode_json(found)) == found
    if kept is not None and not isinstance(returned, Sent):
        assert found == kept


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ({1, 2}, "the result is a set"),
        ({"a": [1, object()]}, "the result.a[1] is a object"),
        ({"a": Decimal(1)}, "the result.a is a Decimal"),
        ({"a": b"x"}, "the result.a is a bytes"),
        ({"price": math.nan}, "the result.price is nan"),
        ([math.inf], "the result[0] is inf"),
        ({3: 1}, "the result has the key 3, which is no text"),
        ({"a\0": 1}, "a key of the result holds the character NUL"),
        ("a\0b", "the result holds the character NUL"),
        ("\ud800", "the result cannot be kept"),
        (2**70, "the result is a int"),
        (LOOP, "is nested too deeply, or holds itself"),
        ("x" * MOST_BYTES, "bytes long, and at most 64,000 are kept"),
        (lambda: 1, "the result is a function"),
        ((x for x in "ab"), "the result is a generator"),
    ],
)
def test_what_json_has_not_is_told_with_its_place(returned: Any, says: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        result_of("quote.v1", returned)
    assert says in str(caught.value)
    assert '"quote.v1" returned what is no JSON' in str(caught.value)
    assert len(str(caught.value)) < 600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(JSON)
def test_whatever_is_returned_is_kept_whole_or_refused(returned: Any) -> None:
    try:
        found = result_of("quote.v1", returned)
    except WorkflowError:
        return
    assert orjson.loads(encode_json(found)) == found
