"""GoHighLevel's contacts as the role ``crm``, over API version 2021-07-28.

Vendor facts: the contract ``gohighlevel.json``, and github.com/GoHighLevel/highlevel-api-docs issues 37 (two-match
upsert), 64 (a 422 may have created), 314 (fields that PUT really takes) and 337 (an upsert by a secondary e-mail).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn
from urllib.parse import quote

from mainstay.connectors.gohighlevel import pulling
from mainstay.connectors.gohighlevel.contact import to_submission
from mainstay.connectors.gohighlevel.settings import BASE_URL, GoHighLevelConnection
from mainstay.kit import (
    Contact,
    Http,
    HttpSettings,
    MalformedError,
    NeedsHumanError,
    PermanentError,
    Pulled,
    Pushed,
    Response,
    Sent,
    Submission,
    TransientError,
    VendorError,
)
from mainstay.kit.http import classify as classify_common
from mainstay.kit.lookup import is_of_this_try, same_text

VERSION = "2021-07-28"
RATE_INTERVAL = 10.0
DAILY_PAUSE = 3600.0
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_BAD_REQUEST, _NOT_FOUND, _UNPROCESSABLE, _TOO_MANY = 400, 404, 422, 429
_UNIQUE_FIELDS = ("phone", "email")
# The published contract of PUT lacks companyName, and unknown keys are refused with 422. Issue 314 saw it taken.
_NOT_IN_UPDATE = frozenset({"companyName"})
Record = Mapping[str, Any]
Fields = Mapping[str, Any]


def http_settings(settings: GoHighLevelConnection) -> HttpSettings:
    """Return base address, the Version header that every call needs, and the error mapping."""
    token = settings.token.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or BASE_URL,
        headers={"Version": VERSION} | ({"Authorization": f"Bearer {token}"} if token else {}),
        secrets=(token,) if token else (),
        classify=classify,
    )


def record_url(settings: GoHighLevelConnection, external_id: str) -> str:
    """Return the contact's page in GoHighLevel."""
    return f"{settings.app_url.rstrip('/')}/v2/location/{settings.location_id}/contacts/detail/{external_id}"


def classify(response: Response) -> VendorError | None:
    """Map an answer: 401 and 403 say how to mend, 429 waits what the limit headers say, 422 may have taken effect."""
    error = classify_common(response)
    if isinstance(error, NeedsHumanError):
        return NeedsHumanError(
            f"{error}. Check the location's token and its scopes in Settings > Private Integrations, and location_id",
            status=response.status,
        )
    if response.status == _TOO_MANY:
        return TransientError(str(error), status=response.status, retry_after=_wait(response))
    if response.status == _UNPROCESSABLE:
        return PermanentError(str(error), status=response.status, unsure=True)
    return error


def _wait(response: Response) -> float:
    if response.retry_after is not None:
        return response.retry_after
    if response.headers.get("x-ratelimit-daily-remaining", "").strip() == "0":
        return DAILY_PAUSE
    interval = response.headers.get("x-ratelimit-interval-milliseconds", "")
    return int(interval) / 1000 if interval.isascii() and interval.isdigit() else RATE_INTERVAL


