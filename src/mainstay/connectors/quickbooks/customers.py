"""Customers: found by e-mail, else by name, which QuickBooks holds unique; made once, kept up to date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainstay.connectors.quickbooks.api import Api, Record, quoted, request_id, require_id, text_of
from mainstay.connectors.quickbooks.errors import DUPLICATE_NAME, STALE, RefusedError
from mainstay.kit import Contact, PermanentError, Pushed, TransientError

TRIES = 4
_MOST_NAME, _MOST_PART = 100, 100
_NOT_IN_NAMES = re.compile(r'[:"\x00-\x1f\x7f]+')
_NO_DIGIT = re.compile(r"\D+", re.ASCII)


class Customers:
    """The customers of one company."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def push(self, contact: Contact, external_id: str) -> Pushed:
        """Bring a customer up to date, by id, else by e-mail; else make one."""
        there = await self._api.read("Customer", require_id(external_id, "customer")) if external_id else None
        if there is None or there.get("Active") is False:
            there = await self._by_email(contact)
        if there is not None:
            await self._update(there, contact)
            return Pushed(there["Id"])
        return await self._create(contact)

    async def _by_email(self, contact: Contact) -> Record | None:
        if not contact.email:
            return None
        found = await self._api.query("Customer", f"PrimaryEmailAddr = {quoted(contact.email)}")
        same = [each for each in found if contact.email.casefold() in emails_of(each)]
        # Jobs and projects are customers too, below one, and often bear the same e-mail.
        names = names_for(contact)
        return min(same, key=lambda each: (each.get("Job") is True, _name(each) not in names), default=None)

    async def _create(self, contact: Contact) -> Pushed:
        if not (contact.name or contact.company):
            raise PermanentError("the contact has neither name, e-mail nor phone: a customer needs one")
        for name in names_for(contact):
            body = {"DisplayName": name, **wanted(contact)}
            try:
                made = await self._api.write("Customer", body, requestid=request_id(str(contact.id), body))
            except RefusedError as refusal:
                if refusal.code != DUPLICATE_NAME:
                    raise
                holder = await self._named(name)
                if holder is None or not is_same(holder, contact):
                    continue  # a vendor, an employee, somebody inactive, or another person of that name
                await self._update(holder, contact)
                return Pushed(holder["Id"])
            return Pushed(made["Id"], created=True)
        raise PermanentError(f"every name that could be the customer's is taken, up to {name!r}: rename one of them")

    async def _named(self, name: str) -> Record | None:
        found = await self._api.query("Customer", f"DisplayName = {quoted(name)}")
        return next((each for each in found if _name(each).casefold() == name.casefold()), None)

    async def _update(self, there: Record, contact: Contact) -> None:
        keeps_name = False
        for _ in range(TRIES):
            changes = changes_to(there, contact)
            if keeps_name:
                changes.pop("DisplayName", None)
            if not changes:
                return
            keys = {"Id": there["Id"], "SyncToken": text_of(there, "SyncToken"), "sparse": True}
            try:
                await self._api.write("Customer", keys | changes)
            except RefusedError as refusal:
                if refusal.code == DUPLICATE_NAME and "DisplayName" in changes:
                    keeps_name = True
                    continue
                if refusal.code != STALE:
                    raise
                newest = await self._api.read("Customer", there["Id"])
                if newest is None:
                    raise TransientError(f"customer {there['Id']} was deleted meanwhile") from None
                there = newest
            else:
                return
        raise TransientError(f"customer {there['Id']} is being changed by others all the time")


def names_for(contact: Contact) -> list[str]:
    """Return the display names that a contact may have, the plainest first; the last is nobody else's."""
    full = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    base = _as_name(full or contact.company or contact.email or contact.phone)
    marks = [contact.email or contact.own_phone, contact.id.hex[-12:]]
    return list(dict.fromkeys([base, *(f"{base} ({_as_name(mark)})" for mark in marks if mark and mark != base)]))


def wanted(contact: Contact) -> dict[str, Any]:
    """Return what a contact says, as a customer's fields; what is empty here is left out."""
    fields: dict[str, Any] = {
        "GivenName": _as_name(contact.first_name)[:_MOST_PART],
        "FamilyName": _as_name(contact.last_name)[:_MOST_PART],
        "CompanyName": contact.company[:_MOST_PART],
        "PrimaryEmailAddr": contact.email and {"Address": contact.email},
        "PrimaryPhone": contact.phone and {"FreeFormNumber": contact.phone},
    }
    return {key: value for key, value in fields.items() if value}


def changes_to(there: Record, contact: Contact) -> dict[str, Any]:
    """Return the fields that differ. A display name is changed only where it is but first and last name."""
    changes = {key: value for key, value in wanted(contact).items() if not _says(there, key, value)}
    automatic = " ".join(filter(None, (text_of(there, "GivenName"), text_of(there, "FamilyName"))))
    name = _as_name(" ".join(part for part in (contact.first_name, contact.last_name) if part))
    if changes.keys() & {"GivenName", "FamilyName"} and automatic and automatic == _name(there) and name:
        changes["DisplayName"] = name
    return changes


def is_same(there: Record, contact: Contact) -> bool:
    """Tell whether who holds the contact's name is the contact: by e-mail, where one has none by phone, or our mark."""
    emails = emails_of(there)
    if emails and contact.email:
        return contact.email.casefold() in emails
    phone = _digits(contact.own_phone)
    return (bool(phone) and phone in phones_of(there)) or _name(there) == names_for(contact)[-1]


def emails_of(customer: Record) -> list[str]:
    """Return a customer's e-mails; QuickBooks takes several, separated by commas, in one field."""
    return [
        part.strip().casefold() for part in text_of(customer, "PrimaryEmailAddr", "Address").split(",") if part.strip()
    ]


def phones_of(customer: Record) -> list[str]:
    """Return the digits of a customer's phones."""
    numbers = (text_of(customer, key, "FreeFormNumber") for key in ("PrimaryPhone", "Mobile", "AlternatePhone"))
    return [digits for number in numbers if (digits := _digits(number))]


def _says(there: Record, key: str, value: Any) -> bool:
    if key == "PrimaryEmailAddr":
        return value["Address"].casefold() in emails_of(there)
    if key == "PrimaryPhone":
        return _digits(value["FreeFormNumber"]) == _digits(text_of(there, key, "FreeFormNumber"))
    return bool(there.get(key) == value)


def _name(customer: Mapping[str, Any]) -> str:
    return text_of(customer, "DisplayName")


def _as_name(text: str) -> str:
    """A name without what QuickBooks does not take in one: a colon parts a customer from a job."""
    return " ".join(_NOT_IN_NAMES.sub(" ", text).split())[:_MOST_NAME]


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)
