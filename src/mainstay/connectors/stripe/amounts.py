"""Amounts as Stripe writes them: whole numbers of a currency's minor unit. Exact, or refused.

Source: docs.stripe.com/currencies.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

from mainstay.kit import PermanentError

_NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMALS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
# They have no decimals any more, and Stripe goes on writing two, which are 00.
_ALWAYS_WHOLE = frozenset({"ISK", "UGX"})
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_MOST = Decimal(10) ** 12
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


def currency_of(text: str) -> str:
    """Return an ISO 4217 code in capitals; PermanentError when it is none."""
    code = text.strip()
    if not _CURRENCY.fullmatch(code):
        raise PermanentError(f"{text[:20]!r} is no currency: write its three letters, such as USD")
    return code.upper()


def decimals(currency: str) -> int:
    """Return how many decimals Stripe writes of a currency."""
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def product(price: Decimal, quantity: Decimal) -> Decimal:
    """Multiply without rounding; PermanentError where that cannot be, or where it is no amount of money."""
    amount = Decimal("NaN")
    if all(each.is_finite() and abs(each) < _MOST for each in (price, quantity)):
        with suppress(DecimalException):
            amount = _EXACT.multiply(price, quantity)
    if not amount.is_finite() or abs(amount) >= _MOST:
        raise PermanentError(f"{price} times {quantity} is no amount of money")
    return amount


def plain(number: Decimal) -> str:
    """Write a number without an exponent and without noughts that say nothing."""
    return f"{_EXACT.normalize(number):f}"


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units; PermanentError where the currency, or Stripe, has no such amount."""
    minor = amount.scaleb(decimals(currency), _EXACT)
    step = 10 if currency in _THREE_DECIMALS else 100 if currency in _ALWAYS_WHOLE else 1
    if _EXACT.remainder(minor, step):
        smallest = to_text(step, currency)
        raise PermanentError(f"{amount:f} {currency} cannot be charged: the smallest step there is {smallest}")
    return int(minor)


def to_text(minor: int, currency: str) -> str:
    """Return minor units as decimal text in whole units: ``"120.50"``, ``"1200"`` of yen."""
    return f"{Decimal(minor).scaleb(-decimals(currency), _EXACT):f}"
