"""POST /contacts/bulk: one outcome a line, in order, as it comes, at any size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from mainstay.db import acquire
from mainstay.web.api.bulk import MAX_LINE, Spool
from tests.web.api.conftest import Client

NDJSON = {"Content-Type": "application/x-ndjson"}


async def bulk(client: Client, data: Any) -> list[Any]:
    answer = await client.ask("POST", "/contacts/bulk", data=data, headers=NDJSON)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.body.splitlines()]


def lines(*bodies: Any) -> bytes:
    return b"\n".join(orjson.dumps(body) for body in bodies)


async def test_each_line_is_answered_in_its_place(client: Client) -> None:
    body = b"\n".join(
        (
            b'{"email": "kim@example.com", "name": "Kim Lee"}',
            b"not json",
            b"",
            b'{"email": "kim@example.com", "company": "Acme"}\r',
            b'{"mail": "kim@example.com"}',
            b"{}",
            b'{"name": "\xff"}',
            b'{"name": "' + b"x" * MAX_LINE + b'"}',
            b'{"name": "Pat", "connection": "gone", "external_id": "1"}',
            b"[" * 5000,
            b'{"email": "kim@example.com", "company": "Acme"}',
        )
    )
    answers = await bulk(client, body)
    assert [(each["line"], each["status"]) for each in answers] == [
        (1, 201), (2, 400), (4, 200), (5, 422), (6, 422), (7, 400), (8, 413), (9, 422), (10, 400), (11, 200),
    ]  # fmt: skip
    assert [answers[place]["outcome"] for place in (0, 2, 9)] == ["created", "updated", "unchanged"]
    assert answers[3]["errors"] == [{"field": "mail", "message": "there is no such field"}]
    assert answers[1]["type"] == "urn:mainstay:problem:unreadable"
    assert len((await client.get("/contacts")).json["contacts"]) == 1


async def test_nothing_in_is_nothing_out(client: Client) -> None:
    for body in (b"", b"\n\n \n"):
        assert await bulk(client, body) == []


async def test_lines_of_one_person_are_written_in_order(client: Client) -> None:
    at = "2026-01-01T00:00:00Z"
    bodies = [
        {"email": "kim@example.com", "custom": {"n": str(n)}, "kind": "crm", "occurred_at": at} for n in range(300)
    ]
    answers = await bulk(client, lines(*bodies))
    assert [each["outcome"] for each in answers] == ["created"] + ["unchanged"] * 299, "of equals, the first stands"


async def test_keys_of_lines_make_a_second_sending_harmless(client: Client) -> None:
    bodies = [{"name": f"Nobody {number}", "idempotency_key": f"row-{number}"} for number in range(40)]
    first = await bulk(client, lines(*bodies))
    again = await bulk(client, lines(*bodies, {"name": "Somebody else", "idempotency_key": "row-7"}))
    assert [each["repeated"] for each in again[:-1]] == [True] * 40
    assert [each["contact_id"] for each in again[:-1]] == [each["contact_id"] for each in first]
    assert again[-1]["status"] == 409


async def test_outcomes_come_while_lines_still_go(client: Client) -> None:
    """The first answer is there before the second line has been sent."""
    answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for number in range(256):
            yield orjson.dumps({"email": f"p{number}@example.com"}) + b"\n"
        await answered.wait()
        yield b'{"email": "last@example.com"}'

    async with client.session.post(
        f"{client.url}/api/v1/contacts/bulk",
        data=body(),
        headers={"Authorization": f"Bearer {client.token}", **NDJSON},
    ) as response:
        first = orjson.loads(await response.content.readline())
        answered.set()
        rest = (await response.read()).splitlines()
    assert (first["line"], len(rest)) == (1, 256)


async def test_twenty_thousand_lines_from_a_sender_that_reads_nothing_meanwhile(client: Client) -> None:
    """Each person is named twice; what is answered waits until everything has been sent."""
    count = 20_000
    people = ({"email": f"p{n % (count // 2)}@example.com", "name": f"Person {n}"} for n in range(count))
    body = lines(*people)
    reader, writer = await connect(client, len(body))
    writer.write(body)
    await writer.drain()
    await reader.readuntil(b"\r\n\r\n")
    answers = [orjson.loads(line) for line in (await unchunked(reader)).splitlines()]
    writer.close()
    assert [each["line"] for each in answers] == list(range(1, count + 1))
    assert [each["status"] for each in answers] == [201] * (count // 2) + [200] * (count // 2)
    ids = [each["contact_id"] for each in answers]
    assert ids[: count // 2] == ids[count // 2 :]
    async with acquire(client.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM contacts") == count // 2


async def connect(client: Client, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(client.url.rpartition(":")[2]))
    writer.write(
        f"POST /api/v1/contacts/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return reader, writer


async def unchunked(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)


async def test_a_sender_that_leaves_loses_nothing_that_was_whole(client: Client) -> None:
    whole = lines(*({"email": f"p{number}@example.com"} for number in range(3))) + b"\n"
    reader, writer = await connect(client, 100_000)
    writer.write(whole + b'{"email": "half')
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    writer.close()
    async with asyncio.timeout(20):
        while len((await client.get("/contacts")).json["contacts"]) < 3:
            pass  # asking again is what is waited for
    assert len((await client.get("/contacts")).json["contacts"]) == 3


async def test_the_spool_gives_in_order_what_it_was_given_and_its_disk_back() -> None:
    spool = Spool()
    wanted, got = bytearray(), bytearray()
    for number in range(400):
        text = str(number).encode() * (3000 if number % 3 else 1)
        wanted += text
        spool.write(text)
        if number % 50 == 49:
            got += await spool.read()
    spool.end()
    while text := await spool.read():
        got += text
    assert got == wanted
    assert (spool._read_to, spool._written_to) == (0, 0)
    spool.close()
