"""Stripe: its OpenAPI file of 2023-08-16, and the request parameters of its SDK of today.

No tool reads its bracketed forms (``metadata[k]=v``), so they are decoded here, brought into the types that the schema
names, and then held against it; requests against both files, as far as the second has the operation.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from openapi_schema_validator import OAS30Validator, OAS31Validator

from tests.contracts.contract import FORM, Sent

VERSION = "2023-08-16"
_PART = re.compile(r"\[([^\[\]]*)\]")
_WHOLE = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_BOOLEANS = {"true": True, "false": False}
Json = Any


def decode(pairs: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> dict[str, Json]:
    """Decode bracketed names: ``a[b][0]=c`` is ``{"a": {"b": {"0": "c"}}}``, ``a[]=b`` counts on."""
    found: dict[str, Json] = {}
    for name, value in pairs:
        head, _, _ = name.partition("[")
        at = found
        parts = [head, *_PART.findall(name)]
        if name != head + "".join(f"[{part}]" for part in parts[1:]):
            raise ValueError(f"the name {name!r} has brackets that do not fit")
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            key = part or str(len(at))
            if following is None:
                if key in at:
                    raise ValueError(f"{name!r} stands there twice")
                at[key] = value
            else:
                at = at.setdefault(key, {})
                if not isinstance(at, dict):
                    raise ValueError(f"{name!r} is a value and an object")
    return found


@dataclass(frozen=True)
class _File:
    """One file: ``root`` holds what its references name."""

    root: Mapping[str, Any]
    validator: Any

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            target: Any = self.root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            schema = target
        return schema

    def errors(self, schema: Mapping[str, Any], value: Json) -> str:
        held = self.validator({"allOf": [schema], **self.root})
        found = [
            f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message[:200]}"
            for error in held.iter_errors(value)
        ]
        return "; ".join(found[:5])

    def coerced(self, value: Json, schema: Mapping[str, Any]) -> Json:
        """Bring decoded texts into the types that the schema names; what fits none stays as it is."""
        schema = self.resolve(schema)
        if "anyOf" in schema:
            tries = [self.coerced(value, each) for each in schema["anyOf"]]
            fitting = (made for made, each in zip(tries, schema["anyOf"], strict=True) if not self.errors(each, made))
            return next(fitting, value)
        if isinstance(value, dict):
            if schema.get("type") == "array" and all(key.isdigit() for key in value):
                return [self.coerced(value[key], schema.get("items", {})) for key in sorted(value, key=int)]
            properties, others = schema.get("properties", {}), schema.get("additionalProperties")
            rest = others if isinstance(others, dict) else {}
            return {key: self.coerced(each, properties.get(key, rest)) for key, each in value.items()}
        kind = schema.get("type")
        if kind == "integer" and _WHOLE.fullmatch(value):
            return int(value)
        if kind == "number" and _NUMBER.fullmatch(value):
            return float(value)
        return _BOOLEANS.get(value, value) if kind == "boolean" else value


@functools.cache
def _contract() -> _File:
    spec = _read("stripe.json")
    _let_null(spec)
    return _File({key: spec[key] for key in ("components", "paths")}, OAS30Validator)


@functools.cache
def _current() -> _File:
    return _File(_read("stripe_params_current.json"), OAS31Validator)


def _let_null(node: Json) -> None:
    """Let null stand where the file says ``nullable`` beside ``anyOf`` or ``enum``, as Stripe means it."""
    if isinstance(node, dict):
        if node.get("nullable") is True and "anyOf" in node:
            node["anyOf"] = [*node["anyOf"], {"type": "object", "nullable": True, "enum": [None]}]
        if node.get("nullable") is True and "enum" in node:
            node["enum"] = [*node["enum"], None]
        for each in node.values():
            _let_null(each)
    elif isinstance(node, list):
        for each in node:
            _let_null(each)


def _read(name: str) -> Any:
    from tests.contracts.vendor_specs import specs_folder  # noqa: PLC0415 - which imports this module

    return json.loads((specs_folder() / name).read_bytes())


@functools.cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    paths = sorted(_contract().root["paths"], key=lambda each: (each.count("{"), -len(each)))
    return tuple((re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(each))), each) for each in paths)


def _operation(sent: Sent) -> tuple[str, Mapping[str, Any]] | None:
    for pattern, template in _templates():
        operations = _contract().root["paths"][template]
        if pattern.fullmatch(sent.path) and sent.method in operations:
            return template, operations[sent.method]
    return None


def _query_schema(operation: Mapping[str, Any]) -> dict[str, Any]:
    declared = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    return {
        "type": "object",
        "properties": {each["name"]: each["schema"] for each in declared},
        "required": [each["name"] for each in declared if each.get("required")],
        "additionalProperties": False,
    }


class StripeChecks:
    """Both directions of one call."""

    @staticmethod
    def wrong_request(sent: Sent) -> str:
        found = _operation(sent)
        if found is None:
            return "the contract has no such operation"
        template, operation = found
        problem = _wrong_headers(sent)
        if problem:
            return problem
        if sent.method == "post":
            if sent.query:
                return "a POST has its parameters in the body"
            if sent.content_type != FORM:
                return f"the body is {sent.content_type}, and Stripe takes {FORM}"
            schema = operation["requestBody"]["content"][FORM]["schema"]
            pairs = tuple(parse_qsl(sent.body.decode(), keep_blank_values=True))
        else:
            if sent.body:
                return "a body where the contract has none"
            schema, pairs = _query_schema(operation), sent.query
        return _wrong_values(f"{sent.method.upper()} {template}", schema, pairs)

    @staticmethod
    def wrong_answer(sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        found = _operation(sent)
        if found is None:
            return "the contract has no such operation"
        if not headers.get("content-type", "").startswith("application/json"):
            return "the answer is not JSON"
        responses = found[1]["responses"]
        declared = responses.get(str(status)) or responses["default"]
        schema = declared["content"]["application/json"]["schema"]
        answer = json.loads(body)
        return _contract().errors(schema, answer) or _undeclared(schema, answer)


def _wrong_headers(sent: Sent) -> str:
    if not sent.headers.get("authorization", "").startswith("Bearer "):
        return "no Authorization: Bearer header"
    if sent.headers.get("stripe-version") != VERSION:
        return f"Stripe-Version is {sent.headers.get('stripe-version')!r}, and the contract is of {VERSION}"
    key = sent.headers.get("idempotency-key")
    if key is not None and (sent.method != "post" or not 0 < len(key) <= 255):
        return "Idempotency-Key is of a POST, and has at most 255 characters"
    return ""


def _wrong_values(operation: str, schema: Mapping[str, Any], pairs: tuple[tuple[str, str], ...]) -> str:
    try:
        decoded = decode(pairs)
    except ValueError as error:
        return str(error)
    contract, current = _contract(), _current()
    problem = contract.errors(schema, contract.coerced(decoded, schema))
    newer = current.root["operations"].get(operation)
    if not problem and newer is not None:
        problem = current.errors(newer, current.coerced(decoded, newer))
        problem = problem and f"today's parameters: {problem}"
    return problem


def _undeclared(schema: Mapping[str, Any], answer: Json) -> str:
    """Name the keys of an answer, and of a list's objects, that the contract does not have."""
    schema = _contract().resolve(schema)
    fitting = (each for each in schema.get("anyOf", ()) if not _contract().errors(each, answer))
    if (one := next(fitting, None)) is not None:
        return _undeclared(one, answer)
    properties = schema.get("properties", {})
    if not properties or not isinstance(answer, dict):
        return ""
    unknown = sorted(set(answer) - set(properties))
    if unknown:
        return f"keys that are not in the contract: {', '.join(unknown)}"
    items = properties.get("data", {}).get("items")
    if items and isinstance(answer.get("data"), list):
        return next(filter(None, (_undeclared(items, each) for each in answer["data"])), "")
    return ""


CHECKS = StripeChecks()


def wrong_object(value: Mapping[str, Any]) -> str:
    """Say what is wrong of an object, as an event carries it, by the schema that its ``object`` names."""
    return _contract().errors({"$ref": f"#/components/schemas/{value['object']}"}, value)
