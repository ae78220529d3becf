"""How the simulated organisation keeps its books: what an invoice comes to, what a payment pays, what is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from mainstay.sandbox.wire import Json, Reply, answer

ID_OF = {"Contacts": "ContactID", "Invoices": "InvoiceID", "Payments": "PaymentID"}
NOUN_OF = {"Contacts": "contact", "Invoices": "invoice", "Payments": "payment"}
_ACCOUNTS = frozenset({"200", "260", "090", "970"})
_PAYMENT_ACCOUNTS = frozenset({"090", "970"})
_ITEMS = frozenset({"BOILER", "HOUR"})
_RATES = {"NONE": Decimal(0), "OUTPUT2": Decimal("0.2")}
_NO_DECIMALS = frozenset({"JPY", "KRW"})
_SEARCHED = ("Name", "FirstName", "LastName", "ContactNumber", "EmailAddress")
_EMAIL = re.compile(r"[\x21-\x7e]+@[\x21-\x7e]+")
_MOST = {"ContactNumber": 50, "Name": 255, "FirstName": 255, "LastName": 255, "EmailAddress": 255}


class Refused(Exception):  # noqa: N818 - what a vendor does, not what we raise
    """Xero's validation errors of one element."""

    def __init__(self, *reasons: str) -> None:
        """Say what is wrong, each by itself."""
        super().__init__("; ".join(reasons))
        self.reasons = list(reasons)


def refusal(reasons: list[str], element: Mapping[str, Json], number: int = 10) -> Reply:
    """Return the answer 400 with its reasons."""
    said = [{"Message": reason} for reason in reasons]
    kind = "ValidationException" if number == 10 else "PostDataInvalidException"
    error = {"ErrorNumber": number, "Type": kind, "Message": "A validation exception occurred"}
    return answer(400, {**error, "Elements": [{**element, "ValidationErrors": said}]})


def organisation(currency: str) -> dict[str, Json]:
    """Return the organisation's own record."""
    return {
        "OrganisationID": "b2c885a9-4bb9-4a00-9b6e-6c2bf60b1a2b",
        "Name": "Acme Plumbing",
        "LegalName": "Acme Plumbing Ltd",
        "BaseCurrency": currency,
        "CountryCode": "GB",
    }


def ms_date(seconds: float | None = None) -> str:
    """Return a time as Xero writes it."""
    return f"/Date({int((time.time() if seconds is None else seconds) * 1000)}+0000)/"


def updated() -> dict[str, Json]:
    """Return the time of a change."""
    return {"UpdatedDateUTC": ms_date()}


def is_meant(kind: str, record: Mapping[str, Json], query: Mapping[str, str]) -> bool:
    """Tell whether a record is one of those asked for; archived ones are not, unless it is said."""
    if kind == "Contacts":
        if record["ContactStatus"] != "ACTIVE" and query.get("includeArchived") != "true":
            return False
        if (ids := query.get("IDs")) and record["ContactID"] not in ids.split(","):
            return False
        term = query.get("searchTerm", "").casefold()
        return any(term in str(record.get(name, "")).casefold() for name in _SEARCHED)
    contacts = query.get("ContactIDs", "")
    return not contacts or record.get("Contact", {}).get("ContactID") in contacts.split(",")


def changed(
    kind: str, records: Iterable[dict[str, Json]], query: Mapping[str, str], since: str
) -> list[dict[str, Json]]:
    """Return the records that are asked for; ValueError for what the sandbox cannot read."""
    found = [each for each in records if is_meant(kind, each, query)]
    if where := query.get("where"):
        key, mark, value = where.partition("==")
        if not mark or key not in {"Type", "PaymentType"}:
            raise ValueError(where)
        found = [each for each in found if each.get(key) == value.strip('"')]
    if since:
        least = datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp() * 1000
        found = [each for each in found if _milliseconds(each) >= least]
    if order := query.get("order"):
        if order != "UpdatedDateUTC ASC":
            raise ValueError(order)
        found.sort(key=_milliseconds)
    return found


def _milliseconds(record: Mapping[str, Json]) -> int:
    return int(str(record["UpdatedDateUTC"])[len("/Date(") :].partition("+")[0])


