"""Hold requests and answers against the vendors' own contracts.

``validate_request(vendor, method, url, headers, body)`` and ``validate_response(...)`` return nothing when the
contract is kept and raise ``AssertionError`` with the reason when it is not. ``url`` may be the vendor's real address
or one of the sandbox (``http://127.0.0.1:4010/gohighlevel/contacts/upsert``): only its path and query count.
``validate_recorded(record)`` does the same for an entry of the sandbox's request log.

Beyond what the schema language catches, a key in a body or query that the contract does not declare is refused too:
HighLevel answers such a request with 422, and a vendor that ignores it would hide a misspelt field.

The contracts lie in ``../shared/vendors/specs`` beside the repository (``MAINSTAY_VENDOR_SPECS`` names another
folder). Where they are missing the calling test is skipped with that reason; with ``CI=true`` it fails.
"""

from __future__ import annotations

import functools
import json
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from openapi_schema_validator import OAS30Validator

from tests.contracts import meta_contract, slack_contract
from tests.contracts.contract import FORM, Contract, Sent
from tests.contracts.vendors import CHECKS, CONTRACTS, TOKEN_ENDPOINTS

Body = bytes | str | Mapping[str, Any] | list[Any] | None
Json = Any

# Other faults answer what a test asks for: a status that the vendor never gives, half an answer, a gateway's page.
_KEEPING_FAULTS = {None, "latency"}


# ------------------------------------------------------------------------------------------------ the three calls


def validate_request(vendor: str, method: str, url: str, headers: Mapping[str, str], body: Body = None) -> None:
    """Raise ``AssertionError`` unless the request keeps the vendor's contract.

    ``vendor`` is ``meta`` or a module's name in ``tests.contracts.vendors``; GoHighLevel's v3 and HubSpot's dated
    contracts are chosen by the ``Version`` header and the path. ``body`` may be what goes over the wire or the value to
    be sent as JSON.
    """
    call = _Call.of(vendor, method, url, headers, body)
    if vendor == "meta":
        meta_contract.check_request(_meta(), call.method, call.path, call.query)
        return
    if call.is_slack_webhook:
        if reason := slack_contract.wrong_webhook(call.method, call.path, _parse(call, call.body)):
            _fail(call, reason)
        return
    endpoint = TOKEN_ENDPOINTS.get(vendor)
    if endpoint is not None and call.path == endpoint.path:
        if reason := endpoint.wrong_request(call.sent):
            _fail(call, reason)
        return
    if call.is_checked:
        if reason := CHECKS[vendor].wrong_request(call.sent):
            _fail(call, reason)
        return
    loaded = _loaded(call.contract)
    operation = loaded.operation(call)
    _no_unknown_query(call, loaded, operation)
    is_let_in = call.headers.get("authorization", "").startswith("Bearer ") or call.path.startswith("/oauth/")
    if vendor == "hubspot" and not is_let_in:
        # The file asks for OAuth, which openapi-core cannot check.
        _fail(call, "no Authorization: Bearer header")
    if vendor == "slack":
        call = _slack_as_form(call, loaded, operation)
    _no_unknown_body(call, loaded, operation)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Unsupported scheme type")
            warnings.filterwarnings("ignore", message="Use of allowEmptyValue property is deprecated")
            loaded.openapi.validate_request(call.to_openapi())
    except Exception as problem:  # noqa: BLE001 openapi-core has no one base class for its refusals
        _fail(call, _reason(problem))


def validate_response(
    vendor: str,
    method: str,
    url: str,
    status: int,
    headers: Mapping[str, str],
    body: Body,
    request_headers: Mapping[str, str] | None = None,
    request_body: Body = None,
) -> None:
    """Raise ``AssertionError`` unless the answer keeps the vendor's contract.

    ``request_headers`` are needed only where they choose the contract (GoHighLevel's ``Version``), and ``request_body``
    where it says what is answered (GraphQL). A status that the vendor gives and its file leaves out is held against the
    vendor's error shape; see ``Contract.new_statuses``.
    """
    call = _Call.of(vendor, method, url, request_headers or {}, request_body)
    raw = _to_bytes(body)
    if vendor == "meta":
        meta_contract.check_response(_meta(), call.path, status, _parse(call, raw))
        return
    if call.is_slack_webhook:
        if reason := slack_contract.wrong_webhook_answer(status, raw.decode()):
            _fail(call, reason)
        return
    endpoint = TOKEN_ENDPOINTS.get(vendor)
    if endpoint is not None and call.path == endpoint.path:
        if reason := endpoint.wrong_answer(status, raw):
            _fail(call, f"answer {status}: {reason}")
        return
    if call.is_checked:
        lowered = {name.lower(): value for name, value in headers.items()}
        if reason := CHECKS[vendor].wrong_answer(call.sent, status, lowered, raw):
            _fail(call, f"answer {status}: {reason}")
        return
    _validate_by_openapi(call, status, headers, raw)


