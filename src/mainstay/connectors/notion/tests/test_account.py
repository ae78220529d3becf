"""The way in, what Notion's errors mean, and answers of any form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.notion import CONNECTOR
from mainstay.connectors.notion.account import check, http_settings
from mainstay.connectors.notion.errors import classify_answer
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.connectors.notion.tasks import make_tasks
from mainstay.errors import VendorError
from mainstay.kit import Http, Response, Task
from mainstay.kit.http import open_session
from tests.connectors.answering import Answering, with_clear_errors
from tests.connectors.tasks_conformance import FULL
from tests.kit.recorder import recording

TOKEN = "ntn_sample"
PAGE = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"


def connection(**keys: Any) -> NotionConnection:
    filled = {"connector": "notion", "token": TOKEN, "database": PAGE, **keys}
    return NotionConnection.model_validate({key: value for key, value in filled.items() if value is not None})


def answered(status: int, body: Any, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode(), body)


@pytest.mark.parametrize(
    ("status", "code", "fate"),
    [
        (400, "validation_error", "permanent"),
        (400, "invalid_json", "permanent"),
        (401, "unauthorized", "human"),
        (403, "restricted_resource", "human"),
        (404, "object_not_found", "permanent"),
        (409, "conflict_error", "transient"),
        (429, "rate_limited", "transient"),
        (500, "internal_server_error", "transient"),
        (503, "service_unavailable", "transient"),
        (529, "service_overload", "transient"),
    ],
)
def test_errors(status: int, code: str, fate: str) -> None:
    body = {"object": "error", "status": status, "code": code, "message": "why", "request_id": "1"}
    error: Any = classify_answer(answered(status, body, **{"retry-after": "90"}))
    assert (error.fate, error.status) == (fate, status)
    assert f"{code}: why" in str(error)
    assert error.retry_after == (90 if fate == "transient" else None)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"object": 1}, {"object": "error"}])
def test_an_answer_that_is_not_notions_is_no_success(body: Any) -> None:
    error = classify_answer(answered(200, body))
    assert error is not None
    assert (error.fate, error.unsure) == ("transient", True)


@pytest.mark.parametrize("body", [None, "x", [], {"message": {}, "code": 1}])
@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 529])
def test_errors_of_another_form_are_still_errors(status: int, body: Any) -> None:
    assert classify_answer(answered(status, body)) is not None


_KEYS = ["id", "properties", "type", "title", "status", "people", "date", "options", "groups", "name", "results", "bot"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([PAGE, "status", "title", "date", "people"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*_KEYS, "parent"]), inner, max_size=5),
    max_leaves=15,
)
_PROPERTIES = st.dictionaries(st.sampled_from(["a", "b", "c"]), _JSON, max_size=3)


@given(
    st.fixed_dictionaries(
        {"id": st.just(PAGE) | _JSON, "properties": _PROPERTIES | _JSON},
        optional=dict.fromkeys(("results", "next_cursor", "has_more", "parent", "data_sources", "bot", "title"), _JSON),
    )
)
async def test_whatever_is_answered_there_is_no_other_error(data: dict[str, Any]) -> None:
    for told in (connection(), connection(database="Tasks")):
        http = Answering(http_settings(told), {"object": "page"} | data)
        role = make_tasks(told, http)
        await with_clear_errors(
            role.create_task(FULL),
            role.find_create_task(FULL),
            role.complete_task(PAGE),
            role.add_comment(PAGE, "x"),
            role.find_add_comment(PAGE, "x"),
            role.fetch_task(PAGE),
            check(told, http),
        )


async def test_each_call_says_which_version_it_speaks() -> None:
    told = connection(version="2022-06-28")
    async with recording() as vendor, open_session() as session:
        for _ in range(3):
            vendor.answer({"object": "error", "status": 404, "code": "object_not_found", "message": "x"}, status=404)
        http = Http(session, http_settings(told.model_copy(update={"base_url": vendor.url})))
        with pytest.raises(VendorError, match="no database"):
            await make_tasks(told, http).create_task(Task("x"))
        assert {request.headers["notion-version"] for request in vendor.requests} == {"2022-06-28"}
        assert {request.headers["authorization"] for request in vendor.requests} == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(told) + repr(http_settings(told))


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"token": None}, "token"),
        ({"token": ""}, "token"),
        ({"version": "latest"}, "version"),
        ({"properties": {"state": "x"}}, "state"),
        ({"page": "x"}, "page"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        connection(**keys)


def test_the_declaration() -> None:
    assert CONNECTOR.name == "notion"
    assert http_settings(connection()).base_url == "https://api.notion.com"
    assert CONNECTOR.rates(connection())[0].allowed == 180
