from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.stripe.amounts import currency_of, product, to_minor, to_text
from mainstay.kit import PermanentError

EVERY = ["USD", "EUR", "JPY", "KRW", "CLP", "KWD", "BHD", "TND", "ISK", "UGX", "HUF"]


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "text"),
    [
        ("120.50", "USD", 12050, "120.50"),
        ("0.07", "EUR", 7, "0.07"),
        ("1200", "JPY", 1200, "1200"),
        ("1.2E+3", "JPY", 1200, "1200"),
        ("1200.00", "KRW", 1200, "1200"),
        ("1.230", "KWD", 1230, "1.230"),
        ("5", "BHD", 5000, "5.000"),
        ("5000", "ISK", 500000, "5000.00"),
        ("3700", "UGX", 370000, "3700.00"),
        ("-20", "USD", -2000, "-20.00"),
        ("0", "USD", 0, "0.00"),
        ("999999999.99", "USD", 99999999999, "999999999.99"),
    ],
)
def test_amounts_in_minor_units(amount: str, currency: str, minor: int, text: str) -> None:
    assert to_minor(Decimal(amount), currency) == minor
    assert to_text(minor, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "step"),
    [
        ("0.001", "USD", "0.01"),
        ("1200.5", "JPY", "is 1$"),
        ("1.234", "KWD", "0.010"),
        ("5000.50", "ISK", "1.00"),
        ("0.5", "UGX", "1.00"),
        ("1." + "0" * 40 + "1", "USD", "0.01"),
    ],
)
def test_what_a_currency_does_not_have_is_refused_and_its_step_named(amount: str, currency: str, step: str) -> None:
    with pytest.raises(PermanentError, match=f"smallest step there is .*{step}|{step}"):
        to_minor(Decimal(amount), currency)


@given(st.integers(-(10**11), 10**11), st.sampled_from(EVERY))
def test_there_and_back(minor: int, currency: str) -> None:
    minor -= minor % {"KWD": 10, "BHD": 10, "TND": 10, "ISK": 100, "UGX": 100}.get(currency, 1)
    assert to_minor(Decimal(to_text(minor, currency)), currency) == minor


@given(st.decimals(), st.decimals(), st.sampled_from(EVERY))
def test_any_decimal_is_exact_or_refused(price: Decimal, quantity: Decimal, currency: str) -> None:
    try:
        minor = to_minor(product(price, quantity), currency)
    except PermanentError:
        return
    exact = price.as_integer_ratio()[0] * quantity.as_integer_ratio()[0]
    divisor = price.as_integer_ratio()[1] * quantity.as_integer_ratio()[1]
    told = Decimal(to_text(minor, currency)).as_integer_ratio()
    assert told[0] * divisor == exact * told[1]


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E+12"])
def test_what_is_no_amount_is_refused(price: str) -> None:
    for pair in ((Decimal(price), Decimal(1)), (Decimal(1), Decimal(price)), (Decimal(0), Decimal(price))):
        with pytest.raises(PermanentError, match="no amount of money"):
            product(*pair)


@pytest.mark.parametrize(("text", "code"), [("usd", "USD"), (" Eur ", "EUR")])
def test_currencies(text: str, code: str) -> None:
    assert currency_of(text) == code


@pytest.mark.parametrize("text", ["", "US", "dollars", "U$D", "€"])
def test_what_is_no_currency_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="is no currency"):
        currency_of(text)