class GoHighLevelCRM:
    """One location's contacts. A new contact without tags is a look-up and an upsert."""

    def __init__(self, settings: GoHighLevelConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        """Update by id, else look it up, else upsert.

        Tags go through their own endpoint: anywhere else they replace all others. Where e-mail and phone belong to two
        contacts there, the e-mail's contact is ours and the other keeps its phone: the vendor refuses, or silently
        drops, a value that another contact holds.
        """
        fields = self._fields(contact)
        record = await self._update(external_id, fields) if external_id else None
        pushed = Pushed(external_id)
        if record is None:
            record, pushed = await self._upsert(contact, fields)
        present = {tag.lower() for tag in record.get("tags") or () if isinstance(tag, str)}
        missing = [tag for tag in contact.tags if tag.lower() not in present]
        if missing:
            await self._add_tags(pushed.external_id, missing)
        return pushed

    async def fetch_contact(self, external_id: str) -> Submission | None:
        """Read one contact; None when it does not exist (any more)."""
        response = await self._http.request("GET", _path(external_id), accept=(_BAD_REQUEST, _NOT_FOUND))
        if _is_gone(response):
            return None
        record = _contact(response)
        try:
            submission = to_submission(record, connection="", custom_fields=self._settings.custom_fields)
        except MalformedError as error:
            raise PermanentError(f"contact {external_id}: {error}", status=response.status) from error
        return replace(submission, external_id=external_id)

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag; GoHighLevel keeps tags in lower case."""
        await self._add_tags(external_id, [tag])

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note to the contact. The vendor takes no idempotency key: a repeat is a second note."""
        _require_json(await self._http.request("POST", _path(external_id, "/notes"), json={"body": text}))

    async def find_add_note(self, external_id: str, text: str) -> Sent | None:
        """Look for a note of this text that is no older than this step's first try."""
        response = await self._http.request("GET", _path(external_id, "/notes"))
        _require_json(response)
        for note in response.data.get("notes") or ():
            if same_text(note.get("body"), text) and is_of_this_try(note.get("dateAdded"), response, self._http):
                return Sent(str(note.get("id") or ""))
        return None

    async def delete_contact(self, external_id: str) -> None:
        """Delete one contact, which GoHighLevel does for good."""
        response = await self._http.request("DELETE", _path(external_id), accept=(_BAD_REQUEST, _NOT_FOUND))
        if _is_gone(response):
            return
        if response.status >= _BAD_REQUEST:
            _refuse(response)
        _require_json(response)

    async def pull_contacts(self, cursor: str) -> Pulled:
        """Read one batch of contacts that changed since ``cursor``. Of those that are gone, only webhooks tell."""
        settings = self._settings
        if not settings.pull_by_date_updated:
            raise NeedsHumanError(
                "pulling changes from GoHighLevel rests on a search that its contract leaves open: try it with "
                "pull_by_date_updated = true in stack.toml, which checks each answer"
            )
        return await pulling.pull(
            self._http, cursor, location_id=settings.location_id, custom_fields=settings.custom_fields
        )

    async def _add_tags(self, external_id: str, tags: list[str]) -> None:
        _require_json(await self._http.request("POST", _path(external_id, "/tags"), json={"tags": tags}))

    def _fields(self, contact: Contact) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "firstName": contact.first_name,
            "lastName": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
            "companyName": contact.company,
            "source": contact.source,
            # That it may be contacted again is not told: a person there may have had their own word on it.
            "dnd": contact.do_not_contact,
            "customFields": [
                {"id": field_id, "field_value": value}
                for key, field_id in self._settings.custom_fields.items()
                if (value := contact.custom.get(key))
            ],
        }
        return {key: value for key, value in fields.items() if value}

    async def _update(self, external_id: str, fields: Fields) -> Record | None:
        """Return the updated contact, or None when it is gone.

        An e-mail goes by itself, where it differs there and nobody has it: a secondary one of the contact's own would
        put its primary one out.
        """
        email = str(fields.get("email") or "")
        record = await self._put(external_id, _without(fields, "email"))
        if record is None or not email or str(record.get("email") or "").lower() == email.lower():
            return record
        return record if await self._owner(email=email) else await self._put(external_id, {"email": email})

    async def _put(self, external_id: str, fields: Fields) -> Record | None:
        send = {key: value for key, value in fields.items() if key not in _NOT_IN_UPDATE}
        while send:
            response = await self._http.request("PUT", _path(external_id), json=send, accept=(_BAD_REQUEST, _NOT_FOUND))
            if _is_gone(response):
                return None
            held = _held_field(response, send)
            if not held:
                return _contact(response)
            # Another contact holds this value. Without it the rest still arrives, as the vendor's own upsert does.
            del send[held]
        response = await self._http.request("GET", _path(external_id), accept=(_BAD_REQUEST, _NOT_FOUND))
        return None if _is_gone(response) else _contact(response)

    async def _upsert(self, contact: Contact, fields: Fields) -> tuple[Record, Pushed]:
        """Find the contact and update it, else make it.

        The vendor's own matching is left with nothing to match: of a contact that it finds by a secondary e-mail it
        drops the primary one, and of one that it finds by phone it writes over whatever e-mail is there.
        """
        if not contact.email and not contact.own_phone:
            raise PermanentError(
                f"the contact has no e-mail{' and shares its phone with another' if contact.phone else ' and no phone'}"
                ", so GoHighLevel could not tell it apart: add an e-mail, or merge the two"
            )
        if contact.phone != contact.own_phone:
            # By this number the vendor would find the other contact and write over it.
            fields = _without(fields, "phone")
        if self._settings.look_first:
            found, fields = await self._looked_up(contact, fields)
            if found:
                return await self._update_found(found, fields)
        response = await self._http.request(
            "POST",
            "/contacts/upsert",
            json={**fields, "locationId": self._settings.location_id},
            accept=(_BAD_REQUEST, _UNPROCESSABLE),
        )
        if response.status == _UNPROCESSABLE:
            # The vendor says no, and may have made the contact all the same.
            made, fields = await self._looked_up(contact, fields)
            if not made:
                _refuse(response)
            record, pushed = await self._update_found(made, fields)
            return record, replace(pushed, created=self._settings.look_first)
        duplicate = _duplicate(response)
        if duplicate is not None:
            return await self._update_found(duplicate, fields)
        record = _contact(response)
        if not _is_other(record, contact.email):
            return record, Pushed(_id(record, response), created=response.data.get("new") is True)
        owner = await self._owner(email=contact.email)
        if owner is None:
            return record, Pushed(_id(record, response))
        return await self._update_found(owner["id"], _without(fields, "phone"))

    async def _looked_up(self, contact: Contact, fields: Fields) -> tuple[str, Fields]:
        """Return the id of the contact's record, empty where there is none, and what is to be written to it.

        It is the e-mail's; where nobody has that, the phone's, if that has no other e-mail.
        """
        email, phone = contact.email, str(fields.get("phone") or "")
        record = await self._owner(email=email, number=phone)
        if record is None:
            return "", fields
        if not _is_other(record, email):
            return record["id"], fields
        # By a secondary e-mail, or by the phone: the answer does not tell which.
        owner = (await self._owner(email=email)) if phone else record
        if owner is None:
            # Somebody else who has the same number.
            return "", _without(fields, "phone")
        return owner["id"], fields

    async def _update_found(self, external_id: str, fields: Fields) -> tuple[Record, Pushed]:
        record = await self._update(external_id, fields)
        if record is None:
            raise TransientError(f"contact {external_id} was found and is gone a moment later")
        company = fields.get("companyName")
        if company and record.get("companyName") != company and (known := _known_by(record, fields)):
            # No update takes it; an upsert by what is the contact's alone does.
            said = {**known, "companyName": company, "locationId": self._settings.location_id}
            _contact(await self._http.request("POST", "/contacts/upsert", json=said, accept=(_BAD_REQUEST,)))
        return record, Pushed(external_id)

    async def _owner(self, **asked: str) -> Record | None:
        """Return who has an e-mail or a number, as the location itself looks for duplicates; None for nobody."""
        params = {name: value for name, value in asked.items() if value}
        response = await self._http.request(
            "GET", "/contacts/search/duplicate", params={"locationId": self._settings.location_id, **params}
        )
        _require_json(response)
        record = response.data.get("contact")
        found = record.get("id") if isinstance(record, dict) else None
        return record if isinstance(found, str) and _ID.fullmatch(found) else None


