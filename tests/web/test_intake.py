"""Intake over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from mainstay import intake
from mainstay.db import acquire
from mainstay.errors import DatabaseUnavailableError, OverloadedError
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

STACK = """
    [sources.website]
    kind = "form"
    redirect = "https://acme.example/thanks"
    cors = ["https://acme.example"]
    max_bytes = 2000
    repeat_window = 60
    [sources.plain]
    kind = "form"
    max_bytes = 2000
    [sources.signed]
    kind = "json"
    secret = "${SECRET}"
    [sources.facebook]
    kind = "facebook_lead_ads"
    app_secret = "${SECRET}"
    verify_token = "${VERIFY}"
    page_token = "${PAGE}"
"""
LEAD = {"email": "sarah@example.com", "name": "Sarah Johnson"}


class Client:
    """Sends to the stack under test."""

    def __init__(self, stack: StackUnderTest, session: aiohttp.ClientSession, base: str) -> None:
        self.stack = stack
        self._session = session
        self.base = base

    async def send(self, path: str, *, method: str = "POST", **options: Any) -> tuple[int, Any, Any]:
        """Return an answer's status, headers and body."""
        async with self._session.request(method, self.base + path, allow_redirects=False, **options) as answer:
            body = await answer.json(content_type=None) if answer.content_type.endswith("json") else await answer.text()
            return answer.status, answer.headers, body

    async def count(self, what: str) -> int:
        async with acquire(self.stack.app.pool) as connection:
            found: int = await connection.fetchval(f"SELECT count(*) FROM {what}")  # noqa: S608 - of this file
        return found


@pytest.fixture
async def client(make_stack: MakeStack) -> AsyncIterator[Client]:
    stack = await make_stack(STACK)
    async with taking_in(stack) as (session, base):
        yield Client(stack, session, base)


async def test_json_is_kept_before_it_is_answered(client: Client) -> None:
    status, _, body = await client.send("/in/acme/website", json=LEAD)

    assert (status, body["state"]) == (202, "accepted")
    assert await client.count(f"deliveries WHERE id = '{body['delivery']}' AND state = 'accepted'") == 1
    await client.stack.settle()
    assert await client.count("contacts WHERE email = 'sarah@example.com'") == 1


async def test_a_plain_form_is_sent_on_to_the_thanks(client: Client) -> None:
    status, headers, _ = await client.send("/in/acme/website", data=LEAD)
    assert (status, headers["location"]) == (303, "https://acme.example/thanks")

    form = aiohttp.FormData(LEAD)
    form.add_field("upload", b"x" * 100, filename="plan.pdf", content_type="application/pdf")
    status, headers, _ = await client.send("/in/acme/website", data=form)
    assert (status, headers["location"]) == (303, "https://acme.example/thanks")

    await client.stack.settle()
    assert await client.count("contacts") == 1
    assert await client.count("contacts WHERE first_name = 'Sarah' AND last_name = 'Johnson'") == 1


PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        (LEAD, 202, "Thank you"),
        ({"colour": "red"}, 422, "A person will look at it"),
        ({"more": "x" * 3000}, 413, "shorten it"),
    ],
)
async def test_a_browser_without_a_redirect_is_shown_a_page(
    client: Client, form: dict[str, str], status: int, says: str
) -> None:
    answer = await client.send("/in/acme/plain", data=form, headers=PAGE)
    assert (answer[0], answer[1].getall("content-type")) == (status, ["text/html; charset=utf-8"])
    assert says in answer[2]
    # A script that sends a form asks for no page.
    assert (await client.send("/in/acme/plain", data=form))[1]["content-type"].endswith("json")


async def test_a_browser_with_a_redirect_is_sent_on(client: Client) -> None:
    assert (await client.send("/in/acme/website", data=LEAD, headers=PAGE))[0] == 303


async def test_a_body_that_never_ends_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.web.intake.BODY_SECONDS", 0.1)
    host, port = client.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /in/acme/website HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nemail=")
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert await client.count("deliveries") == 0


