"""A simulator of a Salesforce org: contacts, leads, accounts, tasks; its two query languages and its habits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote

from mainstay.sandbox.state import Effects, Ids, changed, token_is_good
from mainstay.sandbox.vendors import salesforce_soql as soql
from mainstay.sandbox.vendors.salesforce_fields import FIELDS, PREFIXES, Error, error, objections, readable, whole_id
from mainstay.sandbox.vendors.salesforce_login import Login
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_KINDS = {"contacts": "Contact", "leads": "Lead", "accounts": "Account"}
_DATA = re.compile(r"/services/data/v\d+\.0(?=/)")
_LIKE_A_FILE = re.compile(r"\.(inc|php|asp|jsp)$")
_ALL_CALLS = 100_000
_GONE = error("NOT_FOUND", "The requested resource does not exist")

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/salesforce``.

    ``fields`` adds the org's own text fields to contacts and leads, ``external_ids`` those of them that are unique
    external ids, ``picklists`` the values of those that are restricted. ``duplicate_rule`` is "", "alert" or "block",
    on the same e-mail. ``api_limit`` is how many calls the org has left before it refuses each (0: no end);
    ``page`` how many rows an answer has before it names the rest. ``refuse`` are error codes with which the next
    writes are refused, one each. ``rotate_refresh_tokens`` makes them good but once. ``upsert_answers`` is whether an
    upsert that updated says so (200) or nothing (204).
    """

    fields: list[str] = field(default_factory=list)
    external_ids: list[str] = field(default_factory=list)
    picklists: dict[str, list[str]] = field(default_factory=dict)
    duplicate_rule: str = ""
    api_limit: int = 0
    page: int = 2000
    refuse: list[str] = field(default_factory=list)
    rotate_refresh_tokens: bool = False
    upsert_answers: bool = True
    tokens: list[str] | None = None


class _Refused(Exception):  # noqa: N818 an answer, and no failure of the sandbox
    def __init__(self, status: int, *errors: Error) -> None:
        super().__init__(status)
        self.reply = answer(status, list(errors))


