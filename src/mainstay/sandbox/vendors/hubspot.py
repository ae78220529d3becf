"""A simulator of HubSpot's contacts, notes, deals, companies and associations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mainstay.sandbox.state import Configurable, Effects, Ids, RateWindow, token_is_good
from mainstay.sandbox.vendors import hubspot_search as search
from mainstay.sandbox.vendors.hubspot_account import Settings, oauth_server
from mainstay.sandbox.vendors.hubspot_associations import TYPES, Associations
from mainstay.sandbox.vendors.hubspot_batches import answer_batch
from mainstay.sandbox.vendors.hubspot_errors import Errors, Refused
from mainstay.sandbox.vendors.hubspot_properties import PROPERTIES, modified
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATED = re.compile(r"^/crm/objects/\d{4}-\d\d/")
_INDEXED = ("email", "phone", "mobilephone")
_SYSTEM = ("hs_object_id", "createdate", "lastmodifieddate")
_SHOWN = {"contacts": ("email", "firstname", "lastname"), "notes": ("hs_timestamp",)}


class HubSpot(Configurable):
    """HubSpot's CRM, ``/crm/v3/objects/...`` and the dated paths; contacts, notes, default associations."""

    name = "hubspot"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._errors = Errors(self._ids)
        self._effects = Effects()
        self._objects: dict[str, dict[str, dict[str, Json]]] = {kind: {} for kind in PROPERTIES}
        self._found_by: dict[tuple[str, str], set[str]] = {}
        self._seen = {kind: search.Seen() for kind in self._objects}
        self._associations = Associations()
        self._merged: dict[str, str] = {}
        self._oauth = oauth_server(self._errors)
        self._requests = RateWindow(100, 10)
        self._searches = RateWindow(5, 1)

    def state(self) -> dict[str, Json]:
        """Return objects and associations in order of creation, and the effects."""
        return {
            **{kind: list(held.values()) for kind, held in self._objects.items()},
            "associations": self._associations.all,
            "token_calls": self._oauth.state(),
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in contacts, companies or deals, each as its properties, or as ``{"id": ..., "properties": ...}``.

        With ``lastmodifieddate``. An id that is there is changed. ``contact`` is the id of one to associate.
        """
        if kind not in {"contacts", "companies", "deals"}:
            raise SettingError(f"hubspot is seeded with contacts, companies and deals, not {kind}")
        for record in records:
            properties = dict(record.get("properties", record))
            changed_at = properties.pop("lastmodifieddate", None)
            try:
                self._check(kind, properties)
                held = self._objects[kind].get(str(record.get("id", "")))
                if held is None:
                    held = self._create(kind, properties, record.get("id"), at=changed_at)
                else:
                    self._change(kind, held, properties, at=changed_at)
            except Refused as refused:
                raise SettingError(f"{kind} {record!r}: {refused.reply.body.decode()}") from None
            if "properties" in record and "contact" in record:
                self._associations.link((kind, held["id"]), ("contacts", record["contact"]))
        return len(records)

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if reply := self._oauth.handle(request, self.settings):
            return reply
        try:
            self._authorize(request)
            is_search = request.path.endswith("/search")
            window = self._searches if is_search else self._requests
            if not window.take() and self.settings.rate_limit:
                return self.failure(request, 429, None)
            reply = self._route(request)
        except Refused as refused:
            return refused.reply
        if is_search:
            # Search has a limit of its own, and its answers carry no limit headers.
            return reply
        headers = {
            "X-HubSpot-RateLimit-Max": str(window.limit),
            "X-HubSpot-RateLimit-Remaining": str(window.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": "250000",
            "X-HubSpot-RateLimit-Daily-Remaining": "249000",
        }
        return Reply(reply.status, reply.body, reply.content_type, headers)

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:
        """Return HubSpot's error object."""
        return self._errors.failure(status, retry_after, is_search=request.path.endswith("/search"))

    def _authorize(self, request: Request) -> None:
        is_good = self._oauth.is_good(request.bearer, self.settings)
        if is_good is False:
            message = "The OAuth token used to make this call expired."
            raise Refused(self._errors.of(401, "EXPIRED_AUTHENTICATION", message))
        if not request.bearer or not (is_good or token_is_good(request.bearer, self.settings.tokens)):
            message = "Authentication credentials not found or not valid."
            raise Refused(self._errors.of(401, "INVALID_AUTHENTICATION", message))

    def _route(self, request: Request) -> Reply:  # noqa: PLR0911 one line for each route
        path = _DATED.sub("/crm/v3/objects/", request.path)
        path = path.replace("/objects/0-3", "/objects/deals")
        parts = Request(request.method, path, "", {}, b"").parts
        match [request.method, *parts]:
            case ["POST", "crm", "v3", "objects", ("contacts" | "notes") as kind]:
                return self._create_one(kind, request)
            case ["POST", "crm", "v3", "objects", kind, "search"] if kind in self._objects:
                return self._search(kind, request)
            case ["POST", "crm", "v4", "associations", one, other, "batch", "read"]:
                return answer(200, self._associations.read(one, other, self._body(request, "inputs")["inputs"]))
            case ["POST", "crm", "v3", "objects", "contacts", "merge" | "batch" as verb, *rest]:
                return self._merge(request) if verb == "merge" else self._batch(request, "".join(rest))
            case ["GET", "crm", "v3", "objects", kind, *key] if kind in self._objects:
                return self._read(kind, key, request)
            case ["PATCH", "crm", "v3", "objects", ("contacts" | "notes") as kind, key]:
                return self._update_one(kind, key, request)
            case ["DELETE", "crm", "v3", "objects", ("contacts" | "notes") as kind, key]:
                return self._delete(kind, self._get(kind, key, request), request)
            case ["PUT", "crm", "v4", "objects", one, one_id, "associations", "default", other, other_id]:
                return self._associate(request, (one, one_id), (other, other_id))
            case _:
                raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", "resource not found"))

    def _read(self, kind: str, key: list[str], request: Request) -> Reply:
        if key:
            shown = self._shown(kind, self._get(kind, key[0], request), request.query)
            if ("associations", "contacts") in request.query:
                shown |= self._associations.contacts_of(kind, key[0])
            return answer(200, shown)
        first = list(self._objects[kind].values())[: int(dict(request.query).get("limit", "10"))]
        return answer(200, {"results": [self._shown(kind, each, request.query) for each in first]})

    def _body(self, request: Request, *required: str) -> dict[str, Json]:
        try:
            body = request.json()
        except ValueError as problem:
            raise Refused(self._errors.invalid(f"Invalid input JSON: {problem}")) from None
        if missing := [name for name in required if not isinstance(body, dict) or name not in body]:
            named = ", ".join(missing)
            raise Refused(self._errors.invalid(f"Invalid input JSON: some required fields were not set: [{named}]"))
        return dict(body)

    # ------------------------------------------------------------------------------------------------ writes

    def _create_one(self, kind: str, request: Request) -> Reply:
        body = self._body(request, "associations", "properties")
        self._check(kind, body["properties"])
        if kind == "notes" and not body["properties"].get("hs_timestamp"):
            raise Refused(self._errors.invalid("Some required properties were not set.", ["hs_timestamp"]))
        targets = [(item["to"]["id"], kind_of["associationTypeId"]) for item in body["associations"]
                   for kind_of in item["types"]]  # fmt: skip
        for contact_id, _ in targets:
            if contact_id not in self._objects["contacts"]:
                raise Refused(self._errors.invalid(f"The contact {contact_id} to associate with does not exist."))
        record = self._create(kind, body["properties"])
        for contact_id, type_id in targets:
            self._associations.link((kind, record["id"]), ("contacts", contact_id), type_id)
        self._effects.add(f"{kind.removesuffix('s')}.created", record["id"], request)
        return answer(201, self._shown(kind, record, [("properties", name) for name in record["properties"]]))

    def _update_one(self, kind: str, key: str, request: Request) -> Reply:
        body = self._body(request, "properties")
        self._check(kind, body["properties"])
        record = self._get(kind, key, request)
        self._change(kind, record, body["properties"])
        self._effects.add(f"{kind.removesuffix('s')}.updated", record["id"], request)
        return answer(200, self._shown(kind, record, [("properties", name) for name in body["properties"]]))

    def _delete(self, kind: str, record: dict[str, Json], request: Request) -> Reply:
        self._unindex(record)
        del self._objects[kind][record["id"]]
        self._seen[kind].forget(record["id"])
        self._effects.add(f"{kind.removesuffix('s')}.deleted", record["id"], request)
        return Reply(204)

    def _merge(self, request: Request) -> Reply:
        """Make one record of two, with a new id; the values of the primary stand, the other's fill gaps."""
        body = self._body(request, *(names := ("primaryObjectId", "objectIdToMerge")))
        one, other = (self._get("contacts", str(body[name]), request) for name in names)
        if one is other:
            raise Refused(self._errors.invalid("Cannot merge an object with itself."))
        told = other["properties"] | one["properties"]
        values = {name: value for name, value in told.items() if name not in _SYSTEM}
        for record in (one, other):
            self._unindex(record)
            del self._objects["contacts"][record["id"]]
            self._seen["contacts"].forget(record["id"])
        merged = self._create("contacts", values)
        both = {one["id"], other["id"]}
        self._merged |= {old: merged["id"] for old, new in self._merged.items() if new in both}
        self._merged |= dict.fromkeys(both, merged["id"])
        self._effects.add("contact.merged", merged["id"], request)
        return answer(200, self._shown("contacts", merged, []))

    def _batch(self, request: Request, verb: str) -> Reply:
        act = {"read": self._read_of, "update": self._update_of, "upsert": self._upsert}.get(verb)
        if act is None:
            raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", "resource not found"))
        inputs = self._body(request, "inputs")["inputs"]
        return answer_batch(inputs, lambda item: act(item, request), self._errors)

    def _read_of(self, item: dict[str, Json], request: Request) -> dict[str, Json]:
        body = self._body(request, "inputs", "properties", "propertiesWithHistory")
        key = str(item.get("id"))
        held = self._objects["contacts"].get(self._merged.get(key, key))
        record = self._by_email(key) if body.get("idProperty") == "email" else held
        if record is None:
            raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", f"no contact {key}"))
        return self._shown("contacts", record, [("properties", name) for name in body["properties"]])

    def _update_of(self, item: dict[str, Json], request: Request) -> dict[str, Json]:
        return {
            name: value for name, value in self._upsert(item | {"idProperty": None}, request).items() if name != "new"
        }

    def _upsert(self, item: dict[str, Json], request: Request) -> dict[str, Json]:
        properties, key, name = item.get("properties"), item.get("id"), item.get("idProperty")
        self._check("contacts", properties)
        if not isinstance(key, str) or not isinstance(properties, dict):
            raise Refused(self._errors.invalid("id and properties are required"))
        if name == "email":
            record = self._by_email(key)
            properties = {"email": key} | properties
        elif name in {None, "hs_object_id"}:
            record = self._objects["contacts"].get(key)
            if record is None:
                raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", f"no contact {key}"))
        else:
            raise Refused(self._errors.invalid(f"{name} is not a unique property", [str(name)]))
        new = record is None
        if record is None:
            record = self._create("contacts", properties)
        else:
            self._change("contacts", record, properties)
        self._effects.add("contact.created" if new else "contact.updated", record["id"], request)
        shown = self._shown("contacts", record, [("properties", name) for name in properties])
        return shown | {"new": new}

    def _create(
        self, kind: str, properties: Mapping[str, str], record_id: str | None = None, *, at: str | None = None
    ) -> dict[str, Json]:
        now = now_iso()
        record_id = record_id or str((10_000 if kind == "contacts" else 900_000_000) + self._ids.number(kind))
        record: dict[str, Json] = {
            "id": record_id,
            "properties": {"hs_object_id": record_id, "createdate": now, modified(kind): now},
            "createdAt": now,
            "updatedAt": now,
            "archived": False,
        }
        self._change(kind, record, properties, at=at)
        self._objects[kind][record_id] = record
        return record

    def _change(
        self, kind: str, record: dict[str, Json], properties: Mapping[str, str], *, at: str | None = None
    ) -> None:
        if kind == "contacts" and properties.get("email"):
            holder = self._by_email(properties["email"])
            if holder is not None and holder["id"] != record["id"]:
                message = f"Contact already exists. Existing ID: {holder['id']}"
                raise Refused(self._errors.of(409, "CONFLICT", message))
        self._unindex(record)
        now = at or now_iso()
        changes = {name: value.strip().lower() if name == "email" else value for name, value in properties.items()}
        merged = record["properties"] | changes | {modified(kind): now}
        # Setting a property to nothing clears it.
        record["properties"] = {name: value for name, value in merged.items() if value != ""}
        record["updatedAt"] = now
        for key in _index_keys(record) if kind == "contacts" else ():
            self._found_by.setdefault(key, set()).add(record["id"])
        self._seen[kind].remember(record, self.settings.search_lag_ms)

    def _check(self, kind: str, properties: Json) -> None:
        if not isinstance(properties, dict):
            raise Refused(self._errors.invalid("Invalid input JSON: properties is an object"))
        for name, value in properties.items():
            if name not in PROPERTIES[kind] and name not in self.settings.properties:
                message = f'Property values were not valid: Property "{name}" does not exist'
                raise Refused(self._errors.invalid(message, [name], "PROPERTY_DOESNT_EXIST"))
            if not isinstance(value, str):
                raise Refused(self._errors.invalid(f"Invalid input JSON: the value of {name} is a string", [name]))
        email = properties.get("email")
        if kind == "contacts" and email and not _EMAIL.fullmatch(email.strip()):
            message = f"Property values were not valid: Email address {email} is invalid"
            raise Refused(self._errors.invalid(message, ["email"], "INVALID_EMAIL"))

    # ----------------------------------------------------------------------------------------- associations

    def _associate(self, request: Request, one: tuple[str, str], other: tuple[str, str]) -> Reply:
        one, other = ((f"{kind.removesuffix('s')}s", record_id) for kind, record_id in (one, other))
        if (one[0], other[0]) not in TYPES:
            raise Refused(self._errors.invalid(f"The sandbox associates notes and contacts, not {one} and {other}"))
        for kind, record_id in (one, other):
            if record_id not in self._objects[kind]:
                raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", f"no {kind} {record_id}"))
        now = now_iso()
        results = [self._associations.link(one, other), self._associations.link(other, one)]
        self._effects.add("association.created", f"{one[1]}-{other[1]}", request)
        return answer(200, {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now_iso()})

    # ------------------------------------------------------------------------------------------------ finding

    def _get(self, kind: str, key: str, request: Request) -> dict[str, Json]:
        by_email = dict(request.query).get("idProperty") == "email"
        key = self._merged.get(key, key) if kind == "contacts" else key
        record = self._by_email(key) if by_email and kind == "contacts" else self._objects[kind].get(key)
        if record is None:
            raise Refused(self._errors.of(404, "OBJECT_NOT_FOUND", "resource not found"))
        return record

    def _by_email(self, email: str) -> dict[str, Json] | None:
        ids = self._found_by.get(("email", email.strip().lower()))
        return self._objects["contacts"][next(iter(ids))] if ids else None

    def _search(self, kind: str, request: Request) -> Reply:
        body = self._body(request)
        try:
            search.check(body)
        except search.SearchError as problem:
            raise Refused(self._errors.invalid(str(problem))) from None
        found = search.run(self._visible(kind, body), body)
        start, limit = int(body["after"] or 0), body["limit"]
        asked = [("properties", name) for name in body["properties"]]
        page = [self._shown(kind, record, asked) for record in found[start : start + limit]]
        value: dict[str, Json] = {"total": len(found), "results": page}
        if start + limit < len(found):
            value["paging"] = {"next": {"after": str(start + limit)}}
        return answer(200, value)

    def _visible(self, kind: str, body: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
        """Yield the records as search knows them, fewer when an indexed property is bound."""
        held = self._objects[kind]
        if kind == "notes":
            yield from map(self._with_contact, self._seen[kind].visible(self.settings.search_lag_ms))
            return
        if not self.settings.search_lag_ms:
            for name in _INDEXED:
                values = search.indexed_values(body, name)
                if values is not None:
                    ids = {contact_id for value in values for contact_id in self._found_by.get((name, value), ())}
                    yield from (held[contact_id] for contact_id in sorted(ids, key=int))
                    return
            yield from held.values()
            return
        yield from self._seen[kind].visible(self.settings.search_lag_ms)

    def _with_contact(self, note: dict[str, Json]) -> dict[str, Json]:
        """Return a note with the contact that it is of, as search filters by it."""
        found = [each["to"]["id"] for each in self._associations.all if each["from"]["id"] == note["id"]]
        return note | {"properties": note["properties"] | {"associations.contact": "".join(found[:1])}}

    def _unindex(self, record: Mapping[str, Json]) -> None:
        for key in _index_keys(record):
            self._found_by.get(key, set()).discard(record["id"])

    def _shown(self, kind: str, record: dict[str, Json], query: list[tuple[str, str]]) -> dict[str, Json]:
        asked = [name for key, value in query if key == "properties" for name in value.split(",")]
        # HubSpot says null for an asked property without a value; its contract admits strings alone.
        held = record["properties"]
        names = dict.fromkeys((*(asked or _SHOWN.get(kind, ())), *_SYSTEM))
        return record | {"properties": {name: held[name] for name in names if name in held}}


def _index_keys(record: Mapping[str, Json]) -> list[tuple[str, str]]:
    held = record["properties"]
    return [(name, held[name].lower()) for name in _INDEXED if held.get(name)]


SIMULATOR = HubSpot
