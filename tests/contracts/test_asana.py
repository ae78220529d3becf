"""Asana's simulator keeps Asana's contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from mainstay.sandbox.vendors.asana import WORKSPACE
from tests.contracts.vendor_specs import specs_folder, validate_request, validate_response
from tests.sandbox.wire import Answer, call

TOKEN = {"Authorization": "Bearer pat-1", "Content-Type": "application/json"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    specs_folder()
    with SandboxProcess() as running:
        yield running.sandbox


def ask(sandbox: Sandbox, method: str, path: str, data: Any = None, *, good: bool = True) -> Answer:
    url = f"{sandbox.base_url}/asana/api/1.0{path}"
    body = None if data is None else {"data": data}
    if good:
        validate_request("asana", method, url, TOKEN, body)
    answer = call(method, url, body, TOKEN)
    validate_response("asana", method, url, answer.status, answer.headers, answer.body, TOKEN)
    return answer


def test_the_simulator(sandbox: Sandbox) -> None:
    sandbox.seed("asana", "users", [{"email": "dana@example.com", "name": "Dana"}])
    tags = f"/workspaces/{WORKSPACE}/tags"
    project = ask(sandbox, "GET", f"/projects?workspace={WORKSPACE}&archived=false&limit=1").json()["data"][0]["gid"]
    tag = ask(sandbox, "POST", tags, {"name": "new"}).json()["data"]["gid"]
    given = {"name": "Zoë", "notes": "n", "due_on": "2026-12-24", "assignee": "dana@example.com", "tags": [tag]}
    made = ask(sandbox, "POST", "/tasks?opt_fields=permalink_url", given | {"projects": [project]}).json()["data"]
    path = f"/tasks/{made['gid']}"
    statuses = [
        ask(sandbox, "GET", "/users/me?opt_fields=name,email,workspaces,workspaces.name").status,
        ask(sandbox, "GET", f"/users/dana@example.com?opt_fields=email&workspace={WORKSPACE}").status,
        ask(sandbox, "GET", f"{tags}?opt_fields=name&limit=100").status,
        ask(sandbox, "GET", f"{path}?opt_fields=name,completed,due_on,permalink_url,assignee,created_at").status,
        ask(sandbox, "GET", f"/tasks?project={project}&opt_fields=name,notes,due_on,created_at&limit=100").status,
        ask(sandbox, "PUT", f"{path}?opt_fields=completed", {"completed": True}).status,
        ask(sandbox, "POST", f"{path}/stories?opt_fields=created_at", {"text": "x"}).status,
        ask(sandbox, "GET", f"{path}/stories?opt_fields=text,created_at,resource_subtype").status,
        ask(sandbox, "DELETE", path).status,
        ask(sandbox, "GET", path).status,
        ask(sandbox, "POST", "/tasks", {"name": "x", "projects": ["7"]}).status,
    ]
    assert statuses == [200, 200, 200, 200, 200, 200, 201, 200, 200, 404, 400]
    for status in (401, 402, 403, 429, 500, 503):
        sandbox.set_fault("asana", "status", status=status, retry_after=1, count=1)
        assert ask(sandbox, "GET", "/projects").status == status


@pytest.mark.parametrize(
    ("method", "path", "data", "reason"),
    [
        ("POST", "/tasks", {"name": 1}, "name: 1 is not of type"),
        ("POST", "/tasks", {"title": "x"}, "not in the contract: data.title"),
        ("GET", "/tasks?project=1&fields=x", None, "fields"),
        ("GET", "/tasks/1?opt_fields=assignee.nick", None, "assignee.nick"),
        ("POST", "/tasks/1/comments", {"text": "x"}, "no such operation"),
    ],
)
def test_a_request_outside_the_contract_is_refused(method: str, path: str, data: Any, reason: str) -> None:
    specs_folder()
    url = f"https://app.asana.com/api/1.0{path}"
    with pytest.raises(AssertionError, match=reason):
        validate_request("asana", method, url, TOKEN, None if data is None else {"data": data})
