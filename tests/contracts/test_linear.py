"""Linear's simulator keeps Linear's schema, and the check refuses what it is there to refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_request, validate_response
from tests.sandbox.wire import call

KEY = {"Authorization": "lin_api_1", "Content-Type": "application/json"}
URL = "https://api.linear.app/graphql"
FILTERED = "query($f: TeamFilter) { teams(filter: $f) { nodes { id } } }"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    specs_folder()
    with SandboxProcess() as running:
        yield running.sandbox


def ask(sandbox: Sandbox, query: str, **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    url = f"{sandbox.base_url}/linear/graphql"
    validate_request("linear", "POST", url, KEY, body)
    answer = call("POST", url, body, KEY)
    validate_response("linear", "POST", url, answer.status, answer.headers, answer.body, KEY, body)
    return answer.json()


def test_the_simulator(sandbox: Sandbox) -> None:
    sandbox.reset()
    sandbox.seed("linear", "users", [{"email": "dana@example.com", "name": "Dana"}])
    who = ask(sandbox, "{ viewer { id name email } organization { name urlKey } }")
    assert who["data"]["organization"]["name"] == "Sandbox"
    people = '{ users(filter: {email: {eq: "dana@example.com"}}) { nodes { id email active } } }'
    (user,) = ask(sandbox, people)["data"]["users"]["nodes"]
    team = ask(sandbox, "{ teams { nodes { id key name } } }")["data"]["teams"]["nodes"][0]["id"]
    label = ask(
        sandbox,
        "mutation($i: IssueLabelCreateInput!) { issueLabelCreate(input: $i) { success issueLabel { id name } } }",
        i={"name": "new", "teamId": team},
    )["data"]["issueLabelCreate"]["issueLabel"]["id"]
    given = {"teamId": team, "title": "Zoë", "dueDate": "2026-12-24", "assigneeId": user["id"], "labelIds": [label]}
    create = """mutation($i: IssueCreateInput!) { issueCreate(input: $i) { success issue {
        id title identifier description dueDate url trashed createdAt updatedAt
        assignee { email } state { name type position } team { key } labels { nodes { name isGroup team { key } } }
    } } }"""
    issue = ask(sandbox, create, i=given)["data"]["issueCreate"]["issue"]
    state = ask(sandbox, "{ workflowStates(first: 9) { nodes { id type } } }")["data"]["workflowStates"]["nodes"][3]
    update = "mutation($id: String!, $s: String) { issueUpdate(id: $id, input: {stateId: $s}) { success } }"
    assert ask(sandbox, update, id=issue["id"], s=state["id"])["data"]["issueUpdate"]["success"]
    comment = "mutation($i: CommentCreateInput!) { commentCreate(input: $i) { success comment { id body createdAt } } }"
    assert ask(sandbox, comment, i={"issueId": issue["id"], "body": "x"})["data"]["commentCreate"]["success"]
    trash = "mutation($id: String!) { issueDelete(id: $id) { success } }"
    assert ask(sandbox, trash, id=issue["id"])["data"]["issueDelete"]["success"]
    assert "errors" in ask(sandbox, create, i={"teamId": "gone", "title": "x"})
    for status in (401, 403, 429, 500, 503):
        sandbox.set_fault("linear", "status", status=status, retry_after=1, count=1)
        assert "errors" in ask(sandbox, "{ viewer { id } }")


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        ({"query": "{ viewer { nick } }"}, KEY, "Cannot query field 'nick'"),
        ({"query": "mutation { issueCreate(input: {title: 1}) { success } }"}, KEY, "teamId"),
        ({"query": FILTERED, "variables": {"f": {"x": 1}}}, KEY, "x"),
        ({"query": "{"}, KEY, "no GraphQL request"),
        ({"query": "{ viewer { id } }", "vars": {}}, KEY, "unknown keys"),
        ({"query": "{ viewer { id } }"}, {}, "no Authorization"),
    ],
)
def test_a_request_outside_the_schema_is_refused(body: Any, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        validate_request("linear", "POST", URL, headers, body)


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, {"data": {"viewer": {"id": None}}}, "Cannot return null"),
        (200, {"data": {"viewer": {"id": "1", "nick": "x"}}}, "more or less"),
        (200, {"data": {"viewer": {}}}, "Cannot return null"),
        (400, {"data": {"viewer": {"id": "1"}}}, "status 400 without errors"),
        (400, {"errors": []}, "a list of some"),
        (400, {"errors": [{"extensions": {}}]}, "an error is"),
    ],
)
def test_an_answer_outside_the_schema_is_refused(status: int, answer: Any, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        validate_response("linear", "POST", URL, status, {}, answer, KEY, {"query": "{ viewer { id } }"})
