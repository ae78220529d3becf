from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from tests.sandbox.wire import Answer, call

TOKEN = {"Authorization": "Bearer ntn_1", "Notion-Version": "2025-09-03"}


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    return call(method, f"{sandbox.url('notion')}/v1{path}", body, TOKEN if headers is None else headers)


def source(sandbox: Sandbox, number: int = 0) -> str:
    return str(sandbox.state("notion")["data_sources"][number]["id"])


def rich(content: str) -> list[dict[str, Any]]:
    return [{"text": {"content": content}}]


def create(sandbox: Sandbox, properties: dict[str, Any], **more: Any) -> Answer:
    parent = {"type": "data_source_id", "data_source_id": source(sandbox)}
    return ask(sandbox, "POST", "/pages", {"parent": parent, "properties": properties, **more})


def test_a_page_is_made_changed_and_trashed(sandbox: Sandbox) -> None:
    made = create(sandbox, {"Name": {"title": rich("Call")}}).json()
    assert made["properties"]["State"]["status"]["name"] == "Not started"
    assert made["created_time"].endswith(":00.000Z")
    path = f"/pages/{made['id'].replace('-', '')}"
    done = {"properties": {"State": {"status": {"name": "Done"}}}}
    assert ask(sandbox, "PATCH", path, done).json()["properties"]["State"]["status"]["name"] == "Done"
    assert ask(sandbox, "PATCH", path, {"in_trash": True}).json()["in_trash"] is True
    assert ask(sandbox, "PATCH", path, done).status == 400
    assert ask(sandbox, "POST", f"/data_sources/{source(sandbox)}/query", {}).json()["results"] == []
    assert [effect["kind"] for effect in sandbox.effects("notion")] == ["task.created", "task.updated", "task.updated"]


@pytest.mark.parametrize(
    "properties",
    [
        {"Nothing": {"title": []}},
        {"Name": {"rich_text": []}},
        {"Name": {"title": rich("x" * 2001)}},
        {"Name": {"title": rich("x") * 101}},
        {"Due": {"date": {"start": "tomorrow"}}},
        {"State": {"status": {"name": "Gone"}}},
        {"Tags": {"multi_select": [{"name": "a,b"}]}},
        {"Owner": {"people": [{"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"}]}},
        {"Owner": {"people": [{"id": "7"}]}},
    ],
)
def test_a_bad_page_is_refused(sandbox: Sandbox, properties: dict[str, Any]) -> None:
    answer = create(sandbox, properties)
    assert (answer.status, answer.json()["code"]) == (400, "validation_error")
    assert sandbox.state("notion")["pages"] == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (TOKEN | {"Authorization": "Bearer revoked"}, 401), ({"Authorization": "Bearer ntn_1"}, 400)],
)
def test_a_call_needs_a_token_and_a_version(sandbox: Sandbox, headers: dict[str, str], status: int) -> None:
    assert ask(sandbox, "GET", "/users/me", headers=headers).status == status


def test_queries_are_filtered_cut_and_lag(sandbox: Sandbox) -> None:
    for title in ("a", "b", "a"):
        create(sandbox, {"Name": {"title": rich(title)}})
    path = f"/data_sources/{source(sandbox)}/query"
    titled = {"property": "Name", "title": {"equals": "a"}}
    since = {"timestamp": "created_time", "created_time": {"on_or_after": "2999-01-01T00:00:00Z"}}
    page = ask(sandbox, "POST", path, {"filter": titled, "page_size": 1}).json()
    assert (len(page["results"]), page["has_more"]) == (1, True)
    rest = ask(sandbox, "POST", path, {"filter": titled, "start_cursor": page["next_cursor"]}).json()
    assert (len(rest["results"]), rest["has_more"], rest["next_cursor"]) == (1, False, None)
    assert ask(sandbox, "POST", path, {"filter": {"and": [titled, since]}}).json()["results"] == []
    assert ask(sandbox, "POST", path, {"filter": {"property": "X", "title": {"equals": "a"}}}).status == 400
    assert ask(sandbox, "POST", path, {"page_size": 101}).status == 400
    sandbox.configure("notion", query_lag_ms=60_000)
    assert ask(sandbox, "POST", path, {}).json()["results"] == []


def test_what_is_not_there_is_not_found(sandbox: Sandbox) -> None:
    gone = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"
    for path in (f"/pages/{gone}", f"/data_sources/{gone}", f"/databases/{gone}", f"/users/{gone}"):
        answer = ask(sandbox, "GET", path)
        assert (answer.status, answer.json()["code"]) == (404, "object_not_found")
    assert ask(sandbox, "GET", "/pages/7").status == 400
    assert ask(sandbox, "GET", "/nothing").status == 400
    assert ask(sandbox, "POST", "/comments", {"parent": {"page_id": gone}, "rich_text": rich("x")}).status == 404
    with pytest.raises(SandboxError, match="no comments to seed"):
        sandbox.seed("notion", "comments", [{}])


def test_people_may_be_hidden(sandbox: Sandbox) -> None:
    sandbox.seed("notion", "users", [{"email": "dana@example.com"}])
    assert ask(sandbox, "GET", "/users").json()["results"][0]["person"] == {"email": "dana@example.com"}
    sandbox.configure("notion", hides_people=True)
    assert ask(sandbox, "GET", "/users").json()["results"][0]["person"] == {}