def _validate_by_openapi(call: _Call, status: int, headers: Mapping[str, str], raw: bytes) -> None:
    loaded = _loaded(call.contract)
    operation = loaded.operation(call)
    declared = operation["responses"]
    answer = {k.lower(): v for k, v in headers.items()}
    content_type = answer.get("content-type", "").split(";")[0].strip()
    if call.vendor == "slack":
        raw, status = slack_contract.as_declared(raw, status)
    if str(status) not in declared and "default" not in declared:
        if status not in call.contract.new_statuses:
            _fail(call, f"status {status} is not in the contract, which has {', '.join(declared)}")
        component = call.contract.new_statuses[status]
        document = {"$ref": f"#/components/schemas/{component}"} if component else call.contract.error
        if document is None:
            return
        _hold_against(call, loaded, document, _parse(call, raw))
        return
    content = loaded.resolve(declared.get(str(status), declared.get("default"))).get("content")
    if status == 204:
        if raw:
            _fail(call, f"204 has no body, and this one has {raw[:200]!r}")
        return
    if content:
        _no_unknown(call, loaded, next(iter(content.values())).get("schema", {}), _parse(call, raw), answer=True)
    response = MockResponse(raw, status_code=status, headers=dict(answer), content_type=content_type)
    try:
        loaded.openapi.validate_response(call.to_openapi(), response)
    except Exception as problem:  # noqa: BLE001 as above
        _fail(call, f"answer {status}: {_reason(problem)}")


def validate_recorded(record: Mapping[str, Any]) -> None:
    """Validate an entry of ``Sandbox.requests(vendor)``: what the connector sent, and what the sandbox answered."""
    vendor, method, url, headers = (record[key] for key in ("vendor", "method", "url", "headers"))
    if record["status"] == 302 and "response_type=" in url:
        # The vendor's page, at which a person agrees: it is no part of an API.
        return
    validate_request(vendor, method, url, headers, record["body"])
    if record["answer"] is not None and record["fault"] in _KEEPING_FAULTS:
        sent = {"content-type": record["answer"]["content_type"]}
        answer = record["answer"]["body"]
        validate_response(vendor, method, url, record["status"], sent, answer, headers, record["body"])


# --------------------------------------------------------------------------------------------- finding the contract


