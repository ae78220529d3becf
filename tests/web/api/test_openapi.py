"""The API's own description: valid, complete, and true of what is answered."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from tests.web.api.conftest import Answer, Client


class Description:
    """Checks answers against the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.checked: set[tuple[str, str, int]] = set()

    def check(self, method: str, path: str, answer: Answer) -> None:
        answers = self.document["paths"][f"/api/v1{path}"][method.lower()]["responses"]
        told = answers.get(str(answer.status)) or answers[f"{answer.status // 100}XX"]
        content = answer.headers["content-type"].partition(";")[0]
        schema = told["content"][content]["schema"]
        lines = [answer.json] if content != "application/x-ndjson" else []
        for line in lines:
            whole = {**schema, "components": self.document["components"]}
            OAS31Validator(_closed(whole)).validate(line)
        self.checked.add((method, path, answer.status))


def _closed(schema: Any) -> Any:
    """Return the schema with no further properties allowed: what is answered must be described."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture
async def description(client: Client) -> Description:
    return Description((await client.get("/openapi.json")).json)


async def test_it_is_valid_and_asks_for_a_token_everywhere(description: Description) -> None:
    document = description.document
    validate(document)
    assert document["openapi"] == "3.1.0"
    assert document["security"] == [{"token": []}]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["description"] for operation in operations)


async def test_every_answer_is_as_described(client: Client, description: Description) -> None:
    async def ask(method: str, path: str, body: Any = None, query: str = "", **named: str) -> Any:
        answer = await client.ask(method, path.format(**named) + query, **({} if body is None else {"json": body}))
        description.check(method, path, answer)
        return answer.json

    kim = {"email": "kim@example.com", "name": "Kim Lee", "tags": ["vip"], "custom": {"roof": "slate"}}
    one = (await ask("POST", "/contacts", kim | {"connection": "ghl", "external_id": "a"}))["contact_id"]
    await ask("POST", "/contacts", kim)
    await ask("POST", "/contacts", {})
    two = (await ask("POST", "/contacts", {"phone": "+13125550143", "name": "Pat Moore"}))["contact_id"]
    both = await ask("POST", "/contacts", kim | {"phone": "+13125550143"})
    (suggestion,) = both["suggestions"]
    await ask("GET", "/contacts", query="?limit=1")
    await ask("GET", "/contacts", query="?limit=0")
    await ask("GET", "/suggestions")
    await ask("GET", "/suggestions", query="?state=x")
    await ask("PATCH", "/contacts/{contact_id}", {"company": "Acme"}, contact_id=one)
    await ask("PATCH", "/contacts/{contact_id}", {}, contact_id=one)
    merged = await ask("POST", "/suggestions/{suggestion_id}/accept", {"keep": one}, suggestion_id=suggestion)
    await ask("POST", "/suggestions/{suggestion_id}/accept", suggestion_id=suggestion)
    await ask("POST", "/suggestions/{suggestion_id}/reject", suggestion_id=suggestion)
    await ask("GET", "/contacts/{contact_id}", contact_id=two)
    await ask("GET", "/contacts/{contact_id}", contact_id=str(uuid4()))
    await ask("GET", "/contacts/{contact_id}/changes", contact_id=two)
    await ask("GET", "/contacts/{contact_id}/merges", contact_id=two)
    await ask("POST", "/merges/{merge_id}/undo", merge_id=merged["merge_id"])
    await ask("POST", "/merges/{merge_id}/undo", merge_id=merged["merge_id"])
    await ask("POST", "/contacts/{contact_id}/merge", {"other_id": two}, contact_id=one)
    three = (await ask("POST", "/contacts", {"email": "jo@example.com", "name": "Jo Young"}))["contact_id"]
    await ask("POST", "/contacts", {"phone": "+13125550144", "name": "Al King"})
    other = await ask("POST", "/contacts", {"email": "jo@example.com", "name": "Jo Young", "phone": "+13125550144"})
    await ask("POST", "/suggestions/{suggestion_id}/reject", suggestion_id=other["suggestions"][0])
    await ask("GET", "/suggestions", query="?state=rejected")
    await ask("DELETE", "/contacts/{contact_id}", contact_id=three)
    await ask("DELETE", "/contacts/{contact_id}", contact_id=three)
    async with client.app.pool.acquire() as connection:
        run = await connection.fetchval("SELECT id::text FROM runs LIMIT 1")
    for path in ("/status", "/incidents", "/runs", "/review", "/runs/{run_id}/story", "/contacts/{contact_id}/story"):
        await ask("GET", path, run_id=run, contact_id=one)
    await ask("POST", "/runs/{run_id}/cancel", run_id=run)
    await ask("POST", "/runs/{run_id}/cancel", run_id=str(uuid4()))
    await ask("POST", "/runs/cancel", {"contact_id": one})
    await ask("POST", "/runs/cancel", {})
    task = await ask("POST", "/records", {"type": "task", "values": {"title": "Call"}, "contact_id": one})
    await ask("POST", "/records", {"type": "deal", "values": {"title": "Roof"}})
    await ask("POST", "/records", {"type": "boat"})
    await ask("PATCH", "/records/{record_id}", {"values": {"status": "done"}}, record_id=task["record"]["id"])
    await ask("PATCH", "/records/{record_id}", {}, record_id=task["record"]["id"])
    await ask("GET", "/records/{record_id}", record_id=task["record"]["id"])
    await ask("GET", "/records", query="?type=task")
    told = {(method, path) for method, path, status in description.checked if status < 300}
    # Those of runs have tests of their own.
    described = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in description.document["paths"].items()
        for method in operations
        if path.removeprefix("/api/v1").split("/")[1] in {"contacts", "merges", "records", "suggestions"}
    }
    # Those of runs and approvals need a workflow: they are told where their tests are.
    assert described - told == {("POST", "/contacts/bulk")}


async def test_lines_of_bulk_are_as_described(client: Client, description: Description) -> None:
    body = b'{"email": "kim@example.com"}\n{"mail": 1}\nx'
    answer = await client.ask("POST", "/contacts/bulk", data=body, headers={"Content-Type": "application/x-ndjson"})
    schema = description.document["paths"]["/api/v1/contacts/bulk"]["post"]["responses"]["200"]
    line = schema["content"]["application/x-ndjson"]["schema"] | {"components": description.document["components"]}
    for each in answer.body.splitlines():
        OAS31Validator(_closed(line)).validate(Answer(200, {}, each).json)
