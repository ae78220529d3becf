"""The way in, what Linear's errors mean, and answers of any form."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.linear import CONNECTOR
from mainstay.connectors.linear.account import check, http_settings, oauth
from mainstay.connectors.linear.errors import classify_answer
from mainstay.connectors.linear.settings import LinearConnection
from mainstay.connectors.linear.tasks import make_tasks
from mainstay.kit import Access, Http, Response, Task
from mainstay.kit.http import open_session
from tests.connectors.answering import Answering, with_clear_errors
from tests.contracts.vendor_specs import validate_request
from tests.kit.recorder import Recorder, recording

KEY = "lin_api_sample"
ISSUE_ID = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def connection(**keys: Any) -> LinearConnection:
    filled = {"connector": "linear", "api_key": KEY, "team": "OPS", **keys}
    return LinearConnection.model_validate({key: value for key, value in filled.items() if value is not None})


def answered(status: int, body: Any, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode(), body)


def refused(code: str | None, **extensions: Any) -> dict[str, Any]:
    told = ({"code": code} if code else {}) | extensions
    return {"errors": [{"message": "why", "extensions": told}]}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("code", "fate"),
    [
        ("AUTHENTICATION_ERROR", "human"),
        ("authentication error", "human"),
        ("FORBIDDEN", "human"),
        ("feature not accessible", "human"),
        ("USAGE_LIMIT_EXCEEDED", "human"),
        ("RATELIMITED", "transient"),
        ("ratelimited", "transient"),
        ("INTERNAL_SERVER_ERROR", "transient"),
        ("internal error", "transient"),
        ("LOCK_TIMEOUT", "transient"),
        ("INPUT_ERROR", "permanent"),
        ("GRAPHQL_VALIDATION_FAILED", "permanent"),
        ("anything else", "permanent"),
        (None, "permanent"),
    ],
)
def test_errors_are_read_whatever_the_status(status: int, code: str | None, fate: str) -> None:
    error = classify_answer(answered(status, refused(code, userPresentableMessage="Said for people")))
    assert error is not None
    assert (error.fate, error.status) == (fate, status)
    assert "Said for people" in str(error)
    by_type = classify_answer(answered(status, refused(None, type=code)))
    assert by_type is not None
    assert by_type.fate == fate


def test_a_wait_is_until_the_empty_bucket_fills() -> None:
    now = time.time()
    headers = {
        "x-ratelimit-requests-remaining": "12",
        "x-ratelimit-requests-reset": str(round((now + 3000) * 1000)),
        "x-ratelimit-complexity-remaining": "0",
        "x-ratelimit-complexity-reset": str(round((now + 40) * 1000)),
    }
    error: Any = classify_answer(answered(400, refused("RATELIMITED"), **headers))
    assert error.retry_after == pytest.approx(40, abs=2)
    error = classify_answer(answered(400, refused("RATELIMITED"), **(headers | {"retry-after": "5"})))
    assert error.retry_after == 5


@pytest.mark.parametrize("reset", ["", "soon", "nan", "inf", "1e400", "-1", "9" * 400])
def test_a_header_of_another_form_waits_as_usual(reset: str) -> None:
    headers = {"x-ratelimit-requests-reset": reset, "x-ratelimit-requests-remaining": "0"}
    error: Any = classify_answer(answered(400, refused("RATELIMITED"), **headers))
    assert error.fate == "transient"
    assert 0 <= error.retry_after <= 3600


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"data": None}, {"data": []}, {"errors": []}, {"errors": [1]}])
def test_an_answer_that_is_not_linears_is_no_success(body: Any) -> None:
    error = classify_answer(answered(200, body))
    assert error is not None
    assert (error.fate, error.unsure) == ("transient", True)


@pytest.mark.parametrize(
    "errors", ["x", {}, [{}], [{"message": 1}], [{"extensions": "x"}], [{"extensions": {"code": 1}}]]
)
def test_errors_of_another_form_are_still_errors(errors: Any) -> None:
    assert classify_answer(answered(400, {"errors": errors})) is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["nodes", "id", "issue", "success", "team", "state", "title", "url", "type", "viewer"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_ROOTS = ["teams", "users", "issues", "issueLabels", "workflowStates", "issueCreate", "issueUpdate", "commentCreate"]


@given(st.dictionaries(st.sampled_from([*_ROOTS, "viewer", "organization"]), _JSON, max_size=6))
async def test_whatever_is_answered_there_is_no_other_error(data: dict[str, Any]) -> None:
    told = connection()
    http = Answering(http_settings(told), {"data": data})
    role = make_tasks(told, http)
    await with_clear_errors(
        role.create_task(Task("x", assignee="a@example.com", labels=("l",))),
        role.complete_task(ISSUE_ID),
        role.add_comment(ISSUE_ID, "x"),
        role.fetch_task(ISSUE_ID),
        check(told, http),
    )


async def test_check_is_one_call_that_says_who(vendor: Recorder) -> None:
    organization = {"name": "Acme", "urlKey": "acme"}
    vendor.answer({"data": {"viewer": {"name": "Dana", "email": "d@example.com"}, "organization": organization}})
    told = connection(base_url=vendor.url)
    async with open_session() as session:
        assert await check(told, Http(session, http_settings(told))) == "Acme (linear.app/acme) as Dana"
    [request] = vendor.requests
    validate_request("linear", request.method, request.url, request.headers, request.body)


async def test_a_key_goes_bare_and_a_token_as_bearer(vendor: Recorder) -> None:
    answer = {"data": {"viewer": {"name": "D", "email": ""}, "organization": {"name": "A", "urlKey": "a"}}}
    told = connection(base_url=vendor.url, api_key=None, client_id="app", client_secret="sample-secret")

    async def authorize(_refused: str) -> Access:
        return Access("token-1")

    async with open_session() as session:
        for each in (connection(base_url=vendor.url), told):
            vendor.answer(answer)
            http = Http(session, http_settings(each))
            http.authorize = authorize if each.client_id else None
            await check(each, http)
    assert [request.headers["authorization"] for request in vendor.requests] == [KEY, "Bearer token-1"]
    declared = oauth(told)
    assert declared is not None
    assert (declared.scopes, declared.client_secret) == (("read,write",), "sample-secret")
    assert oauth(connection()) is None
    assert "sample-secret" not in repr(told) + repr(declared) + repr(http_settings(told))


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"api_key": None}, "either api_key, or client_id with client_secret"),
        ({"api_key": ""}, "either api_key"),
        ({"client_id": "a"}, "either api_key"),
        ({"client_id": "a", "client_secret": "b"}, "either api_key"),
        ({"api_key": None, "client_id": "a"}, "either api_key"),
        ({"workspace": "x"}, "workspace"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        connection(**keys)


def test_the_declaration() -> None:
    assert CONNECTOR.name == "linear"
    assert http_settings(connection()).base_url == "https://api.linear.app"
    assert CONNECTOR.rates(connection())[0].allowed == 1500