async def test_the_same_delivery_id_is_answered_200_and_runs_once(client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await client.send("/in/acme/website", json=LEAD, headers=headers)
    again = await client.send("/in/acme/website", json={**LEAD, "phone": "(312) 555-0147"}, headers=headers)

    assert (first[0], again[0]) == (202, 200)
    assert again[2] == {"delivery": first[2]["delivery"], "state": "repeated"}
    assert await client.count("runs") == 1


async def test_the_same_id_at_once_is_kept_once(client: Client) -> None:
    answers = await asyncio.gather(
        *(client.send("/in/acme/website", json=LEAD, headers={"Idempotency-Key": "one"}) for _ in range(20))
    )
    assert sorted(status for status, _, _ in answers) == [200] * 19 + [202]
    assert len({body["delivery"] for _, _, body in answers}) == 1
    assert await client.count("runs") == 1


async def test_the_same_payload_is_a_repeat_within_the_window_only(client: Client) -> None:
    assert (await client.send("/in/acme/website", json=LEAD))[0] == 202
    assert (await client.send("/in/acme/website", json=LEAD))[0] == 200
    assert (await client.send("/in/acme/website", json={**LEAD, "name": "Sarah"}))[0] == 202

    async with acquire(client.stack.app.pool) as connection:
        await connection.execute("UPDATE delivery_keys SET seen_at = seen_at - interval '61 seconds'")
    assert (await client.send("/in/acme/website", json=LEAD))[0] == 202
    assert (await client.send("/in/acme/website", json=LEAD))[0] == 200
    assert await client.count("runs") == 3


async def test_too_large_is_413_declared_or_not(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100

    assert (await client.send("/in/acme/website", data=b"x" * 2001))[0] == 413
    status, _, body = await client.send("/in/acme/website", data=chunks())
    assert (status, body["detail"]) == (413, "the body is larger than 2000 bytes")
    assert await client.count("deliveries") == 0


async def test_malformed_is_422_with_the_reason_and_is_kept(client: Client) -> None:
    status, _, body = await client.send("/in/acme/website", json={"name": "Sarah"})
    assert status == 422
    assert "neither an e-mail address nor a phone number" in body["detail"]
    assert await client.count(f"deliveries WHERE id = '{body['delivery']}' AND state = 'rejected'") == 1
    assert await client.count("runs") == 0


async def test_a_fault_of_the_parser_loses_no_lead(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        return 1 // 0

    monkeypatch.setattr(client.stack.app.intake, "_read", broken)
    status, _, body = await client.send("/in/acme/website", json=LEAD)
    assert (status, await client.count("deliveries WHERE state = 'rejected'")) == (422, 1)
    assert "ZeroDivisionError" in body["detail"]

    monkeypatch.undo()
    workspace = next(iter(client.stack.app.workspaces))
    await client.stack.app.replay_delivery(workspace, UUID(body["delivery"]))
    await client.stack.settle()
    assert await client.count("contacts") == 1


@pytest.mark.parametrize("character", ["\0", '\\u0000"', "\u2028", "\\"])
async def test_no_character_makes_a_lead_unkeepable(client: Client, character: str) -> None:
    name = f"Sa{character}rah"
    status, _, _ = await client.send("/in/acme/website", json={**LEAD, "name": name, f"k{character}": character})
    assert status == 202
    status, _, _ = await client.send("/in/acme/website", json={"email": f"no{character}address"})
    assert status == 422
    await client.stack.settle()
    assert await client.count("contacts") == 1


async def test_not_authentic_is_401_and_shows_nothing_of_the_secret(client: Client) -> None:
    for headers in ({}, {"x-webhook-secret": "wrong"}, {"authorization": "Bearer wrong"}):
        status, _, body = await client.send("/in/acme/signed", json=LEAD, headers=headers)
        assert status == 401
        assert "sample-secret" not in body["detail"]
    assert await client.count("quarantine") == 3
    assert await client.count("deliveries") == 0

    status, _, _ = await client.send("/in/acme/signed", json=LEAD, headers={"x-webhook-secret": "sample-secret"})
    assert status == 202


@pytest.mark.parametrize(
    ("error", "wait"), [(OverloadedError("full", retry_after=7), "7"), (DatabaseUnavailableError("away"), "5")]
)
async def test_what_is_not_kept_is_429_with_retry_after(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, wait: str
) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(client.stack.app.intake, "receive", refuse)
    status, headers, _ = await client.send("/in/acme/website", json=LEAD, headers={"Origin": "https://acme.example"})
    assert (status, headers["retry-after"]) == (429, wait)
    assert headers["access-control-allow-origin"] == "https://acme.example"


async def test_more_than_can_be_written_is_turned_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_MAX_WAITING", 3)
    lock = asyncio.Lock()
    commit = client.stack.app.commit
    transaction = commit._transaction

    async def held(batch: Any) -> Any:
        async with lock:
            return await transaction(batch)

    monkeypatch.setattr(commit, "_transaction", held)
    async with lock:
        leads = [{"email": f"lead{number}@example.com"} for number in range(12)]
        waiting = [asyncio.ensure_future(client.send("/in/acme/website", json=lead)) for lead in leads]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused = [each.result()[0] for each in done]
    answers = [status for status, _, _ in await asyncio.gather(*waiting)]

    assert refused
    assert set(refused) == {429}
    assert set(answers) == {202, 429}
    assert await client.count("deliveries") == answers.count(202)


async def test_a_sender_that_breaks_off_has_sent_nothing(client: Client) -> None:
    host, _, port = client.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /in/acme/website HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    writer.write(head + b"Content-Length: 100\r\n\r\nemail=sarah@example.co")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""

    await client.send("/in/acme/website", json={"email": "after@example.com"})
    assert await client.count("deliveries") == 1


class TestBrowsers:
    async def test_a_preflight_is_answered_for_the_declared_origin(self, client: Client) -> None:
        asked = {"Origin": "https://acme.example", "Access-Control-Request-Method": "POST"}
        status, headers, _ = await client.send("/in/acme/website", method="OPTIONS", headers=asked)
        assert status == 204
        assert headers["access-control-allow-origin"] == "https://acme.example"
        assert "content-type" in headers["access-control-allow-headers"]

    async def test_another_origin_gets_no_leave(self, client: Client) -> None:
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        _, headers, _ = await client.send("/in/acme/website", method="OPTIONS", headers=asked)
        assert "access-control-allow-origin" not in headers

    async def test_an_answer_can_be_read_by_the_declared_origin(self, client: Client) -> None:
        for payload, expected in ((LEAD, 202), ({}, 422)):
            status, headers, _ = await client.send(
                "/in/acme/website", json=payload, headers={"Origin": "https://acme.example"}
            )
            assert status == expected
            assert headers["access-control-allow-origin"] == "https://acme.example"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/in/acme/nowhere", 'workspace "acme" has no source "nowhere"'),
        ("/in/nobody/website", 'no workspace "nobody" here'),
        ("/in/", 'no workspace "" here'),
        ("/in/acme/csv", 'workspace "acme" has no source "csv"'),
    ],
)
async def test_an_unknown_address_is_404(client: Client, path: str, says: str) -> None:
    status, _, body = await client.send(path, json=LEAD)
    assert (status, body["detail"]) == (404, says)


async def test_only_post_delivers(client: Client) -> None:
    status, headers, _ = await client.send("/in/acme/website", method="GET")
    assert (status, headers["allow"]) == (405, "POST, OPTIONS")


async def test_a_handshake_is_answered_and_is_no_delivery(client: Client) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "sample-verify", "hub.challenge": "4711"}
    status, _, body = await client.send("/in/acme/facebook", method="GET", params=query)
    assert (status, body) == (200, "4711")
    status, _, _ = await client.send("/in/acme/facebook", method="GET", params={**query, "hub.verify_token": "x"})
    assert status == 403
    assert await client.count("deliveries") == 0
