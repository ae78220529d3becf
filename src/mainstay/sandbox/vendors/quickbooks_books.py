"""How the simulated company keeps its books: what an invoice comes to, what a payment pays, what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mainstay.sandbox.wire import Json

Records = Mapping[str, dict[str, dict[str, Json]]]
_BAD_NAME = re.compile(r'[:\t\n"]')
_NO_DECIMALS = frozenset({"JPY", "KRW"})
_RATES = {"2": Decimal("0.2"), "3": Decimal(0)}
_MOST = {"DocNumber": 21, "PaymentRefNum": 21, "PrivateNote": 4000, "DisplayName": 500}


class Refused(Exception):  # noqa: N818 - what a vendor does, not what we raise
    """QuickBooks' fault: a code and its text; the detail stands behind the first semicolon."""

    def __init__(self, code: str, text: str, status: int = 400, kind: str = "ValidationFault") -> None:
        """Say what is wrong."""
        super().__init__(text)
        self.code = code
        self.status = status
        self.kind = kind


def company() -> dict[str, Json]:
    """Return the company's own record."""
    return {
        "Id": "1",
        "SyncToken": "0",
        "CompanyName": "Acme Plumbing",
        "LegalName": "Acme Plumbing Inc.",
        "Country": "US",
    }


def items() -> list[dict[str, Json]]:
    """Return the products and services."""
    named = {"1": "Services", "2": "Hours", "3": "Boiler"}
    return [
        {"Id": key, "SyncToken": "0", "Name": name, "Type": "Service", "Active": True} for key, name in named.items()
    ]


def tax_codes() -> list[dict[str, Json]]:
    """Return the tax codes: 2 is 20 %."""
    return [
        {"Id": "2", "SyncToken": "0", "Name": "20.0% S", "Active": True, "Taxable": True},
        {"Id": "3", "SyncToken": "0", "Name": "0.0% Z", "Active": True, "Taxable": True},
    ]


def customer(body: Mapping[str, Json], currency: str) -> dict[str, Json]:
    """Return a new customer."""
    _require_lengths(body)
    parts = (body.get("GivenName", ""), body.get("FamilyName", ""))
    name = body.get("DisplayName") or " ".join(part for part in parts if part)
    if not name:
        raise Refused("6000", "A business validation error has occurred; A name is required")
    if _BAD_NAME.search(name):
        raise Refused("2040", f"Invalid String; The name has a colon, a tab or a quotation mark: {name}")
    email = body.get("PrimaryEmailAddr", {}).get("Address", "")
    if email and "@" not in email:
        raise Refused("2210", "Invalid Email Address format; PrimaryEmailAddr")
    return {"Active": True, "CurrencyRef": {"value": currency}, "Balance": 0, **body, "DisplayName": name}