class Salesforce:
    """The REST API of one org, ``/services/data/vNN.0``, and its log-in."""

    name = "salesforce"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything but the org itself."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._login = Login()
        self._records: dict[str, dict[str, dict[str, Json]]] = {sobject: {} for sobject in FIELDS}
        self._rest: dict[str, list[dict[str, Json]]] = {}
        self._calls = self._since_limit = self._refusals = 0
        self._add("Organization", {"Name": "Acme Plumbing", "OrganizationType": "Enterprise Edition"})

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them."""
        self.settings = changed(self.settings, settings)
        if "refuse" in settings:
            self._refusals = 0
        if "api_limit" in settings:
            self._since_limit = 0
        return asdict(self.settings)

    def state(self) -> dict[str, Json]:
        """Return the records by kind in order of creation, the deleted ones marked ``IsDeleted``, and the effects."""
        kinds = {"contacts": "Contact", "leads": "Lead", "accounts": "Account", "tasks": "Task"}
        listed = {kind: list(self._records[sobject].values()) for kind, sobject in kinds.items()}
        return {**listed, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put contacts, leads or accounts in. One with an ``Id`` that is there is changed.

        ``IsDeleted`` puts it into the recycle bin; ``SystemModstamp`` is taken as given; ``IsConverted`` ends a lead.
        """
        if kind not in _KINDS:
            raise SettingError(f"salesforce is seeded with {', '.join(_KINDS)}, not {kind}")
        sobject = _KINDS[kind]
        for record in records:
            given = {"SystemModstamp", "IsDeleted", "IsConverted", "ConvertedContactId", "Id"}
            fixed = {name: value for name, value in record.items() if name in given}
            values = {name: value for name, value in record.items() if name not in given}
            held = self._records[sobject].get(str(record.get("Id", "")))
            wrong = list(objections(sobject, values, self._custom, self.settings.picklists, new=held is None))
            if wrong:
                raise SettingError(f"{kind} {record!r}: {wrong[0]['message']}")
            if held is None:
                held = self._add(sobject, values, str(record.get("Id", "")))
            self._change(held, values)
            held.update(fixed)
        return len(records)

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/services/oauth2/"):
            host = request.headers.get("Host", "")
            rotate = self.settings.rotate_refresh_tokens
            return self._login.handle(request, rotate=rotate, instance_url=f"http://{host}/{self.name}")
        self._calls += 1
        self._since_limit += 1
        try:
            self._admit(request)
            reply = self._route(request)
        except _Refused as refused:
            reply = refused.reply
        limit = {"Sforce-Limit-Info": f"api-usage={self._calls}/{self.settings.api_limit or _ALL_CALLS}"}
        return Reply(reply.status, reply.body, reply.content_type, {**reply.headers, **limit})

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Salesforce's array of errors."""
        said = {
            401: error("INVALID_SESSION_ID", "Session expired or invalid"),
            403: error("INSUFFICIENT_ACCESS", "insufficient access rights on object"),
            423: error("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
            503: error("SERVER_UNAVAILABLE", "The server is temporarily unable to respond. Try again later."),
        }
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        usual = error("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1-2 (3)")
        return answer(status, [said.get(status, usual)], headers)

    def _admit(self, request: Request) -> None:
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            raise _Refused(401, error("INVALID_SESSION_ID", "Session expired or invalid"))
        if self.settings.api_limit and self._since_limit > self.settings.api_limit:
            raise _Refused(403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
        if request.method != "GET" and self._refusals < len(self.settings.refuse):
            code = self.settings.refuse[self._refusals]
            self._refusals += 1
            raise _Refused(400, error(code, f"refused by the sandbox: {code}"))

    def _route(self, request: Request) -> Reply:
        found = _DATA.match(request.path)
        parts = [unquote(part) for part in request.path[found.end() :].strip("/").split("/")] if found else []
        match [request.method, *parts]:
            case ["GET", "query" | "queryAll" as verb]:
                return self._query(request, deleted_too=verb == "queryAll")
            case ["GET", "query" | "queryAll", locator]:
                return self._page(request, self._rest.pop(locator, None), locator)
            case ["GET", "search"]:
                return self._search(request)
            case ["POST", "sobjects", ("Contact" | "Lead" | "Task" | "Account") as sobject]:
                return self._create(sobject, request)
            case ["PATCH", "sobjects", ("Contact" | "Lead" | "Task" | "Account") as sobject, record_id]:
                return self._update(self._get(sobject, record_id), sobject, request)
            case ["DELETE", "sobjects", ("Contact" | "Lead" | "Task" | "Account") as sobject, record_id]:
                return self._delete(self._get(sobject, record_id), sobject, request)
            case ["PATCH", "sobjects", ("Contact" | "Lead") as sobject, name, value]:
                return self._upsert(sobject, name, value, request)
            case _:
                raise _Refused(404, _GONE)

    def _body(self, request: Request) -> dict[str, Json]:
        try:
            body = request.json()
        except ValueError as problem:
            raise _Refused(400, error("JSON_PARSER_ERROR", str(problem))) from None
        if not isinstance(body, dict):
            raise _Refused(400, error("JSON_PARSER_ERROR", "Cannot deserialize instance of sobject"))
        return body

    # ------------------------------------------------------------------------------------------------ writes

    def _create(self, sobject: str, request: Request) -> Reply:
        body = self._body(request)
        self._check(sobject, body, new=True)
        self._check_duplicates(sobject, body, None, request)
        record = self._add(sobject, body)
        self._effects.add(f"{sobject.lower()}.created", record["Id"], request)
        return answer(201, {"id": record["Id"], "success": True, "errors": []})

    def _update(self, record: dict[str, Json], sobject: str, request: Request) -> Reply:
        body = self._body(request)
        self._save(record, sobject, body, request)
        return Reply(204)

    def _save(self, record: dict[str, Json], sobject: str, body: dict[str, Json], request: Request) -> None:
        if record.get("IsConverted"):
            raise _Refused(400, error("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"))
        self._check(sobject, body, new=False)
        self._check_duplicates(sobject, body, record, request)
        self._change(record, body)
        self._effects.add(f"{sobject.lower()}.updated", record["Id"], request)

    def _upsert(self, sobject: str, name: str, value: str, request: Request) -> Reply:
        if _LIKE_A_FILE.search(value):
            raise _Refused(404, _GONE)
        if name not in {"Email", *self.settings.external_ids}:
            message = f"Provided external ID field does not exist or is not accessible: {name}"
            raise _Refused(404, error("NOT_FOUND", message))
        body = self._body(request)
        if name in body or "Id" in body:
            message = f"The {name} field should not be specified in the sobject data."
            raise _Refused(400, error("INVALID_FIELD", message))
        wanted = value.lower()
        found = [record for record in self._live(sobject) if str(record.get(name) or "").lower() == wanted]
        if len(found) > 1:
            base = _DATA.match(request.path)
            prefix = base[0] if base else ""
            return answer(300, [f"{prefix}/sobjects/{sobject}/{record['Id']}" for record in found])
        if found:
            self._save(found[0], sobject, body, request)
            if not self.settings.upsert_answers:
                return Reply(204)
            return answer(200, {"id": found[0]["Id"], "success": True, "errors": [], "created": False})
        body[name] = value
        self._check(sobject, body, new=True)
        self._check_duplicates(sobject, body, None, request)
        record = self._add(sobject, body)
        self._effects.add(f"{sobject.lower()}.created", record["Id"], request)
        return answer(201, {"id": record["Id"], "success": True, "errors": [], "created": True})

    def _delete(self, record: dict[str, Json], sobject: str, request: Request) -> Reply:
        self._change(record, {})
        record["IsDeleted"] = True
        self._effects.add(f"{sobject.lower()}.deleted", record["Id"], request)
        return Reply(204)

    def _add(self, sobject: str, values: Mapping[str, Json], record_id: str = "") -> dict[str, Json]:
        record_id = record_id or whole_id(f"{PREFIXES[sobject]}Hs{self._ids.number(sobject):010d}")
        record: dict[str, Json] = {"Id": record_id, "IsDeleted": False, "CreatedDate": _now()}
        checkboxes = {name: False for name, kind in FIELDS[sobject].items() if kind is bool}
        record |= checkboxes | ({"IsConverted": False} if sobject == "Lead" else {})
        self._change(record, values)
        self._records[sobject][record_id] = record
        return record

    def _change(self, record: dict[str, Json], values: Mapping[str, Json]) -> None:
        # An empty text is no value.
        record.update({name: None if value == "" else value for name, value in values.items()})
        record["LastModifiedDate"] = record["SystemModstamp"] = _now()

    def _check(self, sobject: str, values: Mapping[str, Json], *, new: bool) -> None:
        for wrong in objections(sobject, values, self._custom, self.settings.picklists, new=new):
            raise _Refused(400, wrong)
        who = values.get("WhoId")
        if who:
            people = self._records["Contact"] | self._records["Lead"]
            if who not in people:
                raise _Refused(400, error("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
            if people[who]["IsDeleted"]:
                raise _Refused(400, error("ENTITY_IS_DELETED", "entity is deleted"))

    def _check_duplicates(
        self, sobject: str, values: Mapping[str, Json], record: Mapping[str, Json] | None, request: Request
    ) -> None:
        others = [other for other in self._live(sobject) if other is not record]
        for name in self.settings.external_ids:
            for other in others:
                if values.get(name) and str(other.get(name) or "").lower() == str(values[name]).lower():
                    message = f"duplicate value found: {name} duplicates value on record with id: {other['Id']}"
                    raise _Refused(400, error("DUPLICATE_VALUE", message))
        rule = self.settings.duplicate_rule
        may_save = rule == "alert" and request.headers.get("Sforce-Duplicate-Rule-Header") == "allowSave=true"
        email = str(values.get("Email") or "").lower()
        alike = [other for other in others if email and str(other.get("Email") or "").lower() == email]
        if rule and alike and not may_save:
            raise _Refused(400, _duplicates(sobject, alike, allow_save=rule == "alert"))

    # ------------------------------------------------------------------------------------------------ finding

    @property
    def _custom(self) -> list[str]:
        return [*self.settings.fields, *self.settings.external_ids]

    def _live(self, sobject: str) -> list[dict[str, Json]]:
        return [record for record in self._records[sobject].values() if not record["IsDeleted"]]

    def _get(self, sobject: str, record_id: str) -> dict[str, Json]:
        record = self._records[sobject].get(record_id)
        if record is None:
            raise _Refused(404, _GONE)
        if record["IsDeleted"]:
            raise _Refused(404, error("ENTITY_IS_DELETED", "entity is deleted"))
        return record

    def _query(self, request: Request, *, deleted_too: bool) -> Reply:
        asked = _parsed(soql.parse, dict(request.query).get("q", ""))
        if asked.sobject not in FIELDS:
            message = f"sObject type '{asked.sobject}' is not supported."
            raise _Refused(400, error("INVALID_TYPE", message))
        self._require(asked.sobject, asked.names)
        records = list(self._records[asked.sobject].values()) if deleted_too else self._live(asked.sobject)
        rows = [self._shown(asked.sobject, record, asked.fields) for record in asked.run(records)]
        return self._page(request, rows, "")

    def _page(self, request: Request, rows: list[dict[str, Json]] | None, locator: str) -> Reply:
        if rows is None:
            raise _Refused(400, error("INVALID_QUERY_LOCATOR", f"invalid query locator: {locator}"))
        page, rest = rows[: self.settings.page], rows[self.settings.page :]
        value: dict[str, Json] = {"totalSize": len(rows), "done": not rest, "records": page}
        if rest:
            locator = f"01gHs{self._ids.number('locator'):013d}-{self.settings.page}"
            self._rest[locator] = rest
            found = _DATA.match(request.path)
            verb = "queryAll" if "/queryAll" in request.path else "query"
            value["nextRecordsUrl"] = f"{found[0] if found else ''}/{verb}/{locator}"
        return answer(200, value)

    def _search(self, request: Request) -> Reply:
        digits, sobject, fields = _parsed(soql.parse_search, dict(request.query).get("q", ""))
        self._require(sobject, frozenset(fields))
        found = [
            self._shown(sobject, record, fields)
            for record in self._live(sobject)
            if any(re.sub(r"\D", "", str(record.get(n) or "")).endswith(digits) for n in ("Phone", "MobilePhone"))
        ]
        return answer(200, {"searchRecords": found})

    def _require(self, sobject: str, names: frozenset[str]) -> None:
        for name in sorted(names - readable(sobject, self._custom)):
            message = (
                f"\nSELECT {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{name}' on entity '{sobject}'."
            )
            raise _Refused(400, error("INVALID_FIELD", message))

    def _shown(self, sobject: str, record: Mapping[str, Json], fields: tuple[str, ...]) -> dict[str, Json]:
        url = f"/services/data/v64.0/sobjects/{sobject}/{record['Id']}"
        shown: dict[str, Json] = {"attributes": {"type": sobject, "url": url}}
        for name in fields:
            if name == "Account.Name":
                account = self._records["Account"].get(str(record.get("AccountId")))
                shown["Account"] = account and {"attributes": {"type": "Account"}, "Name": account["Name"]}
            else:
                shown[name] = record.get(name)
        return shown


def _parsed(parse: Callable[[str], T], written: str) -> T:
    try:
        return parse(written)
    except soql.MalformedQuery as problem:
        raise _Refused(400, error("MALFORMED_QUERY", str(problem))) from None


def _duplicates(sobject: str, alike: list[dict[str, Json]], *, allow_save: bool) -> Error:
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": sobject}, "Id": record["Id"]},
        }
        for record in alike
    ]
    result = {
        "allowSave": allow_save,
        "duplicateRule": f"Standard_{sobject}_Duplicate_Rule",
        "duplicateRuleEntityType": sobject,
        "errorMessage": "Use one of these records?",
        "matchResults": [{"entityType": sobject, "errors": [], "matchRecords": matches, "success": True}],
    }
    # Salesforce's own spelling.
    return error("DUPLICATES_DETECTED", "Use one of these records?") | {"duplicateResut": result}


def _now() -> str:
    """Return the time as Salesforce writes it: to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


SIMULATOR = Salesforce
