"""Salesforce's people as the role ``crm``, over the REST API.

Vendor facts: developer.salesforce.com, REST API Developer Guide (sObject rows, upsert, query, search).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mainstay.connectors.salesforce import notes, phones, pulling
from mainstay.connectors.salesforce.contact import (
    KEY_IS_EMAIL,
    by_id,
    compared_fields,
    own_key,
    required,
    select,
    split_tags,
    to_submission,
    written,
)
from mainstay.connectors.salesforce.duplicates import SAVE_ANYWAY, may_be_saved
from mainstay.connectors.salesforce.errors import classify_answer, codes, fields
from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.connectors.salesforce.soql import is_id, one_of, query, quoted, record_id
from mainstay.kit import (
    Contact,
    Http,
    NeedsHumanError,
    PermanentError,
    Pulled,
    Pushed,
    Response,
    Sent,
    Submission,
    TransientError,
)

_GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"})
_DELETED = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})
_CREATED, _NOTHING, _SEVERAL, _BAD_REQUEST, _NOT_FOUND = 201, 204, 300, 400, 404
_MOST_ALIKE = 200

Row = Mapping[str, Any]
Values = dict[str, Any]


class SalesforceCRM:
    """One org's contacts, or leads. Salesforce itself lets any number of records have one e-mail."""

    def __init__(self, settings: SalesforceConnection, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._objects = f"{settings.data}/sobjects/{settings.sobject}"

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        """Update by id, else find by e-mail, then phone, and update that, else create.

        Of several records with the e-mail the oldest is taken. An e-mail that another record holds is left out of an
        update. Fields that are the same there are not sent, so that a repeat changes nothing.
        """
        if external_id:
            record_id(external_id, self._settings.record)
        elif not contact.email and not contact.own_phone:
            raise _not_told_apart(contact)
        values = written(self._settings, contact)
        if self._is_one_call(contact, external_id):
            return await self._upsert_by_email(contact, values)
        if found := await self._find(contact, external_id):
            return await self._update_found(found[0], found, contact, values)
        if not contact.email and not contact.own_phone:
            raise _not_told_apart(contact)
        if row := await self._find_by_phone(contact):
            return await self._update_found(row, [row], contact, values)
        return await self._create(contact, values)

    async def fetch_contact(self, external_id: str) -> Submission | None:
        """Read one record; None when it does not exist (any more)."""
        row = await self._read(external_id)
        return to_submission(self._settings, row) if row else None

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag to the tag field. Two at the very same moment on one record may lose one."""
        name = self._settings.tag_field
        if not name:
            raise NeedsHumanError(
                "Salesforce has no tags on records and this connection has no tag_field: name a text field of theirs "
                "in stack.toml"
            )
        row = await self._read(external_id)
        if row is None:
            raise PermanentError(
                f"there is no {self._settings.record} {external_id} in Salesforce (any more)", status=404
            )
        if tags := self._tags(row, (tag,)):
            response = await self._patch(external_id, tags)
            if response.status >= _SEVERAL:
                raise self._refusal(response)

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note: a task that is done. Salesforce takes no idempotency key: a repeat is a second one."""
        await notes.add(self._http, self._settings, external_id, text)

    async def find_add_note(self, external_id: str, text: str) -> Sent | None:
        """Look for a note of this text that is no older than this step's first try."""
        return await notes.find(self._http, self._settings, external_id, text)

    async def delete_contact(self, external_id: str) -> None:
        """Delete one record: it is in Salesforce's recycle bin for 15 days."""
        path = f"{self._objects}/{record_id(external_id, self._settings.record)}"
        response = await self._http.request("DELETE", path, accept=(_BAD_REQUEST, _NOT_FOUND))
        if response.status != _NOTHING and not _DELETED.intersection(codes(response)):
            raise self._refusal(response)

    async def pull_contacts(self, cursor: str) -> Pulled:
        """Read one batch of records that changed or were deleted since ``cursor``."""
        try:
            return await pulling.pull(self._http, self._settings, cursor)
        except NeedsHumanError as error:
            raise self._with_mend(error) from error

    # ------------------------------------------------------------------------------------------------- finding

    def _is_one_call(self, contact: Contact, external_id: str) -> bool:
        """Whether an upsert by e-mail can do it alone: tags would be written over, and a phone not looked for."""
        settings = self._settings
        has_tags = bool(contact.tags and settings.tag_field)
        by_phone = settings.match_phone and bool(contact.own_phone)
        by_email = settings.external_id_field == KEY_IS_EMAIL and bool(contact.email)
        return by_email and not (external_id or has_tags or by_phone)

    async def _read(self, external_id: str) -> Row | None:
        rows = await self._query(by_id(self._settings, record_id(external_id, self._settings.record)))
        return rows[0] if rows else None

    async def _find(self, contact: Contact, external_id: str) -> list[Row]:
        """Return the records that are, or may be, this contact's: by id, our key, e-mail; the first is it.

        Empty where none is it. Others with the e-mail follow, so that it is known to be taken.
        """
        key = own_key(self._settings)
        ours = str(contact.id)
        asked = [f"Id = {quoted(external_id)}"] if external_id else []
        asked += [f"{key} = {quoted(ours)}"] if key else []
        asked += [f"Email = {quoted(contact.email)}"] if contact.email else []
        if not asked:
            return []
        where = " OR ".join(asked)
        rows = await self._query(f"{self._select(contact, where)} ORDER BY CreatedDate, Id LIMIT {_MOST_ALIKE}")

        def rank(row: Row) -> int:
            if external_id and str(row["Id"])[:15] == external_id[:15]:
                return 0
            # A lead that became a contact can be changed no more: somebody who writes again is a new lead.
            return 3 if row.get("IsConverted") is True else 1 if key and row.get(key) == ours else 2

        found = sorted(rows, key=rank)
        if found and external_id and found[0]["Id"][:15] == external_id[:15] and found[0].get("IsConverted") is True:
            raise PermanentError(
                f"lead {external_id} became contact {found[0].get('ConvertedContactId')} in Salesforce and can be "
                'changed no more: change the contact there, or keep contacts there by record = "contact" in stack.toml'
            )
        return found if found and found[0].get("IsConverted") is not True else []

    async def _find_by_phone(self, contact: Contact) -> Row | None:
        """Return the oldest record with this phone; with an e-mail of our own, only one that has none.

        First as people usually write it, which follows each write at once; then by the search index, which knows any
        punctuation and is behind by a while.
        """
        if not contact.own_phone or not (self._settings.match_phone or not contact.email):
            return None
        spelt = one_of(phones.forms(contact.own_phone))
        where = f"(Phone IN {spelt} OR MobilePhone IN {spelt})" + (" AND Email = null" if contact.email else "")
        rows = await self._query(f"{self._select(contact, where)} ORDER BY CreatedDate, Id LIMIT {_MOST_ALIKE}")
        for row in rows:
            if self._has_phone(row, contact):
                return row
        return await self._search_phone(contact)

    async def _search_phone(self, contact: Contact) -> Row | None:
        local = phones.national(contact.own_phone)
        if not local:
            return None
        sosl = f"FIND {{{local}}} IN PHONE FIELDS RETURNING {self._settings.sobject}(Id, Email, Phone, MobilePhone)"
        response = await self._http.request("GET", f"{self._settings.data}/search", params={"q": sosl})
        rows = response.data.get("searchRecords") if isinstance(response.data, dict) else None
        if not isinstance(rows, list):
            raise TransientError(f"{response.status}: the answer has no searchRecords", status=response.status)
        found = [
            row for row in rows if isinstance(row, dict) and is_id(row.get("Id")) and self._has_phone(row, contact)
        ]
        if not found:
            return None
        rows = await self._query(self._select(contact, f"Id = {quoted(min(str(row['Id']) for row in found))}"))
        return rows[0] if rows else None

    def _has_phone(self, row: Row, contact: Contact) -> bool:
        if (contact.email and row.get("Email")) or row.get("IsConverted") is True:
            return False
        return any(phones.is_same(row.get(name), contact.own_phone) for name in ("Phone", "MobilePhone"))

    def _select(self, contact: Contact, where: str) -> str:
        return select(self._settings, compared_fields(self._settings, contact), where)

    async def _query(self, soql: str) -> list[Row]:
        try:
            return (await query(self._http, self._settings.data, soql))[0]
        except NeedsHumanError as error:
            raise self._with_mend(error) from error

    # ------------------------------------------------------------------------------------------------- writing

    async def _update_found(self, row: Row, alike: Sequence[Row], contact: Contact, values: Values) -> Pushed:
        found = str(row["Id"])
        send = self._changes(row, alike, contact, values)
        if send:
            response = await self._patch(found, send)
            if response.status in {_BAD_REQUEST, _NOT_FOUND} and _GONE.intersection(codes(response)):
                raise TransientError(f"{self._settings.record} {found} was found and is gone a moment later")
            if response.status >= _SEVERAL:
                raise self._refusal(response)
        return Pushed(found)

    def _changes(self, row: Row, alike: Sequence[Row], contact: Contact, values: Values) -> Values:
        """Return what is to be written to a record: what differs there."""
        key, send = own_key(self._settings), dict(values)
        others = [each for each in alike if each["Id"] != row["Id"]]
        if any(str(each.get("Email") or "").lower() == contact.email for each in others):
            send.pop("Email", None)
        if str(row.get("Email") or "").lower() == contact.email:
            send.pop("Email", None)
        if contact.phone and phones.is_same(row.get("Phone"), contact.phone):
            send.pop("Phone", None)
        if key and not row.get(key) and all(each.get(key) != str(contact.id) for each in others):
            send[key] = str(contact.id)
        send |= self._tags(row, contact.tags)
        return {name: value for name, value in send.items() if row.get(name) != value}

    def _tags(self, row: Row | None, tags: Sequence[str]) -> Values:
        """Return the tag field with the tags that it lacks; nothing where it has all."""
        name = self._settings.tag_field
        held = row.get(name) if row and name else ""
        present = split_tags(held) if isinstance(held, str) else []
        known = {tag.lower() for tag in present}
        missing = list(dict.fromkeys(tag for each in tags if (tag := _tag(each)) and tag.lower() not in known))
        return {name: ";".join([*present, *missing])} if name and missing else {}

    async def _create(self, contact: Contact, values: Values) -> Pushed:
        """Make a record that is known not to be there."""
        send = self._for_new(values) | self._tags(None, contact.tags)
        if key := own_key(self._settings):
            return await self._upsert(contact, key, str(contact.id), send)
        if self._settings.external_id_field == KEY_IS_EMAIL and contact.email:
            return await self._upsert_by_email(contact, send)
        return await self._post(contact, send)

    def _for_new(self, values: Values) -> Values:
        missing = {name: self._settings.placeholder for name in required(self._settings) if not values.get(name)}
        account = {"AccountId": self._settings.account_id} if self._settings.account_id else {}
        return missing | account | values

    async def _upsert_by_email(self, contact: Contact, values: Values) -> Pushed:
        send = {name: value for name, value in values.items() if name != "Email"}
        return await self._upsert(contact, "Email", contact.email, send)

    async def _upsert(self, contact: Contact, field: str, value: str, send: Values) -> Pushed:
        path = f"{self._objects}/{field}/{quote(value, safe='')}"
        response = await self._write("PATCH", path, send)
        lacking = set(fields(response, "REQUIRED_FIELD_MISSING")) if response.status == _BAD_REQUEST else set()
        if lacking & set(required(self._settings)) and send != (whole := self._for_new(send)):
            # It is not there, so what stands for a missing name writes over none.
            send = whole
            response = await self._write("PATCH", path, send)
        if response.status != _NOT_FOUND:
            return await self._made(contact, response, "PATCH", path, send)
        if "external id field" in str(response.body, errors="replace").lower():
            raise NeedsHumanError(
                f"{classify_answer(response)}. external_id_field names {field!r}: make it in Setup > Object Manager "
                f"> {self._settings.sobject} (text, unique, External ID), or let the token's user see it",
                status=_NOT_FOUND,
            )
        # A path that ends like the name of a file (".inc") is not read as a value.
        if found := await self._find(contact, ""):
            return await self._update_found(found[0], found, contact, written(self._settings, contact))
        return await self._post(contact, self._for_new(send | {field: value}))

    async def _post(self, contact: Contact, send: Values) -> Pushed:
        response = await self._write("POST", self._objects, send)
        return await self._made(contact, response, "POST", self._objects, send)

    async def _made(self, contact: Contact, response: Response, method: str, path: str, send: Values) -> Pushed:
        """Return what came of a create or an upsert; where the person was there already, the oldest is updated."""
        told = codes(response)
        if response.status == _SEVERAL or {"DUPLICATES_DETECTED", "DUPLICATE_VALUE"}.intersection(told):
            if found := await self._find(contact, ""):
                return await self._update_found(found[0], found, contact, written(self._settings, contact))
            if may_be_saved(response):
                # The rule found somebody like them, and that the two are two was decided here.
                response = await self._write(method, path, send, SAVE_ANYWAY)
        if response.status >= _SEVERAL:
            raise self._refusal(response)
        data = response.data if isinstance(response.data, dict) else {}
        if is_id(data.get("id")):
            return Pushed(str(data["id"]), created=response.status == _CREATED or data.get("created") is True)
        # Older versions answer an upsert that updated with nothing.
        found = await self._find(contact, "") if response.status == _NOTHING and method == "PATCH" else []
        if not found:
            raise TransientError(f"{response.status}: the answer has no id in it", status=response.status, unsure=True)
        return Pushed(str(found[0]["Id"]))

    async def _write(self, method: str, path: str, send: Values, headers: Mapping[str, str] | None = None) -> Response:
        accept = (_SEVERAL, _BAD_REQUEST, _NOT_FOUND)
        return await self._http.request(method, path, json=send, headers=headers, accept=accept)

    async def _patch(self, external_id: str, send: Values) -> Response:
        """Change a record; what a duplicate rule only warns of is saved."""
        path = f"{self._objects}/{external_id}"
        response = await self._write("PATCH", path, send)
        return await self._write("PATCH", path, send, SAVE_ANYWAY) if may_be_saved(response) else response

    def _refusal(self, response: Response) -> Exception:
        error = classify_answer(response) or PermanentError(
            f"{response.status}: unexpected answer", status=response.status
        )
        return self._with_mend(error)

    def _with_mend(self, error: Exception) -> Exception:
        """Say how to make the tag field where it is what is missing."""
        name = self._settings.tag_field
        if not isinstance(error, NeedsHumanError) or not name or name not in str(error):
            return error
        return NeedsHumanError(
            f"{error}. Tags are kept in the field {name!r}: make it in Setup > Object Manager > "
            f"{self._settings.sobject} > Fields & Relationships (Text Area (Long)) and let the token's user edit it, "
            "or set tag_field in stack.toml",
            status=error.status,
        )


def _tag(tag: str) -> str:
    # A semicolon would make two tags of one.
    return tag.replace(";", ",").strip()


def _not_told_apart(contact: Contact) -> PermanentError:
    return PermanentError(
        f"the contact has no e-mail{' and shares its phone with another' if contact.phone else ' and no phone'}"
        ", so Salesforce could not find it again and would double it: add an e-mail, or merge the two"
    )
