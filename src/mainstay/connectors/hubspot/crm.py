"""HubSpot's contacts as the role ``crm``, over ``/crm/v3``.

Vendor facts: the contract ``hubspot.json``; the 409 with "Existing ID" and the search lag from
github.com/HubSpot/hubspot-api-nodejs issue 545 and hubspot-api-php issue 59.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

import phonenumbers

from mainstay.connectors.hubspot import batches, notes, pulling
from mainstay.connectors.hubspot.contact import (
    CONTACTS,
    SEARCH_LAG,
    path,
    read_contact,
    record_in,
    require_json,
    split_tags,
    value_of,
)
from mainstay.connectors.hubspot.merging import merge
from mainstay.connectors.hubspot.records import KINDS
from mainstay.connectors.hubspot.settings import BASE_URL, OPT_OUT, HubSpotConnection
from mainstay.kit import (
    Contact,
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    Pulled,
    PulledRecords,
    Pushed,
    RecordType,
    Response,
    Sent,
    Submission,
    TransientError,
    VendorError,
)
from mainstay.kit.http import classify as classify_common

WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
LOCKED_WAIT, MIGRATION_WAIT = 2.0, 600.0
_EXISTING_ID = re.compile(r"Existing ID:\s*(\d{1,20})")
_LOCKED, _MIGRATING = 423, 477


def http_settings(settings: HubSpotConnection) -> HttpSettings:
    """Return base address, credentials and the error mapping."""
    token = settings.token.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or BASE_URL,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        secrets=(token,) if token else (),
        classify=classify,
    )


def record_url(settings: HubSpotConnection, external_id: str) -> str:
    """Return the contact's page in HubSpot; empty without ``portal_id``."""
    if not settings.portal_id:
        return ""
    return f"https://app.hubspot.com/contacts/{settings.portal_id}/record/0-1/{external_id}"


def classify(response: Response) -> VendorError | None:
    """Map an answer: a locked record and an account in migration are transient, 429 waits as long as its policy."""
    error = classify_common(response)
    status = response.status
    if isinstance(error, NeedsHumanError):
        return NeedsHumanError(
            f"{error}. Check the private app's token and scopes under Settings > Integrations > Private Apps",
            status=status,
        )
    if status == 429:
        return TransientError(str(error), status=status, retry_after=response.retry_after or _wait(response))
    if status == _LOCKED:
        return TransientError(str(error), status=status, retry_after=response.retry_after or LOCKED_WAIT)
    if status == _MIGRATING:
        return TransientError(str(error), status=status, retry_after=response.retry_after or MIGRATION_WAIT)
    return error


def _wait(response: Response) -> float:
    data = response.data if isinstance(response.data, dict) else {}
    policy = data.get("policyName")
    if isinstance(policy, str) and policy in WAITS:
        return WAITS[policy]
    return WAITS["SECONDLY"] if "secondly" in str(data.get("message")) else WAITS["TEN_SECONDLY_ROLLING"]