def specs_folder() -> Path:
    """Return the folder of the contracts; skip the calling test where it is missing, fail it with ``CI=true``."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "vendors" / "specs"
    folder = Path(os.environ.get("MAINSTAY_VENDOR_SPECS") or beside)
    if folder.is_dir():
        return folder
    reason = f"the vendors' contracts are not at {folder}; name their folder in MAINSTAY_VENDOR_SPECS"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"CI never skips contract tests, and {reason}", pytrace=False)
    pytest.skip(reason)


@functools.cache
def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _meta() -> Any:
    return _read(specs_folder() / "meta_lead_ads.json")


@dataclass(frozen=True, eq=False)
class _Loaded:
    spec: Mapping[str, Any]
    openapi: OpenAPI
    base: str
    paths: tuple[tuple[re.Pattern[str], str], ...]

    def operation(self, call: _Call) -> Mapping[str, Any]:
        path = call.path.removeprefix(self.base)
        for pattern, template in self.paths:
            operations = self.spec["paths"][template]
            if pattern.fullmatch(path) and call.method in operations:
                found: Mapping[str, Any] = operations[call.method]
                shared = operations.get("parameters", ())
                return {**found, "parameters": [*shared, *found.get("parameters", ())]}
        return _fail(call, "the contract has no such operation")

    def resolve(self, node: Any) -> Any:
        while isinstance(node, Mapping) and "$ref" in node:
            target: Any = self.spec
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node


def _loaded(contract: Contract) -> _Loaded:
    return _load(specs_folder() / contract.file, contract.origin, contract.mend)


@functools.cache
def _load(path: Path, origin: str, mend: Callable[[Any], None] | None) -> _Loaded:
    spec = json.loads(path.read_bytes())
    if mend is not None:
        mend(spec)
    base = urlsplit(spec["servers"][0]["url"]).path.rstrip("/")
    for answer in spec.get("components", {}).get("responses", {}).values():
        if "*/*" in answer.get("content", {}):
            # HubSpot's errors: openapi-core finds no decoder for */* and would hold raw bytes against the schema.
            answer["content"] = {"application/json": answer["content"]["*/*"]}
    # Postmark's server has no scheme, and openapi-core then matches no request at all.
    spec["servers"] = [{"url": origin + base}]
    # Several vendors' files break OpenAPI's own rules in places that no request touches (VALIDATION.md): checked
    # strictly they would not load at all.
    openapi = OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))
    templates = sorted(spec["paths"], key=lambda template: (template.count("{"), -len(template)))
    patterns = tuple((re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(t))), t) for t in templates)
    return _Loaded(spec, openapi, base, patterns)


# ------------------------------------------------------------------------------------------------- one call


@dataclass(frozen=True)
class _Call:
    vendor: str
    contract: Contract
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    content_type: str
    body: bytes

    @classmethod
    def of(cls, vendor: str, method: str, url: str, headers: Mapping[str, str], body: Body) -> _Call:
        known = [*CONTRACTS, *CHECKS, "meta"]
        if vendor not in known:
            raise AssertionError(f"no contract for vendor {vendor!r}: there are {', '.join(known)}")
        parts = urlsplit(url)
        path = parts.path.removeprefix(f"/{vendor}")
        lowered = {name.lower(): str(value) for name, value in headers.items()}
        name = vendor
        if vendor == "gohighlevel" and lowered.get("version") == "v3":
            name = "gohighlevel_v3"
        if vendor == "hubspot" and "/2026-03/" in path:
            name = "hubspot_2026-03"
        contract = CONTRACTS.get(name, Contract("its checks", ""))
        content_type = lowered.get("content-type", "application/json").split(";")[0].strip()
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(vendor, contract, method.lower(), path, query, lowered, content_type, _to_bytes(body))

    @property
    def is_slack_webhook(self) -> bool:
        return self.vendor == "slack" and self.path.startswith("/services/")

    @property
    def is_checked(self) -> bool:
        below = self.contract.below
        return self.vendor in CHECKS and not (below and self.path.startswith(below))

    @property
    def sent(self) -> Sent:
        return Sent(self.method, self.path, self.query, self.headers, self.content_type, self.body)

    def to_openapi(self) -> MockRequest:
        query: Any = list(self.query)
        return MockRequest(
            self.contract.origin,
            self.method,
            self.path,
            args=query,
            headers=dict(self.headers),
            data=self.body or None,
            content_type=self.content_type,
        )


def _to_bytes(body: Body) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _parse(call: _Call, raw: bytes) -> Json:
    try:
        return json.loads(raw)
    except ValueError:
        return _fail(call, f"the body is not JSON: {raw[:200]!r}")


def _fail(call: _Call, reason: str) -> NoReturn:
    raise AssertionError(f"{call.vendor} ({call.contract.file}): {call.method.upper()} {call.path}: {reason}")


def _reason(problem: BaseException | None) -> str:
    """Flatten openapi-core's chain of causes: the useful sentence is at its end."""
    texts: list[str] = []
    while problem is not None:
        details = [_schema_error(error) for error in getattr(problem, "schema_errors", ())]
        if details:
            return "; ".join(dict.fromkeys(details))
        texts.append(str(problem).splitlines()[0] if str(problem) else type(problem).__name__)
        problem = problem.__cause__
    return "; ".join(dict.fromkeys(texts))


