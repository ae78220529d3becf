"""The API put together: its addresses, how its errors are told, and the document that describes it."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainstay.errors import ConflictError, DatabaseUnavailableError, MalformedError, PermanentError
from mainstay.web.api.addresses import BASE, ROUTERS, methods_of
from mainstay.web.api.bodies import BulkLine
from mainstay.web.api.desk import Desk
from mainstay.web.api.gate import DESCRIPTION, Gate
from mainstay.web.api.problems import (
    INVALID,
    METHOD,
    NOT_FOUND,
    TOO_LARGE,
    UNREADABLE,
    Kind,
    Problem,
    ProblemError,
    field_errors,
    problem_of,
)
from mainstay.web.api.shapes import BulkProblem, BulkShape, ProblemShape
from mainstay.web.scopes import MCP, in_order, needed

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from mainstay.contacts import Contacts
    from mainstay.web.backend import Backend
    from mainstay.workflows import Workflows

_SUMMARY = "One person, one contact: written by every path through the same rules. See docs/api.md."
_KINDS = {404: NOT_FOUND, 405: METHOD, 413: TOO_LARGE, 400: UNREADABLE}


def create_api(backend: Backend, verbs: Contacts, workflows: Workflows) -> FastAPI:
    """Return the API, behind its gate."""
    app = FastAPI(
        title="Mainstay",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        middleware=[Middleware(Gate, backend=backend)],
    )
    app.state.desk = Desk(backend, verbs, workflows)
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    described: dict[str, Any] = {}

    async def describe(_request: Request) -> Response:
        if not described:
            described.update(_description(app))
        return JSONResponse(described)

    app.add_route(DESCRIPTION, describe, methods=["GET"], include_in_schema=False)
    app.router.routes.append(Route(MCP, _Tools(), include_in_schema=False))
    for kind in (ProblemError, MalformedError, ConflictError, PermanentError, DatabaseUnavailableError):
        app.add_exception_handler(kind, _tell)
    app.add_exception_handler(HTTPException, _tell_refusal)
    app.add_exception_handler(RequestValidationError, _tell_fields)
    return app


class _Tools:
    """The tools of assistants, where the extra ``mcp`` is installed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            # Nothing is kept from one request to the next, so there is no stream to listen to.
            raise ProblemError(METHOD, "Tools are called by POST.", headers={"Allow": "POST"})
        try:
            from mainstay.web.api.tools import answer  # noqa: PLC0415 - an extra, and only where it is asked for
        except ModuleNotFoundError:
            raise ProblemError(NOT_FOUND, 'It needs an extra: pip install "mainstay[mcp]"') from None
        await answer(scope, receive, send)


async def _tell(_request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        raise error
    return problem.response()


async def _tell_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind = _KINDS.get(error.status_code) or Kind("refused", error.status_code, HTTPStatus(error.status_code).phrase)
    detail = error.detail
    if kind is NOT_FOUND:
        detail = "Nothing has this address; docs/api.md has the list."
    elif kind is METHOD:
        return _not_that(request)
    elif kind is UNREADABLE:
        detail = "The body is not JSON that can be read."
    return Problem(kind, detail, headers=dict(error.headers or {})).response()


async def _tell_fields(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return Problem(UNREADABLE, "The body is not JSON that can be read.").response()
    found = field_errors(errors)
    if request.method not in methods_of(request.url.path):
        # Another address, with an id in the place of this one's last word, has such a method.
        return _not_that(request)
    if all(each["loc"][:1] == ("path",) for each in errors):
        return Problem(NOT_FOUND, "This is not an id: ids are UUIDs, in full.").response()
    return Problem(INVALID, "; ".join(f"{each.field}: {each.message}" for each in found), tuple(found)).response()


def _not_that(request: Request) -> Response:
    detail = f"{request.method} is not among what this address takes."
    return Problem(METHOD, detail, headers={"Allow": ", ".join(sorted(methods_of(request.url.path)))}).response()


def _description(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Mainstay", version=version("mainstay"), description=_SUMMARY, routes=app.routes, openapi_version="3.1.0"
    )
    _, further = models_json_schema(_FURTHER, ref_template="#/components/schemas/{model}")
    document["components"]["schemas"].update(further["$defs"])
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    # FastAPI's own answer to wrong fields is never given here.
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["security"] = [{"token": in_order(needed(method, path))}]
            answers = operation["responses"]
            answers["4XX"] = answers["5XX"] = _PROBLEM
            answers.pop("422", None)
    return document


# What no route names to FastAPI: problems, and the lines of a stream.
_FURTHER: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (BulkLine, "validation"),
    (BulkShape, "serialization"),
    (BulkProblem, "serialization"),
    (ProblemShape, "serialization"),
]
_PROBLEM = {
    "description": "What went wrong",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
}
