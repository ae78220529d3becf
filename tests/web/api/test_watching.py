"""What broke and what ran, over HTTP: whole for those who may see people, masked for all others."""

from __future__ import annotations

from uuid import uuid4

import aiohttp
import httpx2
import pytest
from mcp import Client as Assistant
from mcp.client.streamable_http import streamable_http_client

from mainstay.db import acquire
from mainstay.web.tokens import create_token
from tests.web.api.conftest import Client

SECRETS = ("sarah", "johnson", "5550142", "555-0142", "acme street")
READS = (
    "/status",
    "/incidents",
    "/incidents?state=resolved",
    "/runs",
    "/runs?q=sarah@example.com",
    "/review?week=this",
)


async def scoped(client: Client, *scopes: str) -> Client:
    token = await create_token(client.app.pool, client.workspace_id, "-".join(scopes), scopes)
    return Client(client.url, client.session, token, client.stack)


async def broken(client: Client) -> str:
    """Give the run of a push that failed for good, and that quotes whom it was about."""
    assert client.stack is not None
    client.stack.sandbox.set_fault("gohighlevel", "status", status=422)
    await client.stack.submit(
        "website", email="sarah@example.com", name="Sarah Johnson", phone="(312) 555-0142", address="1 Acme Street"
    )
    async with acquire(client.app.pool) as connection:
        run = await connection.fetchval(
            """
            UPDATE runs SET error = error || ': sarah@example.com, +13125550142' WHERE workflow = 'push.v1' RETURNING id
            """
        )
    return str(run)


async def test_a_failure_is_found_and_its_story_is_whole(client: Client) -> None:
    run = await broken(client)
    status = (await client.get("/status")).json
    assert status["state"] == "broken"
    (thing,) = [each for each in status["broken"] if each["kind"] == "incident"]
    incident = (await client.get(f"/incidents/{thing['incident_id']}")).json
    assert (incident["state"], incident["stopped"]["number"]) == ("open", 1)
    assert incident["page"].endswith(f"/w/acme/incidents/{thing['incident_id']}")
    (line,) = (await client.get(f"/runs?state=stopped&incident_id={thing['incident_id']}")).json["runs"]
    assert (line["id"], line["contact_name"]) == (run, "Sarah Johnson")
    story = (await client.get(f"/runs/{run}/story")).json
    assert story["trigger"].startswith("website (form)")
    assert story["stopped_at"] == 1
    exchange = story["steps"][0]["attempts"][-1]["exchanges"][-1]
    assert exchange["status"] == 422
    assert "response" in exchange
    told = (await client.get(f"/contacts/{line['contact_id']}/story")).json
    assert {each["kind"] for each in told["story"]} >= {"delivery", "change", "run"}
    assert "sarah@example.com" in str(told)
    assert (await client.get(f"/runs/{uuid4()}/story")).problem == "not-found"
    assert (await client.get(f"/incidents/{uuid4()}")).problem == "not-found"
    assert (await client.get("/review?week=2026-W99")).problem == "invalid"


async def test_without_the_scope_no_person_is_seen_and_nothing_is_changed(client: Client) -> None:
    run = await broken(client)
    reader = await scoped(client, "read")
    for path in (*READS, f"/runs/{run}/story", f"/runs/{run}"):
        answer = await reader.get(path)
        assert answer.status == 200, path
        text = answer.body.decode().lower()
        assert not [secret for secret in SECRETS if secret in text], (path, text)
    for wanted, is_found in (("sarah@example.com", False), ("sarah", False), (run[-8:], True)):
        found = (await reader.get(f"/runs?q={wanted}")).json["runs"]
        assert bool(found) == is_found, "what is found would tell whose run it is"
    assert (await client.get("/runs?q=sarah@example.com")).json["runs"]
    for path in ("/contacts", f"/contacts/{uuid4()}/story", "/records?type=deal", "/suggestions", "/approvals"):
        assert (await reader.get(path)).problem == "scope", path
    assert (await reader.post(f"/runs/{run}/retry", {})).problem == "scope"
    assert (await reader.post("/contacts", {})).json[
        "detail"
    ] == "This token was made without the scope personal and write."
    retrier = await scoped(client, "retry")
    assert (await retrier.post("/runs", {"workflow": "x"})).problem == "scope"
    assert (await retrier.post(f"/runs/{run}/retry", {})).json == {"id": run}


async def test_an_assistant_sees_and_does_what_its_token_may(client: Client) -> None:
    run = await broken(client)
    reader, retrier = await scoped(client, "read"), await scoped(client, "read", "personal", "retry")
    async with asked(reader) as assistant:
        tools = {tool.name: tool for tool in (await assistant.list_tools()).tools}
        assert set(tools) == {
            "status", "contact_story", "list_incidents", "show_incident", "list_runs", "show_run",
            "weekly_review",
        }  # fmt: skip
        assert all(tool.annotations and tool.annotations.read_only_hint and tool.description for tool in tools.values())
        assert (await assistant.call_tool("find_contacts", {"text": "sarah"})).is_error
        found = (await assistant.call_tool("show_run", {"run_id": run})).structured_content
        answers = [
            await assistant.call_tool(name, given)
            for name, given in (
                ("status", {}),
                ("contact_story", {"contact_id": (found or {})["contact_id"][-8:]}),
                ("list_incidents", {}),
                ("list_runs", {"state": "stopped"}),
                ("show_run", {"run_id": run[-8:]}),
                ("weekly_review", {"week": "this"}),
            )
        ]
        assert not any(answer.is_error for answer in answers)
        text = str([found, *answers]).lower()
        assert not [secret for secret in SECRETS if secret in text], text
        assert (await assistant.call_tool("retry_run", {"run_id": run})).is_error
        wrong = await assistant.call_tool("show_run", {"run_id": "zzzz"})
        assert wrong.is_error
        assert "is nothing here" in str(wrong.content)
    async with asked(retrier) as assistant:
        found = (await assistant.call_tool("find_contacts", {"text": "sarah"})).structured_content
        assert [(each["name"], each["email"]) for each in (found or {})["contacts"]] == [
            ("Sarah Johnson", "sarah@example.com")
        ]
        (shown,) = (await assistant.call_tool("list_runs", {"state": "stopped"})).structured_content["runs"]
        assert shown["contact_name"] == "Sarah Johnson"
        done = await assistant.call_tool("retry_run", {"run_id": run})
        assert done.structured_content == {"id": run}
        again = await assistant.call_tool("retry_run", {"run_id": run})
        assert again.is_error
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{client.url}/api/mcp", headers={"Authorization": f"Bearer {reader.token}"}) as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {reader.token}"}, 415)):
            async with session.post(f"{client.url}/api/mcp", data=b"x", headers=headers) as answer:
                assert answer.status == status


def asked(client: Client) -> Assistant:
    """Give the SDK's own client, over streamable HTTP with the client's token."""
    # How long an answer takes says only how busy the machine is.
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {client.token}"}, timeout=None)
    return Assistant(streamable_http_client(f"{client.url}/api/mcp", http_client=http))


@pytest.mark.parametrize("path", ["/contacts/bulk", "/runs/cancel"])
async def test_what_an_address_does_not_take_is_said_with_what_it_takes(client: Client, path: str) -> None:
    answer = await client.ask("PATCH", path)
    assert (answer.status, answer.problem, answer.headers["allow"]) == (405, "method", "POST")
    answer = await client.ask("PUT", "/contacts")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