class HubSpotCRM:
    """One account's contacts. A new contact with an e-mail is one call, tags included."""

    def __init__(self, settings: HubSpotConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        """Update by id, else create; HubSpot names the contact that already has the e-mail, and that is updated.

        HubSpot tells no two contacts apart by phone: without an e-mail they are searched for first. An e-mail that
        another contact holds is left out of an update: the vendor refuses it.
        """
        properties = self._properties(contact)
        if external_id and (standing := await self._update(external_id, contact, properties)):
            return Pushed(standing)
        if not contact.email and not contact.own_phone:
            raise PermanentError(
                f"the contact has no e-mail{' and shares its phone with another' if contact.phone else ' and no phone'}"
                ", so HubSpot could not find it again and would double it: add an e-mail, or merge the two"
            )
        if contact.own_phone and (self._settings.match_phone or not contact.email):
            found = await self._find_by_phone(contact)
            if found and (standing := await self._update(found, contact, properties)):
                return Pushed(standing)
        return await self._create(contact, properties)

    async def push_contacts(self, contacts: Sequence[tuple[Contact, str]]) -> list[Pushed | VendorError]:
        """Write many, a hundred by a call; whom a batch does not answer for is pushed singly."""
        outcomes: list[Pushed | VendorError] = []
        for start in range(0, len(contacts), batches.MOST):
            outcomes += await self._push_batch(contacts[start : start + batches.MOST])
        return outcomes

    async def _push_batch(self, contacts: Sequence[tuple[Contact, str]]) -> list[Pushed | VendorError]:
        by_id, by_email = batches.parts(contacts, by_phone=self._settings.match_phone)
        done: dict[str, Pushed] = {}
        for people, write in ((by_id, batches.update), (by_email, batches.upsert)):
            changes = await self._changes(people, by_email=people is by_email)
            done |= await write(self._http, changes)
            # What has nothing to say is said.
            done |= {key: Pushed(key) for key in people.keys() - changes.keys()}
        people = by_id | by_email
        outcomes: list[Pushed | VendorError] = []
        for contact, external_id in contacts:
            key = external_id or contact.email.lower()
            if key in done and people.get(key) is contact:
                outcomes.append(done[key])
                continue
            try:
                outcomes.append(await self.push_contact(contact, external_id))
            except VendorError as error:
                outcomes.append(error)
        return outcomes

    async def _changes(self, people: dict[str, Contact], *, by_email: bool) -> dict[str, dict[str, str]]:
        """Return what is to be written of each: its properties, and its tags beside those that are there."""
        name = self._settings.tag_property
        tagged = [key for key, contact in people.items() if contact.tags and name]
        present = await batches.read_tags(self._http, tagged, name, by_email=by_email)
        changes = {key: self._properties(contact) for key, contact in people.items()}
        for key in tagged:
            held = present.get(key, [])
            if missing := _missing(people[key].tags, held):
                changes[key][name] = _joined(held, missing)
        return {key: properties for key, properties in changes.items() if properties}

    async def fetch_contact(self, external_id: str) -> Submission | None:
        """Read one contact; None when it does not exist (any more)."""
        return await read_contact(
            self._http,
            external_id,
            properties=self._settings.properties,
            tag_property=self._settings.tag_property,
        )

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag to the tag property. Two at the very same moment on one contact may lose one."""
        if not self._settings.tag_property:
            raise NeedsHumanError(
                "HubSpot contacts have no tags and this connection has no tag_property: name a multi-line text "
                "property in stack.toml"
            )
        changed = await self._with_tags(external_id, (tag,))
        if changed is None:
            raise PermanentError(f"there is no contact {external_id} in HubSpot (any more)", status=404)
        if changed:
            response = await self._patch(external_id, changed)
            self._refuse(response, changed)
            require_json(response)

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note to the contact's timeline. The vendor takes no idempotency key: a repeat is a second note."""
        await notes.add(self._http, external_id, text)

    async def find_add_note(self, external_id: str, text: str) -> Sent | None:
        """Look for a note of this text that is no older than this step's first try."""
        return await notes.find(self._http, external_id, text)

    async def merge_contacts(self, survivor_id: str, merged_id: str) -> str:
        """Merge one contact into another and return the id that stands. HubSpot cannot undo it."""
        return await merge(self._http, survivor_id, merged_id)

    async def delete_contact(self, external_id: str) -> None:
        """Archive one contact: HubSpot's people can restore it for 90 days."""
        response = await self._http.request("DELETE", path(external_id), accept=(404,))
        if response.status not in {204, 404}:
            raise TransientError(f"{response.status}: unexpected answer", status=response.status, unsure=True)

    async def pull_contacts(self, cursor: str) -> Pulled:
        """Read one batch of contacts that changed since ``cursor``. Of those that are gone, only webhooks tell."""
        settings = self._settings
        return await pulling.pull(
            self._http, cursor, properties=settings.properties, tag_property=settings.tag_property
        )

    async def pull_records(self, kind: RecordType, cursor: str) -> PulledRecords:
        """Read one batch of deals or companies that changed. Of those that are gone, only webhooks tell."""
        return await pulling.pull_objects(self._http, KINDS[kind], cursor)

    def _properties(self, contact: Contact) -> dict[str, str]:
        properties = {
            "email": contact.email,
            "phone": contact.phone,
            "firstname": contact.first_name,
            "lastname": contact.last_name,
            "company": contact.company,
        }
        for key, name in self._settings.properties.items():
            properties[name] = _value(contact, key)
        return {name: value for name, value in properties.items() if value}

    async def _create(self, contact: Contact, properties: dict[str, str]) -> Pushed:
        send = dict(properties)
        if contact.tags and self._settings.tag_property:
            send[self._settings.tag_property] = _joined([], contact.tags)
        try:
            response = await self._http.request(
                "POST", CONTACTS, json={"properties": send, "associations": []}, accept=(400, 409)
            )
        except TransientError as error:
            if contact.email or not (error.unsure or (error.status or 0) >= 500):
                raise
            # It may be there, and only a search can tell: not before the vendor's search knows of it.
            raise TransientError(str(error), status=error.status, retry_after=SEARCH_LAG, unsure=True) from error
        if response.status == 409:
            found = await self._existing(response, contact)
            if standing := await self._update(found, contact, properties):
                return Pushed(standing)
            raise TransientError(f"contact {found} was found and is gone a moment later")
        self._refuse(response, send)
        return Pushed(str(record_in(response)["id"]), created=True)

    async def _existing(self, response: Response, contact: Contact) -> str:
        found = _existing_id(response)
        if found:
            return found
        # The message is not in the vendor's contract. A read by e-mail does not lag as a search would.
        answer = await self._http.request(
            "GET", f"{CONTACTS}/{quote(contact.email, safe='')}", params={"idProperty": "email"}, accept=(404,)
        )
        if answer.status == 404:
            raise classify(response) or PermanentError("409 for a contact that is not there", status=409)
        return str(record_in(answer)["id"])

    async def _update(self, external_id: str, contact: Contact, properties: dict[str, str]) -> str:
        """Write properties and missing tags; returns the id that stands, empty when gone."""
        send = dict(properties)
        if contact.tags and self._settings.tag_property:
            changed = await self._with_tags(external_id, contact.tags)
            if changed is None:
                return ""
            send |= changed
        if not send:
            return external_id
        response = await self._patch(external_id, send)
        if response.status == 409 and "email" in send:
            del send["email"]
            response = await self._patch(external_id, send)
        if response.status == 404:
            return ""
        self._refuse(response, send)
        return str(record_in(response)["id"])

    async def _patch(self, external_id: str, properties: dict[str, str]) -> Response:
        return await self._http.request(
            "PATCH", path(external_id), json={"properties": properties}, accept=(400, 404, 409)
        )

    async def _with_tags(self, external_id: str, tags: tuple[str, ...]) -> dict[str, str] | None:
        """Return the tag property with ``tags`` added, empty when they are there already; None without a contact."""
        name = self._settings.tag_property
        response = await self._http.request("GET", path(external_id), params={"properties": name}, accept=(404,))
        if response.status == 404:
            return None
        present = split_tags(value_of(record_in(response), name))
        missing = _missing(tags, present)
        return {name: _joined(present, missing)} if missing else {}

    async def _find_by_phone(self, contact: Contact) -> str:
        """Return the oldest contact with this phone, whatever way it is written; empty when there is none."""
        only = [{"propertyName": "email", "operator": "NOT_HAS_PROPERTY"}] if contact.email else []
        digits, national = contact.phone.lstrip("+"), _national(contact.phone)
        values = {"phone": contact.phone, "mobilephone": contact.phone}
        # HubSpot's own normal form of the phone has no country code.
        values |= {"hs_searchable_calculated_phone_number": national} if national else {}
        response = await self._http.request(
            "POST",
            f"{CONTACTS}/search",
            json={
                "filterGroups": [
                    {"filters": [{"propertyName": name, "operator": "EQ", "value": value}, *only]}
                    for name, value in values.items()
                ],
                "properties": ["phone", "mobilephone", "createdate"],
                "sorts": ["createdate"],
                "limit": 10,
                "after": "0",
            },
        )
        results = response.data.get("results") if isinstance(response.data, dict) else None
        if not isinstance(results, list):
            raise TransientError(f"{response.status}: the answer has no results in it", status=response.status)
        for record in results:
            written = (value_of(record, name) for name in ("phone", "mobilephone"))
            if any(_same_number(value, digits, national) for value in written):
                return str(record["id"])
        return ""

    def _refuse(self, response: Response, sent: dict[str, str]) -> None:
        """Raise what an answer means that was let through; a missing tag property is a person's to mend."""
        if response.status < 300:
            return
        error = classify(response) or PermanentError(f"{response.status}: unexpected answer", status=response.status)
        name = self._settings.tag_property
        if response.status == 400 and name in sent and name in str(response.body, errors="replace"):
            raise NeedsHumanError(
                f"{error}. Tags are kept in the contact property {name!r}: create it in HubSpot (Settings > "
                "Properties > Create property, multi-line text), or set tag_property in stack.toml",
                status=400,
            )
        raise error


def _value(contact: Contact, key: str) -> str:
    if key == "source":
        return contact.source
    if key == OPT_OUT:
        return "true" if contact.do_not_contact else ""
    return contact.custom.get(key, "")


def _existing_id(response: Response) -> str:
    message = response.data.get("message") if isinstance(response.data, dict) else None
    found = _EXISTING_ID.search(message) if isinstance(message, str) else None
    return found[1] if found else ""


def _tag(tag: str) -> str:
    # A semicolon would make two tags of one.
    return tag.replace(";", ",").strip()


def _missing(tags: tuple[str, ...], present: list[str]) -> list[str]:
    known = {tag.lower() for tag in present}
    return [tag for tag in tags if _tag(tag).lower() not in known]


def _joined(present: list[str], added: tuple[str, ...] | list[str]) -> str:
    return ";".join([*present, *map(_tag, added)])


def _national(phone: str) -> str:
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return ""


def _same_number(written: str, digits: str, national: str) -> bool:
    """Whether a number as people wrote it is ours: whole, or without country code."""
    found = re.sub(r"\D", "", written)
    if written.strip().startswith(("+", "00")):
        return found.removeprefix("00") == digits
    return bool(found) and found.lstrip("0") in {digits, national.lstrip("0")}
