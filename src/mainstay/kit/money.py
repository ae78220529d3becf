"""Amounts of money, exact or refused: decimal in workflows, JSON numbers at vendors that keep books."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from typing import TYPE_CHECKING

from mainstay.errors import PermanentError

if TYPE_CHECKING:
    from mainstay.kit.roles import Invoice, InvoiceLine, Payment

MAX_REFERENCE = 200
# ISO 4217; all others have two.
_NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_MOST = Decimal(10) ** 12
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class Ordered:
    """An invoice that can be made: each line with its amount, which is a whole number of the smallest coin."""

    reference: str
    currency: str
    lines: tuple[tuple[InvoiceLine, Decimal], ...]
    total: Decimal


def ordered(invoice: Invoice) -> Ordered:
    """Return what an invoice comes to; PermanentError says what cannot be invoiced."""
    reference, currency = reference_of(invoice.reference), currency_of(invoice.currency)
    if not invoice.lines:
        raise PermanentError(f"invoice {reference} has no lines")
    lines = tuple((line, line_amount(line, currency)) for line in invoice.lines)
    total = sum((amount for _, amount in lines), Decimal(0))
    if total < 0:
        raise PermanentError(f"invoice {reference} comes to {total:f} {currency}: that is a credit note, no invoice")
    return Ordered(reference, currency, lines, total)


def received(payment: Payment) -> tuple[str, str, Decimal]:
    """Return a payment's reference, currency and amount; PermanentError says what cannot be booked."""
    reference, currency, amount = reference_of(payment.reference), currency_of(payment.currency), payment.amount
    if not amount.is_finite() or amount <= 0:
        raise PermanentError(f"{amount} is no amount that was paid")
    return reference, currency, whole(amount, currency)


def reference_of(text: str) -> str:
    """Return a reference without the blanks around it; PermanentError when it cannot be one."""
    reference = text.strip()
    if not reference or len(reference) > MAX_REFERENCE or _CONTROL.search(reference):
        raise PermanentError(f"a reference is one line of 1 to {MAX_REFERENCE} characters, not {text[:60]!r}")
    return reference


def currency_of(text: str) -> str:
    """Return an ISO 4217 code in capitals; PermanentError when it is none."""
    code = text.strip()
    if not _CURRENCY.fullmatch(code):
        raise PermanentError(f"{text[:20]!r} is no currency: write its three letters, such as USD")
    return code.upper()


def decimals(currency: str) -> int:
    """Return how many decimals a currency's amounts have."""
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def line_amount(line: InvoiceLine, currency: str) -> Decimal:
    """Return price times quantity, without rounding."""
    amount = Decimal("NaN")
    if all(each.is_finite() and abs(each) < _MOST for each in (line.price, line.quantity)):
        with suppress(DecimalException):
            amount = _EXACT.multiply(line.price, line.quantity)
    if not amount.is_finite() or abs(amount) >= _MOST:
        raise PermanentError(f"{line.price} times {line.quantity} is no amount of money")
    return whole(amount, currency)


def whole(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with the currency's decimals; PermanentError where the currency has no such amount."""
    try:
        return amount.quantize(Decimal(1).scaleb(-decimals(currency)), context=_EXACT)
    except DecimalException:
        raise PermanentError(
            f"{amount} {currency} is no whole number of its smallest coin ({decimals(currency)} decimals): round it"
        ) from None


def as_number(amount: Decimal) -> int | float:
    """Return the JSON number that reads exactly as this decimal; PermanentError where there is none."""
    if amount == amount.to_integral_value():
        return int(amount)
    number = float(amount)
    if Decimal(repr(number)) != amount:
        raise PermanentError(f"{amount} has more digits than the vendor takes")
    return number


def from_number(value: object) -> Decimal | None:
    """Read a vendor's amount: a JSON number, or one as text; None when it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < _MOST else None


def as_text(amount: Decimal, currency: str) -> str:
    """Write an amount in whole units with the currency's decimals, or with all that it has: ``"120.50"``."""
    with suppress(PermanentError):
        return f"{whole(amount, currency):f}"
    return f"{amount.normalize(_EXACT):f}"


__all__ = [
    "Ordered",
    "as_number",
    "as_text",
    "currency_of",
    "decimals",
    "from_number",
    "line_amount",
    "ordered",
    "received",
    "reference_of",
    "whole",
]