def _schema_error(error: Any) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "body"
    nested = [_schema_error(inner) for inner in error.context or ()]
    return f"{where}: {error.message[:300]}" + (f" ({' | '.join(nested[:4])})" if nested else "")


# ------------------------------------------------------------------------------------------- undeclared keys


def _no_unknown_query(call: _Call, loaded: _Loaded, operation: Mapping[str, Any]) -> None:
    declared = {p["name"] for p in map(loaded.resolve, operation.get("parameters", ())) if p["in"] == "query"}
    unknown = {name for name, _ in call.query} - declared - call.contract.new_request_keys
    if unknown:
        _fail(call, f"query {sorted(unknown)} not in the contract, which has {sorted(declared)}")


def _no_unknown_body(call: _Call, loaded: _Loaded, operation: Mapping[str, Any]) -> None:
    content = loaded.resolve(operation.get("requestBody", {})).get("content", {})
    if not content and call.body:
        _fail(call, "the contract has no body here, and one was sent")
    schema = content.get(call.content_type, {}).get("schema")
    if schema is not None and call.body:
        is_form = call.content_type == FORM
        sent = dict(parse_qsl(call.body.decode(), keep_blank_values=True)) if is_form else _parse(call, call.body)
        _no_unknown(call, loaded, schema, sent, answer=False)


def _no_unknown(call: _Call, loaded: _Loaded, schema: Any, value: Json, *, answer: bool) -> None:
    new = call.contract.new_answer_keys if answer else call.contract.new_request_keys
    unknown = sorted({path for path, key in _unknown(loaded, (schema,), value) if key not in new})
    if unknown:
        _fail(call, f"{'answer' if answer else 'body'} has keys that are not in the contract: {', '.join(unknown)}")


def _unknown(loaded: _Loaded, schemas: Iterable[Any], value: Json, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key (with its path) that none of the alternative schemas declares; free-form objects pass."""
    flat = list(_alternatives(loaded, schemas))
    if isinstance(value, list):
        items = [schema["items"] for schema in flat if "items" in schema]
        for item in value if items else ():
            yield from _unknown(loaded, items, item, f"{where}[]")
        return
    if not isinstance(value, Mapping) or any("additionalProperties" in schema for schema in flat):
        return
    properties: dict[str, list[Any]] = {}
    for schema in flat:
        for key, child in schema.get("properties", {}).items():
            properties.setdefault(key, []).append(child)
    for key, child in value.items() if properties else ():
        if key in properties:
            yield from _unknown(loaded, properties[key], child, f"{where}.{key}".lstrip("."))
        else:
            yield f"{where}.{key}".lstrip("."), key


def _alternatives(loaded: _Loaded, schemas: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for schema in map(loaded.resolve, schemas):
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            yield from _alternatives(loaded, schema.get(word, ()))


def _hold_against(call: _Call, loaded: _Loaded, schema: Mapping[str, Any], value: Json) -> None:
    resolved = loaded.resolve(schema)
    if not isinstance(value, Mapping):
        _fail(call, f"an error answer is an object, not {value!r}")
    errors = [_schema_error(error) for error in OAS30Validator(resolved).iter_errors(value)]
    if errors:
        _fail(call, "; ".join(errors))
    _no_unknown(call, loaded, resolved, value, answer=True)


def _slack_as_form(call: _Call, loaded: _Loaded, operation: Mapping[str, Any]) -> _Call:
    """Return the call as the 2021 file knows it: a form, the token in a header of its own."""
    bearer = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    headers = dict(call.headers) | ({"token": bearer} if bearer else {})
    content = operation.get("requestBody", {}).get("content", {})
    declared = loaded.resolve(content.get(FORM, {}).get("schema", {})).get("properties", {})
    if call.content_type == FORM:
        sent: Json = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
    else:
        sent = _parse(call, call.body) if call.body else {}
        if reason := slack_contract.wrong_types(sent, declared):
            _fail(call, reason)
    if unknown := set(sent) - set(declared) - call.contract.new_request_keys - {"token"}:
        _fail(call, f"fields {sorted(unknown)} not in the contract, which has {sorted(declared)}")
    fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in sent.items() if k in declared}
    return replace(call, headers=headers, content_type=FORM, body=urlencode(fields).encode() if content else b"")
