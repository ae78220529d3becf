"""Notion's simulator keeps Notion's contract, as far as that goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_request, validate_response
from tests.sandbox.wire import Answer, call

TOKEN = {"Authorization": "Bearer ntn_1", "Notion-Version": "2025-09-03", "Content-Type": "application/json"}
GONE = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    specs_folder()
    with SandboxProcess() as running:
        yield running.sandbox


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Answer:
    url = f"{sandbox.base_url}/notion/v1{path}"
    validate_request("notion", method, url, TOKEN, body)
    answer = call(method, url, body, TOKEN)
    validate_response("notion", method, url, answer.status, answer.headers, answer.body, TOKEN)
    return answer


def test_the_simulator(sandbox: Sandbox) -> None:
    sandbox.seed("notion", "users", [{"email": "dana@example.com"}])
    search = {"query": "tasks", "filter": {"property": "object", "value": "data_source"}, "page_size": 100}
    source = ask(sandbox, "POST", "/search", search).json()["results"][0]
    rich = [{"type": "text", "text": {"content": "Zoë"}}]
    page = {
        "parent": {"type": "data_source_id", "data_source_id": source["id"]},
        "properties": {"Name": {"title": rich}},
        "children": [{"type": "paragraph", "paragraph": {"rich_text": rich}}],
    }
    made = ask(sandbox, "POST", "/pages", page).json()["id"]
    statuses = [
        ask(sandbox, "GET", "/users/me").status,
        ask(sandbox, "GET", "/users?page_size=100").status,
        ask(sandbox, "GET", f"/databases/{source['parent']['database_id']}").status,
        ask(sandbox, "GET", f"/data_sources/{source['id']}").status,
        ask(sandbox, "POST", f"/data_sources/{source['id']}/query", {"page_size": 100}).status,
        ask(sandbox, "GET", f"/pages/{made}").status,
        ask(sandbox, "PATCH", f"/pages/{made}", {"properties": {"State": {"status": {"name": "Done"}}}}).status,
        ask(sandbox, "POST", "/comments", {"parent": {"page_id": made}, "rich_text": rich}).status,
        ask(sandbox, "GET", f"/comments?block_id={made}&page_size=100").status,
        ask(sandbox, "PATCH", f"/pages/{made}", {"in_trash": True}).status,
        ask(sandbox, "GET", f"/pages/{GONE}").status,
        ask(sandbox, "POST", "/pages", page | {"properties": {"Gone": {"title": rich}}}).status,
    ]
    assert statuses == [200] * 10 + [404, 400]
    for status in (401, 403, 409, 429, 500, 503, 529):
        sandbox.set_fault("notion", "status", status=status, retry_after=1, count=1)
        assert ask(sandbox, "GET", "/users/me").status == status


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "/pages", {"parent": {"type": "data_source_id", "data_source_id": GONE}}, "'properties' is"),
        ("POST", "/pages", {"parent": {"database": GONE}, "properties": {}}, "parent"),
        ("POST", "/pages", {"parent": {"data_source_id": GONE}, "properties": {}, "children": ["x"]}, "children"),
        ("POST", "/comments", {"parent": {"page_id": GONE}}, "'rich_text' is a required"),
        ("GET", "/comments", None, "block_id"),
        ("PUT", f"/pages/{GONE}", {}, "no such operation"),
    ],
)
def test_a_request_outside_the_contract_is_refused(method: str, path: str, body: Any, reason: str) -> None:
    specs_folder()
    with pytest.raises(AssertionError, match=reason):
        validate_request("notion", method, f"https://api.notion.com/v1{path}", TOKEN, body)