def invoice(body: Mapping[str, Json], records: Records) -> dict[str, Json]:
    """Return a new invoice with its total."""
    _require_lengths(body)
    who = _customer_of(body, records)
    currency = _currency(body, who)
    lines = body.get("Line")
    if not isinstance(lines, list) or not lines:
        raise Refused("2020", "Required param missing, need to supply the required value for the API; Line")
    total, taxes, kept = Decimal(0), Decimal(0), []
    for number, line in enumerate(lines, 1):
        amount, tax = _line(line, records, currency)
        total += amount
        taxes += tax
        kept.append({**line, "Id": str(number), "LineNum": number})
    kept.append({"Amount": number_of(total), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    due = total + taxes.quantize(_cent(currency))
    if due < 0:
        raise Refused("6000", "A business validation error has occurred; The transaction total can not be negative")
    return {
        "TxnDate": _today(),
        "LinkedTxn": [],
        "EmailStatus": "NotSet",
        "PrintStatus": "NotSet",
        **body,
        "CurrencyRef": {"value": currency},
        "CustomerRef": {"value": who["Id"], "name": who["DisplayName"]},
        "Line": kept,
        "TxnTaxDetail": {"TotalTax": number_of(due - total)},
        "TotalAmt": number_of(due),
        "Balance": number_of(due),
    }


def payment(body: Mapping[str, Json], records: Records) -> dict[str, Json]:
    """Return a new payment, whose invoices can bear it; ``apply`` then pays them."""
    _require_lengths(body)
    who = _customer_of(body, records)
    total = _amount(body.get("TotalAmt"), "TotalAmt")
    applied = Decimal(0)
    for line in body.get("Line", []):
        amount = _amount(line.get("Amount"), "Amount")
        for link in line.get("LinkedTxn", []):
            held = records["Invoice"].get(str(link.get("TxnId")))
            if link.get("TxnType") != "Invoice" or held is None:
                raise Refused("2500", f"Invalid Reference Id; TxnId {link.get('TxnId')}")
            if amount > Decimal(str(held["Balance"])):
                raise Refused("6000", "A business validation error has occurred; The amount is more than is open")
            if held["CustomerRef"]["value"] != who["Id"]:
                raise Refused("6000", "A business validation error has occurred; The invoice is another customer's")
        applied += amount
    if total <= 0 or applied > total:
        raise Refused("6000", "A business validation error has occurred; The amounts do not add up")
    return {
        "TxnDate": _today(),
        **body,
        "CurrencyRef": {"value": _currency(body, who)},
        "TotalAmt": number_of(total),
        "UnappliedAmt": number_of(total - applied),
        "ProcessPayment": False,
    }


def apply(made: Mapping[str, Json], invoices: Mapping[str, dict[str, Json]]) -> list[dict[str, Json]]:
    """Pay what a payment is linked to, and return it."""
    paid = []
    for line in made.get("Line", []):
        for link in line.get("LinkedTxn", []):
            held = invoices[str(link["TxnId"])]
            held["Balance"] = number_of(Decimal(str(held["Balance"])) - Decimal(str(line["Amount"])))
            held["LinkedTxn"] = [*held["LinkedTxn"], {"TxnId": made["Id"], "TxnType": "Payment"}]
            paid.append(held)
    return paid


def number_of(amount: Decimal) -> int | float:
    """Return an amount as QuickBooks writes it in JSON."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _line(line: Any, records: Records, currency: str) -> tuple[Decimal, Decimal]:
    """Return a line's amount, and its tax."""
    detail = line.get("SalesItemLineDetail", {}) if isinstance(line, dict) else {}
    if line.get("DetailType") != "SalesItemLineDetail" or not detail:
        raise Refused("2020", "Required param missing, need to supply the required value for the API; DetailType")
    item = detail.get("ItemRef", {}).get("value", "")
    if item not in records["Item"]:
        raise Refused("2500", f"Invalid Reference Id; Line.SalesItemLineDetail.ItemRef: {item}")
    amount = _amount(line.get("Amount"), "Line.Amount")
    if amount != amount.quantize(_cent(currency)):
        raise Refused("2050", f"Invalid Number; Line.Amount has too many decimals: {amount}")
    reckoned = _amount(detail.get("UnitPrice"), "UnitPrice") * _amount(detail.get("Qty"), "Qty")
    if amount != reckoned.quantize(_cent(currency)):
        raise Refused("6070", f"Amount calculation incorrect in the request; {amount} is not UnitPrice * Qty")
    code = detail.get("TaxCodeRef", {}).get("value", "NON")
    if code not in {"TAX", "NON", *records["TaxCode"]}:
        raise Refused("2500", f"Invalid Reference Id; Line.SalesItemLineDetail.TaxCodeRef: {code}")
    return amount, amount * _RATES.get(code, Decimal(0))


def _customer_of(body: Mapping[str, Json], records: Records) -> dict[str, Json]:
    key = str(body.get("CustomerRef", {}).get("value", ""))
    who = records["Customer"].get(key)
    if who is None or not who["Active"]:
        raise Refused("2500", f"Invalid Reference Id; CustomerRef: {key}")
    return who


def _currency(body: Mapping[str, Json], who: Mapping[str, Json]) -> str:
    own = str(who["CurrencyRef"]["value"])
    if body.get("CurrencyRef", {}).get("value", own) != own:
        raise Refused("6000", f"A business validation error has occurred; The customer's currency is {own}")
    return own


def _amount(value: Any, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("2010", f"Request has invalid or unsupported property; {name} is not a number")
    return Decimal(str(value))


def _require_lengths(body: Mapping[str, Json]) -> None:
    for name, most in _MOST.items():
        if len(str(body.get(name, ""))) > most:
            raise Refused("2050", f"String length is either shorter or longer than supported; {name}: {most}")


def _cent(currency: str) -> Decimal:
    return Decimal(1) if currency in _NO_DECIMALS else Decimal("0.01")


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
