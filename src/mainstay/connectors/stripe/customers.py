"""A contact as a customer of Stripe: found by our mark in its metadata, or by its e-mail address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.stripe.api import PAGE, TURNS, Api, key_of, mark, objects, optional, require_id, text
from mainstay.connectors.stripe.errors import KeyTakenError, MissingError, StaleKeyError
from mainstay.kit import Contact, NeedsHumanError, PermanentError, Pushed, TransientError

MARK = "mainstay_contact"
_MOST_NAME, _MOST_METADATA, _MOST_EMAIL = 256, 500, 512


class Customers:
    """Finds, updates and makes customers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def push(self, contact: Contact, external_id: str) -> Pushed:
        """Write a contact; Stripe itself knows no two customers from one, so it is looked for first."""
        fields = _fields(contact)
        if external_id and await self._update(require_id(external_id, "a customer"), fields):
            return Pushed(external_id)
        for turn in range(TURNS):
            found = await self._find(contact)
            if found:
                if await self._update(found, fields):
                    return Pushed(found)
                continue
            try:
                made, is_replayed = await self._api.post("/v1/customers", fields, key_of("customer", contact.id, turn))
            except StaleKeyError:
                continue
            except KeyTakenError as error:
                # It was made of this contact a moment ago, with another e-mail address; or it is being made now.
                text_ = "Stripe made a customer of this contact a moment ago, and its search does not show it yet"
                raise TransientError(text_, status=error.status, retry_after=60.0) from error
            customer = text(made, "id")
            if not is_replayed:
                return Pushed(customer, created=True)
            if await self._update(customer, fields):
                return Pushed(customer)
        raise TransientError("Stripe goes on repeating how an earlier try broke", retry_after=60.0)

    async def _update(self, customer_id: str, fields: Mapping[str, str]) -> bool:
        """Tell whether the customer was there to be updated. No key: a repeat leaves the same."""
        try:
            answer, _ = await self._api.post(f"/v1/customers/{customer_id}", fields)
        except MissingError:
            return False
        return answer.get("deleted") is not True

    async def _find(self, contact: Contact) -> str:
        """Return the customer's id, or nothing.

        The list by e-mail shows what was made just now, and is exact; the search finds our mark and any spelling of
        the address, and is a minute behind.
        """
        if contact.email:
            listed = await self._api.get("/v1/customers", {"email": contact.email, "limit": str(PAGE)})
            if found := _best(objects(listed), contact):
                return found
        said = [f'metadata["{MARK}"]:"{contact.id}"']
        if contact.email:
            quoted = contact.email.replace("\\", "\\\\").replace('"', '\\"')
            said.append(f'email:"{quoted}"')
        try:
            searched = await self._api.get("/v1/customers/search", {"query": " OR ".join(said), "limit": str(PAGE)})
        except NeedsHumanError:
            raise
        except PermanentError:
            # Stripe has no search for accounts in India.
            return ""
        return _best(objects(searched), contact)


def _best(customers: list[Mapping[str, Any]], contact: Contact) -> str:
    """Return the one with our mark, else the oldest with the address; nothing where none fits."""
    email = contact.email.casefold()
    ours = [each for each in customers if mark(each, MARK) == str(contact.id)]
    same = [each for each in customers if email and optional(each, "email").casefold() == email]
    live = [each for each in ours or same if each.get("deleted") is not True]
    oldest = min(live, key=lambda each: (_made(each), text(each, "id")), default=None)
    return require_id(text(oldest, "id"), "a customer") if oldest else ""


def _made(customer: Mapping[str, Any]) -> int:
    created = customer.get("created")
    return created if isinstance(created, int) else 0


def _fields(contact: Contact) -> dict[str, str]:
    """Return what is known of a contact; what is empty is left as it is there."""
    person = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    fields = {
        "email": contact.email[:_MOST_EMAIL],
        "name": (person or contact.company)[:_MOST_NAME],
        "phone": contact.phone,
        f"metadata[{MARK}]": str(contact.id),
        "metadata[company]": contact.company[:_MOST_METADATA] if person else "",
    }
    return {name: value for name, value in fields.items() if value}
