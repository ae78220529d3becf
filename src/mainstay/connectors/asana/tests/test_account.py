"""The way in, what Asana's errors mean, and answers of any form."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.asana import CONNECTOR
from mainstay.connectors.asana.account import check, http_settings, oauth
from mainstay.connectors.asana.errors import classify_answer
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.connectors.asana.tasks import make_tasks
from mainstay.errors import VendorError
from mainstay.kit import Access, Http, Response, Task, TaskState
from mainstay.kit.http import open_session
from tests.connectors.answering import Answering, with_clear_errors
from tests.kit.recorder import Recorder, recording

TOKEN = "2/1200/sample"
TASK = Task("x", assignee="a@example.com", labels=("l",))


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def connection(**keys: Any) -> AsanaConnection:
    filled = {"connector": "asana", "token": TOKEN, "workspace": "12", "project": "7", **keys}
    return AsanaConnection.model_validate({key: value for key, value in filled.items() if value is not None})


def answered(status: int, body: Any, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode(), body)


@pytest.mark.parametrize(
    ("status", "fate", "mend"),
    [
        (400, "permanent", "why"),
        (401, "human", "put a valid token"),
        (402, "human", "the workspace's plan"),
        (403, "human", "give the token's owner access"),
        (404, "permanent", "why"),
        (412, "permanent", "why"),
        (429, "transient", "why"),
        (500, "transient", "why"),
        (503, "transient", "why"),
    ],
)
def test_errors(status: int, fate: str, mend: str) -> None:
    error = classify_answer(answered(status, {"errors": [{"message": "why", "help": "h"}]}))
    assert error is not None
    assert (error.fate, error.status) == (fate, status)
    assert mend in str(error)


def test_the_phrase_of_a_server_error_is_kept() -> None:
    assert "6 sad squid" in str(classify_answer(answered(500, {"errors": [{"phrase": "6 sad squid"}]})))


@pytest.mark.parametrize("body", [None, [], "x", {}, {"data": None}, {"data": "x"}, {"errors": []}])
def test_an_answer_that_is_not_asanas_is_no_success(body: Any) -> None:
    error = classify_answer(answered(200, body))
    assert error is not None
    assert (error.fate, error.unsure) == ("transient", True)


@pytest.mark.parametrize("errors", [None, "x", {}, [1], [{}], [{"message": {}}]])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500])
def test_errors_of_another_form_are_still_errors(status: int, errors: Any) -> None:
    assert classify_answer(answered(status, {"errors": errors})) is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["gid", "name", "email", "assignee", "completed", "due_on", "workspaces", "created_at"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(_JSON, _JSON)
async def test_whatever_is_answered_there_is_no_other_error(data: Any, page: Any) -> None:
    for told in (connection(), connection(project="Leads")):
        http = Answering(http_settings(told), {"data": data, "next_page": page})
        role = make_tasks(told, http)
        await with_clear_errors(
            role.create_task(TASK),
            role.find_create_task(TASK),
            role.complete_task("1"),
            role.add_comment("1", "x"),
            role.find_add_comment("1", "x"),
            role.fetch_task("1"),
            check(told, http),
        )


async def test_nobody_is_null(vendor: Recorder) -> None:
    task = {"gid": "1", "name": "x", "completed": True, "due_on": None, "permalink_url": "u", "assignee": None}
    vendor.answer({"data": task})
    told = connection(base_url=vendor.url)
    async with open_session() as session:
        read = await make_tasks(told, Http(session, http_settings(told))).fetch_task("1")
    assert read == TaskState("1", "x", is_done=True, url="u")


async def test_a_list_without_end_is_given_up(vendor: Recorder) -> None:
    for _ in range(20):
        vendor.answer({"data": [], "next_page": {"offset": "o", "path": "x", "uri": "https://elsewhere.example"}})
    told = connection(base_url=vendor.url, project="Leads")
    async with open_session() as session:
        with pytest.raises(VendorError, match="more than 2000 records"):
            await make_tasks(told, Http(session, http_settings(told))).create_task(Task("x"))
    assert {request.path for request in vendor.requests} == {"/projects"}


async def test_oauth(vendor: Recorder) -> None:
    told = connection(base_url=vendor.url, token=None, client_id="app", client_secret="sample-secret")
    declared = oauth(told)
    assert declared is not None
    assert (declared.client_id, declared.client_auth) == ("app", "body")
    assert oauth(connection()) is None
    assert "sample-secret" not in repr(told) + repr(declared) + repr(http_settings(told))
    assert "Authorization" not in http_settings(told).headers

    async def authorize(_refused: str) -> Access:
        return Access("token-1")

    vendor.answer({"data": {"name": "D", "workspaces": [{"gid": "12", "name": "Acme"}]}})
    async with open_session() as session:
        http = Http(session, http_settings(told))
        http.authorize = authorize
        assert await check(told, http) == "Acme as D"
    assert vendor.requests[0].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"token": None}, "either token, or client_id with client_secret"),
        ({"client_id": "a", "client_secret": "b"}, "either token"),
        ({"token": None, "client_id": "a"}, "either token"),
        ({"workspace": "acme"}, "workspace"),
        ({"workspace": None}, "workspace"),
        ({"team": "x"}, "team"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        connection(**keys)


def test_the_declaration() -> None:
    assert CONNECTOR.name == "asana"
    assert http_settings(connection()).base_url == "https://app.asana.com/api/1.0"
    assert CONNECTOR.rates(connection())[0].seconds == 60
