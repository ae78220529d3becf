from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from mainstay.sandbox.vendors.linear_graphql import GraphQLError, matches, read, selected
from tests.sandbox.wire import Answer, call

KEY = {"Authorization": "lin_api_1"}
CREATE = "mutation($i: IssueCreateInput!) { issueCreate(input: $i) { success issue { id identifier state { name } } } }"


def ask(sandbox: Sandbox, query: str, headers: dict[str, str] | None = None, /, **variables: Any) -> Answer:
    body = {"query": query, "variables": variables}
    return call("POST", f"{sandbox.url('linear')}/graphql", body, KEY if headers is None else headers)


def teams(sandbox: Sandbox) -> dict[str, str]:
    nodes = ask(sandbox, "{ teams { nodes { id key } } }").json()["data"]["teams"]["nodes"]
    return {team["key"]: team["id"] for team in nodes}


def code(answer: Answer) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


def test_an_issue_is_made_and_kept(sandbox: Sandbox) -> None:
    given = {"teamId": teams(sandbox)["OPS"], "title": "Call"}
    made = ask(sandbox, CREATE, i=given).json()["data"]["issueCreate"]
    assert (made["issue"]["identifier"], made["issue"]["state"]) == ("OPS-1", {"name": "Todo"})
    (kept,) = sandbox.state("linear")["issues"]
    assert (kept["id"], kept["title"]) == (made["issue"]["id"], "Call")
    assert [effect["kind"] for effect in sandbox.effects("linear")] == ["task.created"]


@pytest.mark.parametrize(
    "given",
    [
        {"teamId": "gone"},
        {"title": ""},
        {"dueDate": "tomorrow"},
        {"assigneeId": "gone"},
        {"labelIds": ["gone"]},
        {"id": "7"},
        {"id": "00000000-0000-1000-8000-000000000000"},
    ],
)
def test_a_bad_issue_is_refused(sandbox: Sandbox, given: dict[str, Any]) -> None:
    answer = ask(sandbox, CREATE, i={"teamId": teams(sandbox)["OPS"], "title": "Call"} | given)
    assert answer.status == 400
    assert code(answer) in {"INPUT_ERROR", "GRAPHQL_VALIDATION_FAILED"}
    assert sandbox.state("linear")["issues"] == []


def test_an_id_that_is_taken_is_refused(sandbox: Sandbox) -> None:
    given = {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "teamId": teams(sandbox)["OPS"], "title": "Call"}
    assert ask(sandbox, CREATE, i=given).status == 200
    assert code(ask(sandbox, CREATE, i=given)) == "INPUT_ERROR"
    sandbox.configure("linear", duplicate_is_internal=True)
    assert ask(sandbox, CREATE, i=given).status == 500
    sandbox.configure("linear", errors_on_200=True)
    assert ask(sandbox, CREATE, i=given).status == 200
    assert len(sandbox.state("linear")["issues"]) == 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "invalid"}, {"Authorization": "Bearer revoked"}])
def test_a_call_needs_a_key(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = ask(sandbox, "{ viewer { id } }", headers)
    assert (answer.status, code(answer)) == (401, "AUTHENTICATION_ERROR")


def test_a_rate_limit_is_a_400_with_its_headers(sandbox: Sandbox) -> None:
    sandbox.set_fault("linear", "status", status=429, retry_after=30)
    answer = ask(sandbox, "{ viewer { id } }")
    assert (answer.status, code(answer)) == (400, "RATELIMITED")
    assert answer.headers["X-RateLimit-Requests-Remaining"] == "0"


def test_pages_are_cut(sandbox: Sandbox) -> None:
    sandbox.seed("linear", "users", [{"email": f"{number}@example.com"} for number in range(60)])
    page = ask(sandbox, "{ users { nodes { email } pageInfo { hasNextPage endCursor } } }").json()["data"]["users"]
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (50, True)
    assert code(ask(sandbox, "{ users(first: 251) { nodes { email } } }")) == "INPUT_ERROR"


@pytest.mark.parametrize(
    "query", ["", "{", "{ viewer", "{ nothing { id } }", "{ viewer { nothing } }", "{ a } { b }", "?"]
)
def test_what_is_no_query_is_refused(sandbox: Sandbox, query: str) -> None:
    assert code(ask(sandbox, query)) == "GRAPHQL_VALIDATION_FAILED"


def test_another_path_or_seed_is_refused(sandbox: Sandbox) -> None:
    assert call("GET", f"{sandbox.url('linear')}/graphql", None, KEY).status == 404
    with pytest.raises(SandboxError, match="no comments to seed"):
        sandbox.seed("linear", "comments", [{}])


def test_a_document_is_read_with_its_values() -> None:
    document = 'query Q($a: Int) { x(n: $a, f: {or: [{k: "s"}, {b: true, e: WORD}]}, z: -1.5) { y { w } } }'
    (root,) = read(document, {"a": 3})
    assert root.arguments == {"n": 3, "f": {"or": [{"k": "s"}, {"b": True, "e": "WORD"}]}, "z": -1.5}
    assert selected({"y": [{"w": 1, "q": 2}], "v": 3}, root.fields) == {"y": [{"w": 1}]}


def test_filters() -> None:
    record = {"name": "Ops", "team": {"id": "1"}, "none": None}
    assert matches(record, {"name": {"eqIgnoreCase": "OPS"}, "team": {"id": {"in": ["1"]}}})
    assert matches(record, {"or": [{"name": {"eq": "x"}}, {"none": {"null": True}}]})
    assert not matches(record, {"and": [{"name": {"eq": "x"}}, {"none": {"null": True}}]})
    with pytest.raises(GraphQLError):
        matches(record, {"name": {"startsWith": "O"}})
