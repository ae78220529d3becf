"""Who may ask: tokens, and nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import ConflictError
from mainstay.model import Submission
from mainstay.web import create_sign_in_link
from mainstay.web.sign_in import open_session
from mainstay.web.tokens import PREFIX, create_token, list_tokens, revoke_token
from tests.web.api.conftest import Client

PATHS = [
    ("GET", "/contacts"),
    ("POST", "/contacts"),
    ("POST", "/contacts/bulk"),
    ("GET", "/openapi.json"),
    ("GET", "/x"),
]


NO_TOKENS = [
    ("", "no-token"),
    ("Basic enlwOg==", "no-token"),
    ("Bearer", "no-token"),
    ("Bearer mst_0000000000000000000000000000000000000000000", "bad-token"),
    ("Bearer x", "bad-token"),
    ("Bearer mst_" + "x" * 5000, "bad-token"),
    ("Bearer mst_\xff", "bad-token"),
]


async def test_without_a_good_token_nothing_is_answered(stranger: Client) -> None:
    for method, path in PATHS:
        for header, problem in NO_TOKENS:
            answer = await stranger.ask(method, path, headers={"Authorization": header} if header else {})
            assert (answer.status, answer.problem) == (401, problem), (method, path, header)
            assert answer.headers["www-authenticate"].startswith('Bearer realm="mainstay"')


async def test_the_scheme_is_read_as_http_has_it(client: Client) -> None:
    stranger = Client(client.url, client.session)
    answer = await stranger.get("/contacts", headers={"Authorization": f"bearer  {client.token}"})
    assert answer.status == 200


async def test_a_read_only_token_changes_nothing(reader: Client, client: Client) -> None:
    made = await client.write(email="kim@example.com")
    path = f"/contacts/{made['contact_id']}"
    assert (await reader.get(path)).status == 200
    for answer in (
        await reader.post("/contacts", {"email": "pat@example.com"}),
        await reader.post("/contacts/bulk", {}),
        await reader.patch(path, {"company": "Acme"}),
        await reader.delete(path),
        await reader.post(f"{path}/merge", {"other_id": made["contact_id"]}),
    ):
        assert (answer.status, answer.problem) == (403, "scope")


async def test_a_revoked_token_ends_at_once(client: Client) -> None:
    pool, workspace_id = client.app.pool, client.workspace_id
    assert await revoke_token(pool, workspace_id, "zapier")
    assert not await revoke_token(pool, workspace_id, "zapier")
    assert (await client.get("/contacts")).problem == "bad-token"
    await create_token(pool, workspace_id, "zapier")
    with pytest.raises(ConflictError, match="in use"):
        await create_token(pool, workspace_id, "zapier")
    assert [bool(each.revoked_at) for each in await list_tokens(pool, workspace_id)] == [False, True]


async def test_the_database_holds_no_token(client: Client) -> None:
    assert client.token.startswith(PREFIX)
    await client.get("/contacts")
    async with acquire(client.app.pool) as connection:
        row = await connection.fetchval("SELECT api_tokens::text FROM api_tokens")
    assert client.token not in row
    (listed,) = await list_tokens(client.app.pool, client.workspace_id)
    assert client.token.endswith(listed.hint)
    assert listed.last_used_at is not None


async def test_a_session_opens_the_description_and_nothing_else(stranger: Client) -> None:
    link = await create_sign_in_link(stranger.app.pool, stranger.url)
    session = await open_session(stranger.app.pool, link.partition("token=")[2])
    cookie = {"Cookie": f"mainstay_session={session}"}
    described = await stranger.get("/openapi.json", headers=cookie)
    assert described.status == 200
    assert described.json["openapi"] == "3.1.0"
    elsewhere = {**cookie, "Sec-Fetch-Site": "cross-site"}
    assert (await stranger.get("/openapi.json", headers=elsewhere)).status == 401
    assert (await stranger.get("/contacts", headers=cookie)).status == 401
    assert (await stranger.post("/contacts", {"email": "kim@example.com"}, headers=cookie)).status == 401


async def test_every_answer_is_kept_by_nobody(client: Client) -> None:
    for answer in (await client.get("/contacts"), await client.get("/nothing")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_json_is_read(client: Client) -> None:
    body = b'{"email": "kim@example.com"}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/x-ndjson", ""):
        answer = await client.ask("POST", "/contacts", data=body, headers={"Content-Type": content_type})
        assert (answer.status, answer.problem) == (415, "media-type"), content_type
    answer = await client.ask(
        "POST", "/contacts", data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status == 201


async def test_without_a_database_it_says_when_to_come_back(client: Client) -> None:
    await client.app.pool.close()
    answer = await client.get("/contacts")
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_a_fault_tells_no_data_to_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_workspace_id: UUID, submission: Submission, **_: object) -> None:
        raise ValueError(submission.email)

    monkeypatch.setattr(client.app.contacts, "write", fail)
    answer = await client.post("/contacts", {"email": "sarah@example.com"})
    assert (answer.status, answer.problem) == (500, "fault")
    lines = await client.ask(
        "POST",
        "/contacts/bulk",
        data=b'{"email": "sarah@example.com"}',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert (lines.status, lines.json["status"]) == (200, 500)
    assert "POST /api/v1/contacts failed: ValueError" in caplog.text
    assert "in fail" in caplog.text
    assert "sarah" not in caplog.text
    assert b"sarah" not in answer.body + lines.body