def _path(external_id: str, below: str = "") -> str:
    if not _ID.fullmatch(external_id):
        raise PermanentError(f"{external_id[:80]!r} is not the id of a GoHighLevel contact")
    return f"/contacts/{quote(external_id, safe='')}{below}"


def _require_json(response: Response) -> None:
    """Refuse a success without the vendor's own answer: a proxy's page with status 200 has done nothing."""
    if not isinstance(response.data, dict):
        raise TransientError(f"{response.status}: the answer is not JSON", status=response.status, unsure=True)


def _contact(response: Response) -> Mapping[str, Any]:
    if response.status >= _BAD_REQUEST:
        _refuse(response)
    record = response.data.get("contact") if isinstance(response.data, dict) else None
    if not isinstance(record, dict):
        raise TransientError(f"{response.status}: the answer has no contact in it", status=response.status, unsure=True)
    return record


def _id(record: Mapping[str, Any], response: Response) -> str:
    found = record.get("id")
    if not isinstance(found, str) or not found:
        raise TransientError(f"{response.status}: the contact has no id", status=response.status, unsure=True)
    return found


def _refuse(response: Response) -> NoReturn:
    raise classify(response) or PermanentError(f"{response.status}: unexpected answer", status=response.status)


def _message(response: Response) -> str:
    message = response.data.get("message") if isinstance(response.data, dict) else None
    return "; ".join(map(str, message)) if isinstance(message, list) else str(message or "")


def _without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _is_gone(response: Response) -> bool:
    if response.status == _NOT_FOUND:
        return True
    return response.status == _BAD_REQUEST and "not found" in _message(response).lower()


def _meta(response: Response) -> Mapping[str, Any]:
    if response.status != _BAD_REQUEST or not isinstance(response.data, dict):
        return {}
    meta = response.data.get("meta")
    return meta if isinstance(meta, dict) else {}


def _duplicate(response: Response) -> str | None:
    """Return the id of the contact that a refused write collided with."""
    found = _meta(response).get("contactId")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _held_field(response: Response, sent: Mapping[str, Any]) -> str:
    """Return the sent field whose value another contact holds; empty when that is not what was answered."""
    if _duplicate(response) is None:
        return ""
    named = _meta(response).get("matchingField")
    return next((field for field in _UNIQUE_FIELDS if field in sent and named in {field, None}), "")


def _is_other(record: Record, email: str) -> bool:
    """Tell whether a record found by an e-mail and a phone has another e-mail as its primary one."""
    there = record.get("email")
    return bool(email) and isinstance(there, str) and bool(there) and there.lower() != email.lower()


def _known_by(record: Record, fields: Fields) -> dict[str, str]:
    """Return what of ``fields`` names the record and nobody else: its primary e-mail, else its phone."""
    for name in ("email", "phone"):
        ours, theirs = fields.get(name), record.get(name)
        if isinstance(ours, str) and isinstance(theirs, str) and ours.lower() == theirs.lower():
            return {name: ours}
    return {}
