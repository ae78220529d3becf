"""Customers are contacts at Xero: known by our id (ContactNumber), else found by e-mail; made once, kept up to date."""

from __future__ import annotations

import re
from typing import Any

from mainstay.connectors.xero.api import Api, Record, idempotency_key, list_of, require_id, text_of
from mainstay.connectors.xero.errors import RefusedError
from mainstay.kit import Contact, PermanentError, Pushed

_MOST_PART = 255
_MOST_PHONE = 50
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_NO_DIGIT = re.compile(r"\D+", re.ASCII)
_MERGES = 3


class Contacts:
    """The contacts of one organisation."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def push(self, contact: Contact, external_id: str) -> Pushed:
        """Bring a contact up to date, by id, else by our own id, else by e-mail; else make one."""
        there = await self._by_id(require_id(external_id, "contact")) if external_id else None
        there = there or await self._find(contact)
        if there is not None:
            await self._update(there, contact)
            return Pushed(text_of(there, "ContactID"))
        return await self._create(contact)

    async def _by_id(self, contact_id: str) -> Record | None:
        """Return a contact, or the one that it was merged into; None where it is gone or archived."""
        for _ in range(_MERGES):
            there = await self._api.read("Contacts", contact_id)
            merged_into = text_of(there, "MergedToContactID") if there else ""
            if not merged_into or merged_into == contact_id:
                return there if there and is_active(there) else None
            contact_id = require_id(merged_into, "contact")
        return None

    async def _find(self, contact: Contact) -> Record | None:
        number = str(contact.id)
        found = await self._api.all("Contacts", searchTerm=number)
        ours = [each for each in found if text_of(each, "ContactNumber") == number and is_active(each)]
        if ours or not contact.email:
            return ours[0] if ours else None
        found = await self._api.all("Contacts", searchTerm=contact.email)
        same = [each for each in found if _email(each) == contact.email.casefold() and is_active(each)]
        # One that nobody else has marked goes first.
        return min(same, key=lambda each: bool(text_of(each, "ContactNumber")), default=None)

    async def _create(self, contact: Contact) -> Pushed:
        if not (contact.name or contact.company):
            raise PermanentError("the contact has neither name, e-mail nor phone: a customer needs one")
        for name in names_for(contact):
            body = {"Name": name, "ContactNumber": str(contact.id), **wanted(contact)}
            try:
                made = await self._api.write("PUT", "Contacts", body, key=idempotency_key("contact", body))
            except RefusedError as refusal:
                if not is_taken(refusal):
                    raise
                holder = await self._named(name)
                if holder is None or not is_same(holder, contact):
                    continue
                await self._update(holder, contact)
                return Pushed(text_of(holder, "ContactID"))
            return Pushed(text_of(made, "ContactID"), created=True)
        raise PermanentError(f"every name that could be the customer's is taken, up to {name!r}: rename one of them")

    async def _named(self, name: str) -> Record | None:
        found = await self._api.all("Contacts", searchTerm=name)
        return next((each for each in found if text_of(each, "Name").casefold() == name.casefold()), None)

    async def _update(self, there: Record, contact: Contact) -> None:
        contact_id = text_of(there, "ContactID")
        changes = changes_to(there, contact)
        while changes:
            body = {"ContactID": contact_id, **changes}
            key = idempotency_key("contact", text_of(there, "UpdatedDateUTC"), body)
            try:
                await self._api.write("POST", "Contacts", body, key=key, record_id=contact_id)
            except RefusedError as refusal:
                if "Name" not in changes or not is_taken(refusal):
                    raise
                del changes["Name"]
            else:
                return


def names_for(contact: Contact) -> list[str]:
    """Return the names that a contact may have at Xero, the plainest first; the last is nobody else's."""
    full = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    base = _line(full or contact.company or contact.email or contact.phone)[:150]
    marks = [contact.email or contact.own_phone, contact.id.hex[-12:]]
    return list(dict.fromkeys([base, *(f"{base} ({mark})"[:_MOST_PART] for mark in marks if mark and mark != base)]))


def wanted(contact: Contact) -> dict[str, Any]:
    """Return what a contact says, as Xero's fields; what is empty here is left out."""
    fields: dict[str, Any] = {
        "FirstName": _line(contact.first_name)[:_MOST_PART],
        "LastName": _line(contact.last_name)[:_MOST_PART],
        "EmailAddress": contact.email,
        "Phones": contact.phone and [{"PhoneType": "DEFAULT", "PhoneNumber": contact.phone[:_MOST_PHONE]}],
    }
    return {key: value for key, value in fields.items() if value}


def changes_to(there: Record, contact: Contact) -> dict[str, Any]:
    """Return the fields that differ. A name is changed only where it is but first and last name, and a number never."""
    changes: dict[str, Any] = {}
    for key, value in wanted(contact).items():
        if key == "Phones":
            if _digits(contact.phone) != phone_of(there, "DEFAULT"):
                # The others go with it, in case Xero takes the list for all there is.
                others = [each for each in list_of(there, "Phones") if each.get("PhoneType") != "DEFAULT"]
                changes[key] = [*map(_sendable, others), *value]
        elif key == "EmailAddress" and _email(there) == value.casefold():
            continue
        elif text_of(there, key) != value:
            changes[key] = value
    automatic = " ".join(filter(None, (text_of(there, "FirstName"), text_of(there, "LastName"))))
    name = _line(" ".join(part for part in (contact.first_name, contact.last_name) if part))
    if changes.keys() & {"FirstName", "LastName"} and automatic and automatic == text_of(there, "Name") and name:
        changes["Name"] = name[:_MOST_PART]
    if not text_of(there, "ContactNumber"):
        changes["ContactNumber"] = str(contact.id)
    return changes


def is_same(there: Record, contact: Contact) -> bool:
    """Tell whether who holds the contact's name is the contact: by e-mail, where one has none by phone, or our mark."""
    if _email(there) and contact.email:
        return _email(there) == contact.email.casefold()
    phone = _digits(contact.own_phone)
    kinds = ("DEFAULT", "MOBILE", "DDI", "OFFICE")
    is_phone = bool(phone) and phone in [phone_of(there, kind) for kind in kinds]
    return is_phone or text_of(there, "Name") == names_for(contact)[-1]


def is_active(there: Record) -> bool:
    """Tell whether a contact is neither archived nor erased."""
    return text_of(there, "ContactStatus") in {"", "ACTIVE"}


def is_taken(refusal: RefusedError) -> bool:
    """Tell whether a name was refused because another active contact has it."""
    return refusal.says("name", "unique") or refusal.says("name", "already")


def phone_of(there: Record, kind: str) -> str:
    """Return the digits of a phone, whose country and area Xero keeps apart."""
    for each in list_of(there, "Phones"):
        if each.get("PhoneType") == kind:
            parts = (text_of(each, key) for key in ("PhoneCountryCode", "PhoneAreaCode", "PhoneNumber"))
            return _digits("".join(parts))
    return ""


def _sendable(phone: Record) -> dict[str, str]:
    keys = ("PhoneType", "PhoneNumber", "PhoneAreaCode", "PhoneCountryCode")
    return {key: value for key in keys if (value := text_of(phone, key))}


def _email(there: Record) -> str:
    return text_of(there, "EmailAddress").strip().casefold()


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)
