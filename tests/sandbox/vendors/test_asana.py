from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from mainstay.sandbox.vendors.asana import WORKSPACE
from tests.sandbox.wire import Answer, call

TOKEN = {"Authorization": "Bearer pat-1"}


def ask(sandbox: Sandbox, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None) -> Answer:
    body = None if data is None else {"data": data}
    return call(method, f"{sandbox.url('asana')}/api/1.0{path}", body, TOKEN if headers is None else headers)


def project(sandbox: Sandbox) -> str:
    return str(ask(sandbox, "GET", "/projects").json()["data"][0]["gid"])


def test_a_task_is_made_kept_and_deleted(sandbox: Sandbox) -> None:
    made = ask(sandbox, "POST", "/tasks", {"name": "Call", "projects": [project(sandbox)]})
    gid = made.json()["data"]["gid"]
    assert (made.status, made.json()["data"]["name"]) == (201, "Call")
    path = f"/tasks/{gid}"
    assert ask(sandbox, "PUT", path, {"completed": True}).status == 200
    assert ask(sandbox, "PUT", path, {"completed": True}).status == 200
    assert ask(sandbox, "GET", f"{path}?opt_fields=completed").json()["data"] == {"gid": gid, "completed": True}
    assert ask(sandbox, "POST", f"{path}/stories", {"text": "x"}).status == 201
    assert ask(sandbox, "DELETE", path).status == 200
    assert ask(sandbox, "GET", path).status == 404
    kinds = [effect["kind"] for effect in sandbox.effects("asana")]
    assert kinds == ["task.created", "task.updated", "comment.created", "task.deleted"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "x", "projects": ["7"]},
        {"name": "x", "due_on": "tomorrow"},
        {"name": "x", "title": "y"},
        {"name": "x", "tags": ["7"]},
    ],
)
def test_a_bad_task_is_refused(sandbox: Sandbox, data: dict[str, Any]) -> None:
    given = ({"workspace": WORKSPACE} if data else {}) | data
    answer = ask(sandbox, "POST", "/tasks", given)
    assert answer.status == 400
    assert answer.json()["errors"][0]["message"]
    assert sandbox.state("asana")["tasks"] == []


def test_what_is_no_request_is_refused(sandbox: Sandbox) -> None:
    url = f"{sandbox.url('asana')}/api/1.0/tasks"
    assert call("POST", url, b"{", TOKEN).status == 400
    assert call("POST", url, {"name": "x"}, TOKEN).status == 400
    assert ask(sandbox, "GET", "/tasks").status == 400
    assert ask(sandbox, "GET", "/nothing").status == 404
    assert ask(sandbox, "GET", "/projects?limit=101").status == 400
    assert ask(sandbox, "GET", "/projects?offset=x").status == 400
    with pytest.raises(SandboxError, match="no stories to seed"):
        sandbox.seed("asana", "stories", [{}])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer revoked"}])
def test_a_call_needs_a_token(sandbox: Sandbox, headers: dict[str, str]) -> None:
    assert ask(sandbox, "GET", "/projects", headers=headers).status == 401


def test_pages_are_cut_and_go_on(sandbox: Sandbox) -> None:
    sandbox.seed("asana", "tags", [{"name": str(number)} for number in range(30)])
    path = f"/workspaces/{WORKSPACE}/tags"
    first = ask(sandbox, "GET", path).json()
    second = ask(sandbox, "GET", f"{path}?offset={first['next_page']['offset']}").json()
    assert (len(first["data"]), len(second["data"]), second["next_page"]) == (20, 10, None)


def test_an_id_of_an_apps_own_finds_its_task(sandbox: Sandbox) -> None:
    sandbox.configure("asana", apps=["app"])
    given = {"name": "x", "projects": [project(sandbox)], "external": {"gid": "e1"}}
    assert ask(sandbox, "POST", "/tasks", given).status == 201
    assert ask(sandbox, "GET", "/tasks/external:e1").status == 404
    assert ask(sandbox, "POST", "/tasks", given, {"Authorization": "Bearer app"}).status == 201
    assert ask(sandbox, "GET", "/tasks/external:e1").status == 200


def test_the_list_is_of_a_project_and_what_changed_and_lags(sandbox: Sandbox) -> None:
    gid = project(sandbox)
    ask(sandbox, "POST", "/tasks", {"name": "x", "projects": [gid]})
    assert len(ask(sandbox, "GET", f"/tasks?project={gid}&modified_since=2020-01-01").json()["data"]) == 1
    assert ask(sandbox, "GET", f"/tasks?project={gid}&modified_since=2999-01-01").json()["data"] == []
    sandbox.configure("asana", list_lag_ms=60_000)
    assert ask(sandbox, "GET", f"/tasks?project={gid}").json()["data"] == []
