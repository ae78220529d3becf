"""A simulator of HighLevel's contacts, with the habits that its documents leave out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from mainstay.sandbox.state import Configurable, Effects, Ids, RateWindow, token_is_good
from mainstay.sandbox.vendors.gohighlevel_account import Settings, oauth_server
from mainstay.sandbox.vendors.gohighlevel_fields import SHOWN, SHOWN_ON_CREATE, problems
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

VERSIONS = ("2021-07-28", "v3")
DUPLICATE = "This location does not allow duplicated contacts."
_DAILY = 200_000
_NOT_DIGITS = re.compile(r"\D")
_SEEDED = frozenset({"id", "dateUpdated", "additionalEmails"})


class GoHighLevel(Configurable):
    """HighLevel's contacts API, versions 2021-07-28 and v3."""

    name = "gohighlevel"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._contacts: dict[str, dict[str, Json]] = {}
        self._notes: dict[str, dict[str, Json]] = {}
        # (location, field, normal form) -> ids, oldest first: with duplicates allowed one value has several.
        self._found_by: dict[tuple[str, str, str], list[str]] = {}
        self._windows: dict[str, RateWindow] = {}
        self._oauth = oauth_server()

    def state(self) -> dict[str, Json]:
        """Return contacts and notes in order of creation, and the effects."""
        return {
            "contacts": list(self._contacts.values()),
            "notes": list(self._notes.values()),
            "token_calls": self._oauth.state(),
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put contacts in; each needs a ``locationId`` and may bring its ``id`` and ``dateUpdated``.

        ``additionalEmails`` are its secondary ones, as texts. An id that is there is changed.
        """
        if kind != "contacts":
            raise SettingError(f"gohighlevel is seeded with contacts, not {kind}")
        for record in records:
            fields = {name: value for name, value in record.items() if name not in _SEEDED}
            if wrong := problems("create", fields):
                raise SettingError(f"contact {record!r}: {'; '.join(wrong)}")
            held = self._contacts.get(str(record.get("id", "")))
            if held is None:
                held = self._create(fields, record.get("id"))
            else:
                self._change(held, fields)
            self._change(held, {"additionalEmails": record.get("additionalEmails", held.get("additionalEmails", []))})
            held["dateUpdated"] = record.get("dateUpdated", held["dateUpdated"])
        return len(records)

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if reply := self._oauth.handle(request, self.settings, locationId=self.settings.oauth_location):
            return reply
        token = request.bearer
        if refused := self._refusal(request, token):
            return refused
        window = self._window(token)
        within = window.take()
        reply = self._route(request) if within or not self.settings.rate_limit else self._too_many(request, window)
        headers = {
            "X-RateLimit-Limit-Daily": str(_DAILY),
            "X-RateLimit-Daily-Remaining": str(_DAILY - window.used),
            "X-RateLimit-Interval-Milliseconds": "10000",
            "X-RateLimit-Max": str(window.limit),
            "X-RateLimit-Remaining": str(window.remaining),
        }
        return Reply(reply.status, reply.body, reply.content_type, headers | dict(reply.headers))

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return HighLevel's error shape."""
        message: Json = {429: "Too Many Requests", 401: "Invalid JWT", 422: ["unprocessable"]}.get(status, "Error")
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return answer(status, {"statusCode": status, "message": message}, headers)

    def _window(self, token: str) -> RateWindow:
        if token not in self._windows:
            self._windows[token] = RateWindow(100, 10)
        return self._windows[token]

    def _too_many(self, request: Request, window: RateWindow) -> Reply:
        return self.failure(request, 429, max(1.0, round(window.seconds_left)))

    def _refusal(self, request: Request, token: str) -> Reply | None:
        if not token:
            return _error(401, "Authorization header was not found.", error="Unauthorized")
        is_good = self._oauth.is_good(token, self.settings)
        if is_good is False:
            return _error(401, "The token has expired.", error="Unauthorized")
        if not (is_good or token_is_good(token, self.settings.tokens)):
            return _error(401, "Invalid JWT", error="Unauthorized")
        version = request.headers.get("Version")
        if version not in VERSIONS:
            return _error(401, "version header was not found." if version is None else "version header is invalid.")
        return None

    def _route(self, request: Request) -> Reply:
        match [request.method, *request.parts]:
            case "POST", "contacts":
                return self._write(request, "create", lambda body: self._create_or_refuse(body, request))
            case "POST", "contacts", "upsert":
                return self._write(request, "upsert", lambda body: self._upsert(body, request))
            case "POST", "contacts", "search":
                return self._search(request)
            case "GET", "contacts", "search", "duplicate":
                return self._duplicate(request)
            case method, "contacts", contact_id, *rest:
                contact = self._contacts.get(contact_id)
                if contact is None:
                    return _error(404, f"Contact with id {contact_id} not found")
                return self._one(request, method, contact, rest)
            case _:
                return _error(404, f"Cannot {request.method} {request.path}")

    def _one(self, request: Request, method: str, contact: dict[str, Json], rest: list[str]) -> Reply:
        match [method, *rest]:
            case ["GET"]:
                return answer(200, {"contact": _shown(contact)})
            case ["PUT"]:
                return self._write(request, "update", lambda body: self._update_or_refuse(contact, body, request))
            case ["DELETE"]:
                del self._contacts[contact["id"]]
                self._unindex(contact)
                self._effects.add("contact.deleted", contact["id"], request)
                return answer(200, {_succeeded(request): True})
            case ["POST" | "DELETE", "tags"]:
                return self._write(request, "tags", lambda body: self._tag(contact, body, request))
            case "GET", "notes":
                notes = [note for note in self._notes.values() if note["contactId"] == contact["id"]]
                return answer(200, {"notes": notes})
            case "POST", "notes":
                return self._write(request, "note", lambda body: self._note(contact, body, request))
            case _:
                return _error(404, f"Cannot {method} {request.path}")

    def _write(self, request: Request, verb: str, act: Callable[[dict[str, Json]], Reply]) -> Reply:
        try:
            body = request.json()
        except ValueError as problem:
            return _error(400, f"Unexpected token in JSON: {problem}")
        if wrong := problems(verb, body):
            return answer(422, {"statusCode": 422, "message": wrong, "error": "Unprocessable Entity"})
        if "locationId" in body and not self._reaches(body["locationId"]):
            return _error(403, "The token does not have access to this location.")
        return act(body)

    def _reaches(self, location: str) -> bool:
        allowed = self.settings.allowed_locations
        return allowed is None or location in allowed

    # ----------------------------------------------------------------------------------------------- writes

    def _create_or_refuse(self, body: dict[str, Json], request: Request) -> Reply:
        location = body["locationId"]
        if not self._of_location(location, "allow_duplicates"):
            for name, other in self._matches(location, body):
                return _duplicate_error(other, name)
        contact = self._create(body)
        self._effects.add("contact.created", contact["id"], request)
        shown = _shown(contact) if request.headers["Version"] == "v3" else _shown(contact, SHOWN_ON_CREATE)
        return answer(201, {"contact": shown})

    def _upsert(self, body: dict[str, Json], request: Request) -> Reply:
        body = dict(body)
        wants_new = body.pop("createNewIfDuplicateAllowed", False)
        location = body["locationId"]
        allowed = self._of_location(location, "allow_duplicates")
        matches = list(self._matches(location, body))
        found = matches[0][1] if matches else None
        if found is None or (wants_new and allowed):
            contact, new = self._create(body), True
        else:
            contact, new = found, False
            # HighLevel takes `gender` here and keeps the old one; a value that matches somebody else is ignored. One
            # that it found by a secondary e-mail loses its primary one to that.
            taken = {name for name, other in matches if other is not found}
            self._change(contact, {k: v for k, v in body.items() if k not in taken | {"locationId", "gender"}})
        self._effects.add("contact.created" if new else "contact.updated", contact["id"], request)
        return answer(200, {"new": new, "contact": _shown(contact), "traceId": self._ids.uuid("trace")})

    def _update_or_refuse(self, contact: dict[str, Json], body: dict[str, Json], request: Request) -> Reply:
        location = contact["locationId"]
        if not self._of_location(location, "allow_duplicates"):
            for name, other in self._matches(location, body):
                if other is not contact:
                    return _duplicate_error(other, name)
        self._change(contact, body)
        self._effects.add("contact.updated", contact["id"], request)
        return answer(200, {_succeeded(request): True, "contact": _shown(contact)})

    def _tag(self, contact: dict[str, Json], body: dict[str, Json], request: Request) -> Reply:
        given: list[str] = body["tags"]
        added = request.method == "POST"
        old: list[str] = contact["tags"]
        contact["tags"] = list(dict.fromkeys(old + given)) if added else [tag for tag in old if tag not in given]
        contact["dateUpdated"] = now_iso()
        self._effects.add("tags.added" if added else "tags.removed", contact["id"], request)
        return answer(201 if added else 200, {"tags": contact["tags"]})

    def _note(self, contact: dict[str, Json], body: dict[str, Json], request: Request) -> Reply:
        note = {"id": self._ids.word("note"), "dateAdded": now_iso(), "contactId": contact["id"], **body}
        self._notes[note["id"]] = note
        self._effects.add("note.created", note["id"], request)
        return answer(201, {"note": note})

    def _create(self, body: Mapping[str, Json], contact_id: str | None = None) -> dict[str, Json]:
        now = now_iso()
        contact: dict[str, Json] = {
            "id": contact_id or self._ids.word("contact"),
            "locationId": body["locationId"],
            "type": "lead",
            "dnd": False,
            "tags": [],
            "customFields": [],
            "dateAdded": now,
        }
        self._contacts[contact["id"]] = contact
        self._change(contact, body)
        return contact

    def _change(self, contact: dict[str, Json], changes: Mapping[str, Json]) -> None:
        self._unindex(contact)
        for key, value in changes.items():
            if key == "customFields":
                _set_custom_fields(contact, value)
            elif value is None:
                contact.pop(key, None)
            else:
                # Tags too: what is sent REPLACES what was there.
                contact[key] = list(value) if isinstance(value, list) else value
        if "name" in changes and not {"firstName", "lastName"} & set(changes):
            first, _, last = (changes["name"] or "").strip().partition(" ")
            contact["firstName"], contact["lastName"] = first, last
        name = " ".join(part for part in (contact.get("firstName"), contact.get("lastName")) if part)
        contact["name"] = name
        contact["fullNameLowerCase"] = name.lower()
        for key in ("firstName", "lastName", "email"):
            if contact.get(key):
                contact[f"{key}LowerCase"] = contact[key].lower()
            else:
                contact.pop(f"{key}LowerCase", None)
        contact["dateUpdated"] = now_iso()
        for place in self._index_keys(contact):
            self._found_by.setdefault(place, []).append(contact["id"])

    # ----------------------------------------------------------------------------------------------- finding

    def _search(self, request: Request) -> Reply:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("locationId"), str):
            return _error(400, "locationId can't be undefined")
        if not self._reaches(body["locationId"]):
            return _error(403, "The token does not have access to this location.")
        limit, page, behind = body.get("pageLimit", 20), body.get("page", 1), body.get("searchAfter")
        if not isinstance(limit, int) or not isinstance(page, int) or not 1 <= limit <= 500 or page < 1:
            return _error(400, "pageLimit is from 1 to 500, page from 1")
        found = [c for c in self._contacts.values() if c["locationId"] == body["locationId"]]
        for item in body.get("filters", []):
            field_name, operator = item.get("field"), item.get("operator")
            if operator == "range" and field_name in {"dateAdded", "dateUpdated"}:
                least, most = (str(item["value"].get(end, other)) for end, other in (("gte", ""), ("lte", "9")))
                found = [c for c in found if least <= c[field_name] <= most]
                continue
            if operator not in {"eq", "contains"} or not isinstance(field_name, str):
                return _error(400, f"filter {item!r} is unknown here: field, operator eq or contains, value")
            wanted = _normal(field_name, str(item.get("value", "")))
            exact = operator == "eq"
            found = [c for c in found if _holds(_normal(field_name, str(c.get(field_name, ""))), wanted, exact=exact)]
        sort = (body.get("sort") or [{}])[0]
        key = str(sort.get("field", "dateAdded"))
        found.sort(key=lambda contact: _place(contact, key), reverse=sort.get("direction") == "desc")
        if behind:
            found = [contact for contact in found if _place(contact, key) > behind]
        shown = [
            _shown(contact) | {"searchAfter": _place(contact, key)}
            for contact in found[(page - 1) * limit : page * limit]
        ]
        return answer(200, {"contacts": shown, "total": len(found), "traceId": self._ids.uuid("trace")})

    def _duplicate(self, request: Request) -> Reply:
        query = dict(request.query)
        location = query.get("locationId")
        if not location:
            return _error(400, "locationId can't be undefined")
        if not self._reaches(location):
            return _error(403, "The token does not have access to this location.")
        asked = {"email": query.get("email"), "phone": query.get("number")}
        found = next((contact for _, contact in self._matches(location, asked)), None)
        return answer(200, {"contact": _shown(found) if found else None, "traceId": self._ids.uuid("trace")})

    def _of_location(self, location: str, setting: str) -> Json:
        return self.settings.locations.get(location, {}).get(setting, getattr(self.settings, setting))

    def _matches(self, location: str, values: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
        """Yield the field and the contact of each field that matches, in the location's order of fields."""
        for name in self._of_location(location, "match_order"):
            if values.get(name):
                for contact_id in self._found_by.get((location, name, _normal(name, values[name])), ())[:1]:
                    yield name, self._contacts[contact_id]

    def _index_keys(self, contact: Mapping[str, Json]) -> list[tuple[str, str, str]]:
        values = [("email", contact.get("email")), ("phone", contact.get("phone"))]
        values += [("email", each) for each in contact.get("additionalEmails", ())]
        found = [(contact["locationId"], name, _normal(name, value)) for name, value in values if value]
        return list(dict.fromkeys(found))

    def _unindex(self, contact: Mapping[str, Json]) -> None:
        for key in self._index_keys(contact):
            if contact["id"] in self._found_by.get(key, ()):
                self._found_by[key].remove(contact["id"])


def _place(contact: Mapping[str, Json], key: str) -> list[Json]:
    """Return where a contact stands in the search's order, which is what ``searchAfter`` takes."""
    value = contact.get(key, "")
    is_time = key in {"dateAdded", "dateUpdated"}
    return [round(datetime.fromisoformat(value).timestamp() * 1000) if is_time else value, contact["id"]]


def _normal(name: str, value: str) -> str:
    return _NOT_DIGITS.sub("", value) if name == "phone" else value.strip().lower()


def _holds(value: str, wanted: str, *, exact: bool) -> bool:
    return value == wanted if exact else wanted in value


def _set_custom_fields(contact: dict[str, Json], given: list[dict[str, Json]]) -> None:
    held = {item["id"]: item for item in contact["customFields"]}
    for item in given:
        value = item.get("fieldValue", item.get("field_value", ""))
        held[item["id"]] = {"id": item["id"], "value": value if isinstance(value, str) else str(value)}
    contact["customFields"] = list(held.values())


def _shown(contact: Mapping[str, Json], keys: frozenset[str] = SHOWN) -> dict[str, Json]:
    return {key: value for key, value in contact.items() if key in keys}


def _succeeded(request: Request) -> str:
    # The older version's misspelling is part of its contract.
    return "succeeded" if request.headers["Version"] == "v3" else "succeded"


def _error(status: int, message: str, **more: Json) -> Reply:
    return answer(status, {"statusCode": status, "message": message, **more})


def _duplicate_error(other: Mapping[str, Json], name: str) -> Reply:
    meta = {"contactId": other["id"], "matchingField": name, "contactName": other.get("name", "")}
    return _error(400, DUPLICATE, meta=meta)


SIMULATOR = GoHighLevel