def contact(element: Mapping[str, Json]) -> dict[str, Json]:
    """Return a contact with what Xero adds."""
    name = str(element.get("Name") or "").strip()
    if not name:
        raise Refused("The contact name must be specified")
    for key, most in _MOST.items():
        if len(str(element.get(key, ""))) > most:
            raise Refused(f"The {key} field must be at most {most} characters")
    if element.get("EmailAddress") and not _EMAIL.fullmatch(element["EmailAddress"]):
        raise Refused("Email address must be valid.")
    filled = {each["PhoneType"]: each for each in element.get("Phones", [])}
    blank = {"PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}
    kinds = ("DDI", "DEFAULT", "FAX", "MOBILE")
    phones = [{"PhoneType": kind, **blank, **filled.get(kind, {})} for kind in kinds]
    return {
        "ContactStatus": "ACTIVE",
        "IsSupplier": False,
        "IsCustomer": False,
        "ContactGroups": [],
        "ContactPersons": [],
        "HasValidationErrors": False,
        **element,
        "Name": name,
        "Phones": phones,
    }


def invoice(
    element: Mapping[str, Json], number: str, contacts: Mapping[str, dict[str, Json]], currencies: list[str]
) -> dict[str, Json]:
    """Return an invoice with its total."""
    who = contacts.get(str(element.get("Contact", {}).get("ContactID", "")))
    if who is None or who["ContactStatus"] != "ACTIVE":
        raise Refused("The Contact must contain at least 1 of the following elements: Name, ContactID, ContactNumber")
    if element.get("Type") not in {"ACCREC", "ACCPAY"}:
        raise Refused("The Type of the invoice is not valid")
    currency = element.get("CurrencyCode", currencies[0])
    if currency not in currencies:
        raise Refused(f"Organisation is not subscribed to currency {currency}")
    status = element.get("Status", "DRAFT")
    if status == "AUTHORISED" and not element.get("DueDate"):
        raise Refused("Due Date cannot be empty")
    lines = [_line(line, currency) for line in element.get("LineItems", [])]
    if not lines:
        raise Refused("One or more line items must be specified")
    total = sum((Decimal(str(line["LineAmount"])) for line in lines), Decimal(0))
    tax = sum((Decimal(str(line["TaxAmount"])) for line in lines), Decimal(0))
    if total + tax < 0:
        raise Refused("The invoice total cannot be negative")
    who["IsCustomer" if element["Type"] == "ACCREC" else "IsSupplier"] = True
    today = datetime.now(UTC).date().isoformat()
    shown = ("ContactID", "ContactStatus", "ContactNumber", "Name", "FirstName", "LastName", "EmailAddress", "Phones")
    return {
        **element,
        "InvoiceNumber": number,
        "Reference": element.get("Reference", ""),
        "Contact": {key: who[key] for key in shown if key in who},
        "LineItems": lines,
        "CurrencyCode": currency,
        "Status": status,
        "Date": _day(element.get("Date", today)),
        "DueDate": _day(element.get("DueDate", today)),
        "SubTotal": float(total),
        "TotalTax": float(tax),
        "Total": float(total + tax),
        "AmountDue": float(total + tax),
        "AmountPaid": 0.0,
        "AmountCredited": 0.0,
        "SentToContact": False,
        "Payments": [],
        "HasErrors": False,
    }


def _line(line: Mapping[str, Json], currency: str) -> dict[str, Json]:
    if not str(line.get("Description") or "").strip():
        raise Refused("Description cannot be empty")
    account, item = line.get("AccountCode", ""), line.get("ItemCode", "")
    if item and item not in _ITEMS:
        raise Refused(f"Item code '{item}' is not valid")
    if account and account not in _ACCOUNTS:
        raise Refused(f"Account code '{account}' is not a valid code for this document.")
    if not account and not item:
        raise Refused("Account code must be specified")
    kind = line.get("TaxType", "NONE")
    if kind not in _RATES:
        raise Refused(f"The TaxType code '{kind}' does not exist or cannot be used for this type of transaction.")
    cent = Decimal(1) if currency in _NO_DECIMALS else Decimal("0.01")
    amount = (_number(line, "UnitAmount") * _number(line, "Quantity")).quantize(cent, ROUND_HALF_UP)
    tax = (amount * _RATES[kind]).quantize(cent, ROUND_HALF_UP)
    told = {"TaxType": kind, "TaxAmount": float(tax), "LineAmount": float(amount), "Tracking": []}
    return {**line, "AccountCode": account or "200", **told}


def payment(element: Mapping[str, Json], invoices: Mapping[str, dict[str, Json]]) -> dict[str, Json]:
    """Return a payment that its invoice can bear; ``apply`` then pays it."""
    held = invoices.get(str(element.get("Invoice", {}).get("InvoiceID", "")))
    if held is None:
        raise Refused("The invoice could not be found")
    if element.get("Account", {}).get("Code") not in _PAYMENT_ACCOUNTS:
        raise Refused("Account could not be found, or payments to it are not enabled")
    if held["Status"] != "AUTHORISED":
        raise Refused("Payments can only be made against Authorised documents")
    amount = _number(element, "Amount")
    if amount <= 0:
        raise Refused("Payment amount must be greater than zero")
    if amount > Decimal(str(held["AmountDue"])):
        raise Refused("Payment amount exceeds the amount outstanding on this document")
    return {
        "Status": "AUTHORISED",
        "PaymentType": "ACCRECPAYMENT",
        "Reference": element.get("Reference", ""),
        "Amount": float(amount),
        "Date": _day(str(element.get("Date", "2026-01-01"))),
        "Account": {"Code": element["Account"]["Code"]},
        "Invoice": {"InvoiceID": held["InvoiceID"], "InvoiceNumber": held["InvoiceNumber"], "Type": held["Type"]},
        "CurrencyRate": 1.0,
        "HasAccount": True,
        "IsReconciled": False,
        "HasValidationErrors": False,
    }


def apply(made: Mapping[str, Json], held: dict[str, Json]) -> None:
    """Pay an invoice."""
    amount = Decimal(str(made["Amount"]))
    held["AmountPaid"] = float(Decimal(str(held["AmountPaid"])) + amount)
    held["AmountDue"] = float(Decimal(str(held["AmountDue"])) - amount)
    held["Status"] = "AUTHORISED" if held["AmountDue"] else "PAID"
    shown = ("PaymentID", "Date", "Amount", "Reference", "CurrencyRate", "HasAccount", "HasValidationErrors")
    held["Payments"] = [*held["Payments"], {key: made[key] for key in shown}]
    held.update(updated())


def _number(element: Mapping[str, Any], name: str) -> Decimal:
    value = element.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} is not a number")
    return Decimal(str(value))


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text} is not a date") from None
    return ms_date(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
