"""Linear: every document against its schema, and every answer against the document."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from graphql.execution import get_variable_values

from tests.contracts.contract import Sent


@functools.cache
def _schema(path: Path) -> GraphQLSchema:
    return build_schema(path.read_text("utf-8"), assume_valid_sdl=True)


def _load() -> GraphQLSchema:
    # Late: the folder's finder imports these modules.
    from tests.contracts.vendor_specs import specs_folder  # noqa: PLC0415

    return _schema(specs_folder() / "linear.graphql")


class LinearChecks:
    """The checks."""

    def wrong_request(self, sent: Sent) -> str:
        """Hold a document and its variables against the schema."""
        if (sent.method, sent.path) != ("post", "/graphql"):
            return "Linear's API is POST /graphql"
        if not sent.headers.get("authorization"):
            return "no Authorization header"
        try:
            document, variables = _read(sent)
            errors = validate(_load(), document)
            if errors:
                return "; ".join(error.message for error in errors)
            (operation,) = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
            coerced = get_variable_values(_load(), operation.variable_definitions or (), variables)
        except (GraphQLError, ValueError, KeyError) as error:
            return f"the body is no GraphQL request: {error}"
        return "; ".join(error.message for error in coerced) if isinstance(coerced, list) else ""

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """Hold an answer's errors against Linear's shape, and its data against what the document asked for."""
        value = json.loads(body)
        if "errors" in value:
            return _wrong_errors(value["errors"])
        if status != 200:
            return f"status {status} without errors"
        if not sent.body:
            return ""
        document, variables = _read(sent)
        completed = execute_sync(_load(), document, root_value=value["data"], variable_values=variables)
        assert isinstance(completed, ExecutionResult)
        if completed.errors:
            return "; ".join(error.message for error in completed.errors)
        return "" if completed.data == value["data"] else "the answer has more or less than was asked for"


def _read(sent: Sent) -> tuple[Any, dict[str, Any]]:
    body = json.loads(sent.body)
    if unknown := set(body) - {"query", "variables", "operationName"}:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    return parse(body["query"]), body.get("variables") or {}


def _wrong_errors(errors: Any) -> str:
    if not isinstance(errors, list) or not errors:
        return "errors is a list of some"
    for error in errors:
        if not isinstance(error.get("message"), str) or not isinstance(error.get("extensions", {}), dict):
            return f"an error is {{message, extensions}}, not {error!r}"
    return ""


CHECKS = LinearChecks()
