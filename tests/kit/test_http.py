from __future__ import annotations

import asyncio
import json
import socket
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import FencedError
from mainstay.kit import Http, HttpSettings, NeedsHumanError, PermanentError, Response, TransientError
from mainstay.kit.http import MAX_RESPONSE_BYTES, MAX_RETRY_AFTER, classify
from mainstay.kit.redaction import MAX_STORED_CHARS
from tests.kit.recorder import Recorder

SECRET = "pit-9f3b2c/very+secret"


def client(session: aiohttp.ClientSession, url: str, timeout: float = 5.0) -> Http:
    settings = HttpSettings(url, headers={"Authorization": f"Bearer {SECRET}"}, secrets=(SECRET,), timeout=timeout)
    return Http(session, settings, idempotency_key="run-1/3")


async def test_success_is_decoded_and_recorded(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer({"id": "c1", "name": "Zoë 李"}, headers={"X-Request-Id": "r1"})
    http = client(session, vendor.url + "/")

    response = await http.request("POST", "/contacts", json={"name": "Zoë 李"}, params={"q": "a b"})

    assert response.data == {"id": "c1", "name": "Zoë 李"}
    assert response.headers["x-request-id"] == "r1"
    [sent] = vendor.requests
    assert (sent.method, sent.path, sent.json) == ("POST", "/contacts", {"name": "Zoë 李"})
    assert sent.url.endswith("/contacts?q=a+b")
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    assert sent.headers["content-type"] == "application/json"
    [entry] = http.exchanges
    assert entry["method"] == "POST"
    assert entry["url"] == f"{vendor.url}/contacts?q=a b"
    assert entry["request"] == {"name": "Zoë 李"}
    assert (entry["status"], entry["response"]) == (200, {"id": "c1", "name": "Zoë 李"})
    assert entry["ms"] >= 0


async def test_form_is_sent_as_a_form_and_recorded_by_field(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer("", status=204)
    http = client(session, vendor.url)

    response = await http.request("POST", "/token", form={"grant_type": "refresh", "refresh_token": "rt-123"})

    assert response.data is None
    assert vendor.requests[0].body == b"grant_type=refresh&refresh_token=rt-123"
    assert http.exchanges[0]["request"] == {"grant_type": "refresh", "refresh_token": "•••"}


async def test_no_answer_in_time_is_transient_and_unsure(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    released = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    vendor.handle(hang)
    http = client(session, vendor.url, timeout=1.0)
    with pytest.raises(TransientError, match="no answer within 1 s") as caught:
        await http.request("POST", "/contacts", json={})
    released.set()

    assert caught.value.unsure
    assert caught.value.status is None
    assert http.exchanges[0]["error"] == "no answer within 1 s"


async def test_an_answer_that_stops_midway_runs_into_the_same_limit(
    session: aiohttp.ClientSession, vendor: Recorder
) -> None:
    released = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        await answer.write(b'{"id": ')
        await released.wait()
        return answer

    vendor.handle(stall)
    with pytest.raises(TransientError, match="no answer within") as caught:
        await client(session, vendor.url, timeout=1.0).request("GET", "/")
    released.set()

    assert caught.value.unsure


async def test_refused_connection_is_transient_and_sure(session: aiohttp.ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: a connection is refused
        http = client(session, f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(TransientError, match="could not connect") as caught:
            await http.request("POST", "/contacts", json={})

    assert not caught.value.unsure
    assert "could not connect" in http.exchanges[0]["error"]


async def test_a_connection_that_is_never_taken_is_transient_and_sure(session: aiohttp.ClientSession) -> None:
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # the queue of a server that accepts nothing is full after these
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        http = client(session, f"http://127.0.0.1:{server.getsockname()[1]}", timeout=1.0)
        with pytest.raises(TransientError, match="could not connect within 0.5 s") as caught:
            await http.request("POST", "/contacts", json={})

    assert not caught.value.unsure


async def test_reset_is_transient_and_unsure(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    async def reset(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    vendor.handle(reset)
    http = client(session, vendor.url)
    with pytest.raises(TransientError, match="the connection broke") as caught:
        await http.request("POST", "/contacts", json={})

    assert caught.value.unsure
    assert "the connection broke" in http.exchanges[0]["error"]


async def test_truncated_json_is_transient_and_unsure(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer(b'{"id": "c1", "access_token": "abc', status=201)
    http = client(session, vendor.url)
    with pytest.raises(TransientError, match="not valid JSON") as caught:
        await http.request("POST", "/contacts", json={})

    assert caught.value.unsure
    assert caught.value.status == 201
    assert http.exchanges[0]["response"] == '{"id": "c1", "access_token": •••'


async def test_a_refusal_with_broken_json_keeps_its_meaning(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer(b'{"message": "nope', status=401)
    with pytest.raises(NeedsHumanError):
        await client(session, vendor.url).request("GET", "/")


@pytest.mark.parametrize(
    ("status", "fate", "unsure"),
    [
        (301, "permanent", False),
        (400, "permanent", False),
        (401, "human", False),
        (402, "human", False),
        (403, "human", False),
        (404, "permanent", False),
        (408, "transient", False),
        (409, "permanent", False),
        (422, "permanent", False),
        (423, "transient", False),
        (429, "transient", False),
        (500, "transient", True),
        (502, "transient", True),
        (503, "transient", False),
        (504, "transient", True),
        (520, "transient", True),
        (522, "transient", False),
        (524, "transient", True),
    ],
)
def test_classify(status: int, fate: str, unsure: bool) -> None:
    refusal = classify(Response(status, {}, b"", {"message": "why"}))
    assert refusal is not None
    assert (refusal.fate, refusal.unsure, refusal.status) == (fate, unsure, status)
    assert str(refusal) == f"{status}: why"


def test_classify_takes_every_2xx() -> None:
    assert all(classify(Response(status, {}, b"")) is None for status in range(200, 300))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "empty answer"),
        (b"<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        (b'{"error": {"message": "deep"}}', "deep"),
        (b'{"message": ["a", "b"]}', "a; b"),
        (b'{"code": 5}', '{"code": 5}'),
    ],
)
def test_the_error_says_what_the_vendor_said(body: bytes, shown: str) -> None:
    data = json.loads(body) if body.startswith(b"{") else None
    assert str(classify(Response(400, {}, body, data))) == f"400: {shown}"


def retry_after(value: str) -> float | None:
    return Response(429, {"retry-after": value}, b"").retry_after


def test_retry_after() -> None:
    assert Response(429, {}, b"").retry_after is None
    assert retry_after("7") == 7.0
    assert retry_after(" 1.5 ") == 1.5
    assert retry_after("-3") == 0.0
    assert retry_after("inf") == MAX_RETRY_AFTER
    assert retry_after("nan") is None
    assert retry_after("soon") is None
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    assert retry_after(format_datetime(in_a_minute, usegmt=True)) == pytest.approx(60, abs=3)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 -0000") == 0.0
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == MAX_RETRY_AFTER


@given(st.text(max_size=60))
def test_retry_after_bears_anything(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER


async def test_retry_after_reaches_the_error(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer({"message": "slow down"}, status=429, headers={"Retry-After": "12"})
    with pytest.raises(TransientError, match="429: slow down") as caught:
        await client(session, vendor.url).request("GET", "/")

    assert caught.value.retry_after == 12.0
    assert not caught.value.unsure


async def test_accepted_status_is_given_back(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer({"message": "gone"}, status=404)
    response = await client(session, vendor.url).request("GET", "/contacts/1", accept=(404,))
    assert response.status == 404


async def test_redirects_are_not_followed(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer("", status=302, headers={"Location": "http://127.0.0.1:9/steal"})
    with pytest.raises(PermanentError):
        await client(session, vendor.url).request("POST", "/", json={})
    assert len(vendor.requests) == 1


async def test_nothing_secret_or_personal_is_kept(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    echoed = f"bad token {SECRET} for dana@acme.example, +13125550147"
    vendor.answer({"message": echoed, "apiKey": "k-777", "contact": {"phone": "3125550147"}}, status=400)
    http = client(session, vendor.url)
    with pytest.raises(PermanentError) as caught:
        await http.request(
            "POST",
            f"/hooks/{SECRET}",
            json={"email": "dana@acme.example", "phone": "+13125550147", "note": SECRET, "password": "hunter2"},
            params={"access_token": "at-555", "email": "dana@acme.example"},
        )

    kept = json.dumps(http.exchanges, ensure_ascii=False) + "".join(traceback.format_exception(caught.value))
    for hidden in (SECRET, "very+secret", "k-777", "hunter2", "at-555", "dana@", "5550147"):
        assert hidden not in kept
    assert "d•••@acme.example" in str(caught.value)


async def test_no_secret_in_a_failed_connection(session: aiohttp.ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        http = client(session, f"http://127.0.0.1:{taken.getsockname()[1]}/{SECRET}")
        with pytest.raises(TransientError) as caught:
            await http.request("POST", "/x")

    kept = json.dumps(http.exchanges) + "".join(traceback.format_exception(caught.value))
    assert SECRET not in kept


@pytest.mark.parametrize("base_url", ["nonsense", "ftp://vendor.example", "http://", "http://[::1"])
async def test_a_wrong_address_needs_a_human(session: aiohttp.ClientSession, base_url: str) -> None:
    http = client(session, base_url + "/" + SECRET)
    with pytest.raises(NeedsHumanError, match="the address is not valid; check the connection") as caught:
        await http.request("GET", "/x")

    assert SECRET not in json.dumps(http.exchanges) + "".join(traceback.format_exception(caught.value))


async def test_a_secret_with_a_line_break_needs_a_human(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    settings = HttpSettings(vendor.url, headers={"X-Token": "abc123\nX-Evil: 1"}, secrets=("abc123\nX-Evil: 1",))
    http = Http(session, settings)
    with pytest.raises(NeedsHumanError, match="a header is not valid") as caught:
        await http.request("GET", "/x")

    assert vendor.requests == []
    assert "abc123" not in json.dumps(http.exchanges) + "".join(traceback.format_exception(caught.value))


async def test_a_big_answer_is_decoded_whole_and_kept_cut(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    rows = [{"id": number, "name": "x" * 50} for number in range(2_000)]
    vendor.answer(rows)
    http = client(session, vendor.url)
    response = await http.request("GET", "/rows")

    assert response.data == rows
    kept = http.exchanges[0]["response"]
    assert len(kept) < MAX_STORED_CHARS + 50
    assert kept.endswith(f"({len(response.body)} bytes)")


async def test_an_endless_answer_is_refused(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        chunk = b"1" * 1_000_000
        while True:
            await answer.write(chunk)
            sent += len(chunk)

    vendor.handle(pour)
    http = client(session, vendor.url)
    with pytest.raises(PermanentError, match="larger than 5000000 bytes"):
        await http.request("GET", "/rows")

    assert sent < MAX_RESPONSE_BYTES * 4
    assert len(http.exchanges[0]["response"]) < MAX_STORED_CHARS + 50


async def test_a_big_request_is_kept_cut(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer({})
    http = client(session, vendor.url)
    await http.request("POST", "/notes", json={"text": "x" * 20_000})

    assert len(vendor.requests[0].json["text"]) == 20_000
    assert len(http.exchanges[0]["request"]) < MAX_STORED_CHARS + 50


async def test_each_call_of_an_attempt_is_kept_in_order(session: aiohttp.ClientSession, vendor: Recorder) -> None:
    vendor.answer({"n": 1})
    vendor.answer({"n": 2})
    http = client(session, vendor.url)
    await http.request("GET", "/1")
    await http.request("GET", "/2")
    assert [entry["response"]["n"] for entry in http.exchanges] == [1, 2]


async def test_one_workspaces_cookie_does_not_travel_with_anothers_call(
    session: aiohttp.ClientSession, vendor: Recorder
) -> None:
    vendor.answer({}, headers={"Set-Cookie": "session=of-the-first; Path=/"})
    vendor.answer({})
    await client(session, vendor.url).request("GET", "/")
    await client(session, vendor.url).request("GET", "/")
    assert "cookie" not in vendor.requests[1].headers


async def test_an_exchange_of_another_protocol_is_masked_alike(session: aiohttp.ClientSession) -> None:
    http = client(session, "smtp://mail.acme.example:587")
    http.record(method="SMTP", url="smtp://mail.acme.example:587", request={"To": "dana@acme.example", "text": SECRET})
    assert http.exchanges == [
        {
            "method": "SMTP",
            "url": "smtp://mail.acme.example:587",
            "request": {"To": "d•••@acme.example", "text": "•••"},
        }
    ]
    assert http.redact(f"{SECRET} of dana@acme.example") == "••• of d•••@acme.example"


def test_settings_show_no_secret() -> None:
    settings = HttpSettings("http://x", headers={"Authorization": SECRET}, secrets=(SECRET,))
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("asked", [1, 2, 3])
async def test_what_may_no_longer_leave_does_not_whenever_that_is_found(
    session: aiohttp.ClientSession, vendor: Recorder, asked: int
) -> None:
    times = 0

    async def before_call() -> None:
        nonlocal times
        times += 1
        if times >= asked:
            raise FencedError("another's now")

    http = client(session, vendor.url)
    http.before_call = before_call
    with pytest.raises(FencedError, match="another's now"):
        await http.request("POST", "/contacts", json={"name": "Sarah"})

    vendor.answer({"id": "c1"})
    http.before_call = None
    await http.request("GET", "/contacts/c1")
    assert [each.path for each in vendor.requests] == ["/contacts/c1"]


@pytest.mark.parametrize("asked", [1, 2])
async def test_the_same_holds_of_what_has_no_body(session: aiohttp.ClientSession, vendor: Recorder, asked: int) -> None:
    answers = iter([True] * (asked - 1))

    async def before_call() -> None:
        if not next(answers, False):
            raise FencedError("another's now")

    http = client(session, vendor.url)
    http.before_call = before_call
    with pytest.raises(FencedError, match="another's now"):
        await http.request("DELETE", "/contacts/c1")

    assert vendor.requests == []
