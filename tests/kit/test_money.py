from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import PermanentError
from mainstay.kit import Invoice, InvoiceLine
from mainstay.kit.money import (
    as_number,
    as_text,
    currency_of,
    decimals,
    from_number,
    line_amount,
    ordered,
    reference_of,
    whole,
)


@given(st.decimals(min_value=0, max_value=99_999_999_999, places=2))
def test_an_amount_comes_back_as_it_was(amount: Decimal) -> None:
    assert from_number(as_number(amount)) == amount
    assert Decimal(as_text(amount, "USD")) == amount


@given(st.integers(1, 10_000_000), st.integers(1, 1000))
def test_a_line_is_never_rounded(cents: int, quantity: int) -> None:
    line = InvoiceLine("x", Decimal(cents).scaleb(-2), Decimal(quantity))
    assert line_amount(line, "EUR") == Decimal(cents * quantity).scaleb(-2)


def test_what_floats_get_wrong_is_right() -> None:
    lines = tuple(InvoiceLine("x", Decimal("1.10"), Decimal(3)) for _ in range(3))
    assert ordered(Invoice("a", "usd", lines)).total == Decimal("9.90")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, "1"),
        (120.5, "120.5"),
        ("120.50", "120.50"),
        (0.1 + 0.2, "0.30000000000000004"),
        (True, None),
        (None, None),
        ([], None),
        ("x", None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e30", None),
        ("", None),
    ],
)
def test_what_a_vendor_writes(value: Any, read: str | None) -> None:
    assert from_number(value) == (None if read is None else Decimal(read))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("120.5", "USD", "120.50"),
        ("1E+3", "USD", "1000.00"),
        ("1200", "JPY", "1200"),
        ("1200.00", "JPY", "1200"),
        ("1200.5", "JPY", "1200.5"),
        ("1.5", "KWD", "1.500"),
        ("0.125", "USD", "0.125"),
        ("0", "EUR", "0.00"),
    ],
)
def test_amounts_as_text(amount: str, currency: str, text: str) -> None:
    assert as_text(Decimal(amount), currency) == text


@pytest.mark.parametrize(("currency", "places"), [("USD", 2), ("JPY", 0), ("KRW", 0), ("BHD", 3)])
def test_the_smallest_coin(currency: str, places: int) -> None:
    assert decimals(currency) == places
    assert whole(Decimal(1).scaleb(-places), currency) == Decimal(1).scaleb(-places)
    with pytest.raises(PermanentError, match="smallest coin"):
        whole(Decimal(1).scaleb(-places - 1), currency)


@pytest.mark.parametrize("amount", ["12345678901234567.89", "0.1234567890123456789"])
def test_a_number_that_json_cannot_carry_is_refused(amount: str) -> None:
    with pytest.raises(PermanentError, match="more digits than the vendor takes"):
        as_number(Decimal(amount))


@pytest.mark.parametrize("text", ["", " ", "x" * 201, "a\nb", "a\x00", "a\u2028b"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(PermanentError, match="a reference is one line"):
        reference_of(text)


@pytest.mark.parametrize("text", ["", "US", "USDT", "€", "U$D", "ÜSD"])
def test_what_is_no_currency(text: str) -> None:
    with pytest.raises(PermanentError, match="is no currency"):
        currency_of(text)
